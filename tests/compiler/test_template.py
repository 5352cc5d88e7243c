"""Templates fill what is declared, refuse misspellings and leave all other braces alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyarch.compiler.template import Template, TemplateFault

NAMES = frozenset({"question", "answer", "record"})


def fill(text: str, **values: object) -> str:
    return Template(text, NAMES).fill(values)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Q: {question}", "Q: why?"),
        ("{question}{question}", "why?why?"),
        (r"\boxed{question}", r"\boxedwhy?"),
        ("{{question}}", "{question}"),
        ("{{{question}}}", "{{question}}"),
        ("${question}", "$why?"),
        ("", ""),
    ],
)
def test_declared_names_are_filled_everywhere(text: str, filled: str) -> None:
    assert fill(text, question="why?") == filled


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        r"\frac{1}{2} \frac{x}{y} \text{word} \sqrt[n]{x} \operatorname*{argmax}",
        "x_{i} + y^{n} and ${HOME}",
        "{unknown words} {} { } {1} {a, b} { spaced }",
        "{{unknown}} f{x} dict{key}",
        r"\{x\} \{x}",
        "}{ }{x} {",
        "def f(): return {k: v for k, v in d}",
    ],
)
def test_other_braces_are_text(text: str) -> None:
    template = Template(text, NAMES)
    assert template.check() == ()
    assert template.fill({}) == text


@pytest.mark.parametrize(
    ("text", "name", "offset", "near"),
    [
        ("ab {qestion}", "qestion", 3, 'did you mean "question"?'),
        ("{zzz}", "zzz", 0, "known: answer, question, record"),
        ("({recrod.a})", "recrod.a", 1, 'did you mean "record"?'),
    ],
)
def test_a_lone_unknown_name_is_a_fault(text: str, name: str, offset: int, near: str) -> None:
    (fault,) = Template(text, NAMES).check()
    assert (fault.name, fault.offset, fault.width) == (name, offset, len(name) + 2)
    assert text[fault.offset : fault.offset + fault.width] == f"{{{name}}}"
    assert fault.hint.startswith(near)
    with pytest.raises(TemplateFault, match="not a variable here"):
        Template(text, NAMES).fill({"question": "x"})


def test_all_faults_are_listed_in_order() -> None:
    template = Template("{b} {a} {{question}}", NAMES, required=frozenset({"question", "answer"}))
    assert [fault.name for fault in template.check()] == ["b", "a", "answer", "question"]


def test_names_are_those_that_will_be_filled() -> None:
    assert Template("{question} {{answer}} {record.a}", NAMES).names == {"question", "record"}


def test_fields_and_values_that_are_not_text() -> None:
    assert fill("{record.a.b}", record={"a": {"b": "x"}}) == "x"
    assert fill("{record}", record={"a": [1, None, True, "é"]}) == '{"a": [1, null, true, "é"]}'
    with pytest.raises(TemplateFault, match=r'no value for "record\.b"') as caught:
        fill("x {record.b}", record={"bb": 1})
    assert caught.value.offset == 2
    with pytest.raises(TemplateFault, match='no value for "question"'):
        fill("{question}")


@settings(max_examples=150, deadline=None)
@given(st.text(), st.text(), st.text("{}\\ab_question", max_size=30))
def test_values_are_never_filled_again(question: str, answer: str, around: str) -> None:
    template = Template("{question}|{answer}", NAMES)
    value = f"{{answer}}{question}{{question}}"
    assert template.fill({"question": value, "answer": answer}) == f"{value}|{answer}"


@settings(max_examples=300, deadline=None)
@given(st.text('{}\\ab_$^ .:"1é\n', max_size=40))
def test_a_text_without_declared_names_is_kept_or_refused(text: str) -> None:
    template = Template(text, NAMES)
    if not template.check():
        assert template.fill({}) == text
    for fault in template.check():
        assert text[fault.offset : fault.offset + fault.width] == f"{{{fault.name}}}"


def test_filling_costs_no_parsing() -> None:
    template = Template("x" * 100_000 + "{question}" + '{"a": 1}' * 10_000, NAMES)
    started = time.perf_counter()
    for _ in range(200):
        template.fill({"question": "q"})
    assert (time.perf_counter() - started) / 200 < 1e-3
