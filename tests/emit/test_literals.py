import ast
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyarch.compiler.answers import AnswerKind, answer_kind
from polyarch.compiler.emit.literals import Call, Name, answer, literal, quoted

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=12,
)


@given(VALUES, st.integers(0, 100))
def test_a_literal_is_its_value(value: object, column: int):
    assert ast.literal_eval(literal(value, column)) == value


@given(st.text(st.sampled_from("\"'\\\n\r\t {}ab\x85\u2028\ud800é"), max_size=200))
def test_a_long_text_is_itself_in_pieces(text: str):
    assert ast.literal_eval(literal(text, 80, 4)) == text


def test_a_long_text_is_cut_at_line_breaks_and_between_words():
    text = "one\n\n" + "word " * 30
    assert literal(text, 10, 4) == "\n".join(
        [
            "(",
            '        "one\\n"',
            '        "\\n"',
            f'        "{"word " * 15}"',
            f'        "{"word " * 15}"',
            "    )",
        ]
    )


def test_quotes_are_those_that_need_fewer_escapes():
    assert quoted("it's") == '"it\'s"'
    assert quoted('say "it"') == "'say \"it\"'"
    assert quoted("\x00\\") == '"\\x00\\\\"'


def test_what_is_not_finite():
    assert literal([math.inf, -math.inf]) == '[float("inf"), float("-inf")]'


def test_calls_and_names():
    assert literal(Call("f", [("", Name("X")), ("y", (1,))])) == "f(X, y=(1,))"
    assert literal(Call("f", [("y", 1)]), 90) == "f(\n    y=1,\n)"


def test_what_has_no_literal():
    with pytest.raises(TypeError, match="no literal for set"):
        literal({1})


@pytest.mark.parametrize(
    "written",
    ["number", "text", "code", "json", "exact", "choice", {"choice": ["x", "y"]},
     {"exact": {"case": "fold"}}, {"json": {"field": "a"}}, {"regex": r"is (\d+)"}],
    ids=str,
)  # fmt: skip
def test_an_answer_kind_is_written_as_it_is_read(written: str | dict[str, object]):
    kind: AnswerKind = answer_kind(written)
    assert answer_kind(answer(kind)) == kind
    assert answer(kind) == written
