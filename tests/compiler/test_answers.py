"""Answers are read where a text marks them, compared by meaning, and never guessed."""

from __future__ import annotations

import sys
import threading
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyarch.compiler.answers import Answer, AnswerKind, answer_kind, boxed
from polyarch.compiler.errors import MissingPackage


def reads(kind: AnswerKind, text: str) -> str | None:
    answer = kind.read(text)
    assert answer is None or answer.kind == kind.name
    return None if answer is None else answer.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is 18 eggs.", "18"),
        ("1,000", "1000"),
        ("$18.00", "18"),
        ("-3", "-3"),
        ("\u22123", "-3"),
        ("3/4", "3/4"),
        ("6/8", "3/4"),
        ("50%", "50"),
        ("18.", "18"),
        ("1.50", "1.5"),
        ("1e3", "1000"),
        (r"\frac{3}{4}", "3/4"),
        (r"1{,}000", "1000"),
        ("pages 3-4", "4"),
        ("answer: 42, not 43", "42"),
        ("The answer is 42. Then 7 apples", "42"),
        ("#### 42", "42"),
        ("7 then **42** and 3", "42"),
        (r"\boxed{42} and 7", "42"),
        ('{"answer": "42", "x": 7}', "42"),
        ("answer 42 of 50", "42"),
        ("none", None),
        ("", None),
        ("1.2.3", None),
        ("10:30", None),
        ("1,50", None),
        ("5k", None),
        ("$1.2 million", "1200000"),
        (r"\boxed{2\pi}", None),
        (r"\boxed{x = 5}", "5"),
        (r"\boxed{18\text{ eggs}}", "18"),
        (r"\boxed{\$18}", "18"),
        (r"\boxed{50\%}", "50"),
        (r"$\boxed{-\frac{1}{2}}$", "-1/2"),
        ("the answer is 3 + 4 = 7", "7"),
        ("the answer is 3 + 4", None),
        ("x2 and H2O", None),
        ("1 3/4 cups", "7/4"),
        (r"1\frac{3}{4}", "7/4"),
        ("**Answer:** 42", "42"),
        ("**Answer**: **$18**", "18"),
        ("Final answer\n\n42", "42"),
        ("Answer: -3", "-3"),
        ("Answer: $-3$", "-3"),
        ("-$3", "-3"),
        ("1/0", None),
        ("3/4/2024", None),
        ("2^10", None),
        ("x^2 = 4", "4"),
        ("3 \\times 10^{3}", "3000"),
        ("2.5e-3", "0.0025"),
        ("0.1", "0.1"),
        (".5", "0.5"),
        ("-.5", "-0.5"),
        ("the 3rd", None),
        ("(42)", "42"),
        ("so **18 eggs**.", "18"),
        ("**1.** a\n**2.** it is 42", "42"),
        ("#### 1. Setup\nWe get 5", "5"),
        ("Answer: unknown, 5", "5"),
        ("I answer the 3 questions: 9", "9"),
        ("The answer is about 5", "5"),
        ("42\\text{ km}", "42"),
        ("answer is \\frac{\\pi}{2}", None),
        ("\\sqrt{2}", None),
        ("answer: 7%", "7"),
        ("1e999999999", None),
        ("9" * 1000, None),
        ("٣", "3"),
        ("The total is $1,234.50.", "1234.5"),
        ("= 18", "18"),
        ("3 - 4", "4"),
        ("Answer: 2 hours", "2"),
        ("-0", "0"),
        ("100°", "100"),
        ("\\boxed{90^\\circ}", "90"),
        ("\\boxed{12,345}", "12345"),
        ("\\boxed{5", "5"),
        ("answer: 3-4", None),
        ("x_1", None),
        ("x_{1}", None),
        ("2e", None),
        ("5\u00b2", None),
        ("3 / 4", "3/4"),
        ("**Step 1**: 7\n**42**", "42"),
        ("answer: 1 000", "1"),
    ],
)
def test_number(text: str, expected: str | None) -> None:
    assert reads(answer_kind("number"), text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("B", "B"),
        ("B.", "B"),
        ("(B)", "B"),
        ("**B**", "B"),
        ("The answer is B", "B"),
        ("B) text", "B"),
        ("A train leaves at 3.", None),
        ("A", "A"),
        ("The answer is A train", None),
        ("The answer is A because x", "A"),
        ("Answer: (C)", "C"),
        ("**Answer: D**", "D"),
        ("answer: b", "B"),
        ("The answer is a good thing", None),
        (r"\boxed{B}", "B"),
        (r"\boxed{\text{(B)}}", "B"),
        ("A is wrong. B is correct.", "B"),
        ("A) x\nB) y\nC) z", None),
        ("A) x\nB) y\nSo the answer is B) y.", "B"),
        ("answer is A. No, the answer is B", "B"),
        ("Answer: A or B", None),
        ("Answer: B or C", None),
        ("Answer: (B), (C)", None),
        ("Therefore, (C) is right", "C"),
        ("I think so", None),
        ("", None),
        ("The correct option is B.", "B"),
        ('{"answer": "B"}', "B"),
        ("Because", None),
        ("Option B", "B"),
        ("The answer is **B**.", "B"),
        ("The answer is: $\\boxed{C}$", "C"),
        ("final answer\nB", "B"),
        ("So it must be (A) or (B)", None),
        ("answer: \\textbf{(E)}", "E"),
        ("C++ is nice", None),
        ("A, B and C", None),
        ("Answer: K", None),
        ("Answer:\n\nB", "B"),
    ],
)
def test_choice(text: str, expected: str | None) -> None:
    assert reads(answer_kind("choice"), text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes", "Yes"),
        ("yes.", "Yes"),
        ("No, because", "No"),
        ("Answer: no", "No"),
        ("No one knows", None),
        ("Yes, then\nNo, wait", None),
        ("the answer is yes", "Yes"),
        ("...\n\n**No**", "No"),
        ("Not yes", None),
    ],
)
def test_choice_words(text: str, expected: str | None) -> None:
    assert reads(answer_kind({"choice": ["Yes", "No"]}), text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\boxed{\dfrac{1}{2}}.", r"\frac{1}{2}"),
        (r"\boxed{a} \boxed{ b }", "b"),
        (r"\fbox{\left( 1,2 \right)}", "( 1,2 )"),
        (r"\boxed{x", None),
        (r"\boxed{\{1\}}", r"\{1\}"),
        (r"\boxed{a \boxed{b}}", r"a \boxed{b}"),
        ("\\boxed{}", None),
        (r"\boxed{\text{Paris}}", "Paris"),
        ("x", None),
    ],
)
def test_boxed(text: str, expected: str | None) -> None:
    assert reads(answer_kind("boxed"), text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Answer: Paris", "Paris"),
        ("**Answer:** Paris", "Paris"),
        ("x\n  New   York ", "New York"),
        ("Answer: **Paris**", "Paris"),
        ("Answer:\nParis", "Paris"),
        ("Answer:", None),
        ("", None),
        ("**Answer: Paris**", "Paris"),
        ('{"answer": "Paris"}', "Paris"),
        ('"Paris"', "Paris"),
    ],
)
def test_exact(text: str, expected: str | None) -> None:
    assert reads(answer_kind("exact"), text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```python\nx = 1  \n```", "x = 1"),
        ("```\na\n```\n```\nb\n```", "b"),
        ("```\na", None),
        ("def f():\n    return 1\n", "def f():\n    return 1"),
        ("Yes", None),
        ("I think so.", None),
        ("```\na\n```\n```\nb", None),
        ("  ```py\n    x\n      y\n  ```", "x\n  y"),
        ("~~~\nq\n~~~", "q"),
        ("```\n\n```", None),
        ("print(1)", "print(1)"),
    ],
)
def test_code(text: str, expected: str | None) -> None:
    assert reads(answer_kind("code"), text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"b": 1, "a": [1.0, 2]}', '{"a":[1,2],"b":1}'),
        ('use {x} then {"a": 1}', '{"a":1}'),
        ('{"a": 1', None),
        ('{"a": {"b": 1}', None),
        ('{"a": "x {1} [2]', None),
        ("[1, 2] x", "[1,2]"),
        ('{"a": {"b": 1}, oops}', None),
        ('```json\n{"a": "}"}\n```', '{"a":"}"}'),
        ('{"a": 1e999}', None),
        ('[see {"a": 1}]', '{"a":1}'),
        ('{"a": NaN}', None),
        ("[]", "[]"),
        ('{"a":"é"}', '{"a":"é"}'),
        ("{" * 2000, None),
        ("[" * 100000, None),
    ],
)
def test_json(text: str, expected: str | None) -> None:
    assert reads(answer_kind("json"), text) == expected


def test_options() -> None:
    field = answer_kind({"json": {"field": "answer"}})
    assert reads(field, 'so {"answer": "42"}') == "42"
    assert reads(field, '{"answer": 42}') == "42"
    assert reads(field, '{"other": 42}') is None
    assert reads(field, '{"answer": null}') is None
    assert reads(answer_kind({"regex": r"total (\d+)"}), "total 1 total 22") == "22"
    assert reads(answer_kind(r"regex: total:? (\d+)"), "total: 7") == "7"
    assert reads(answer_kind("text"), "  a b\n") == "a b"
    assert reads(answer_kind({"text": {"space": "keep"}}), "  a b\n") == "  a b\n"
    assert reads(answer_kind({"text": {"space": "keep"}}), " \n") is None
    assert reads(answer_kind({"choice": [1, 2]}), "Answer: 2") == "2"
    fold = answer_kind({"exact": {"case": "fold"}})
    assert fold.same(Answer("Paris", "exact"), Answer("PARIS", "exact"))
    assert not answer_kind("exact").same(Answer("Paris", "exact"), Answer("PARIS", "exact"))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("nmber", 'did you mean "number"'),
        ({"regex": "("}, "cannot be compiled"),
        ({"regex": "a{99999999999999999999}"}, "cannot be compiled"),
        ({"regex": "a"}, "exactly one group, it has 0"),
        ({"regex": "(a)(b)"}, "exactly one group, it has 2"),
        ({"regex": "(a)" * 200}, "longer than 500"),
        ("regex", "takes a pattern"),
        ({"choice": ["A"]}, "two or more"),
        ({"choice": ["a", "A"]}, "differ"),
        ({"choice": [True, False]}, "quotes"),
        ({"choice": "AB"}, "list of options"),
        ({"exact": {"cse": "fold"}}, 'option case, not "cse"'),
        ({"exact": {"case": "x"}}, "case: fold"),
        ({"json": {"field": ""}}, "field: a name"),
        ({"number": 3}, "no options"),
        ({}, "one word"),
        ({"a": 1, "b": 2}, "one word"),
    ],
)
def test_a_wrong_kind_says_what_is_right(value: str | dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        answer_kind(value)


def test_groups_name_the_first_member() -> None:
    def group(kind: str, *texts: str) -> list[int]:
        return answer_kind(kind).group([Answer(text, kind) for text in texts])

    assert group("number", "0.75", "1", "3/4", "1") == [0, 1, 0, 1]
    assert group("number", "0.1", "0.10000000000000001") == [0, 1]
    assert group("boxed", "0.5", r"\frac{1}{2}", "2", "x+1", "1+x", "x^2+y^2", "y^2+x^2") == [
        0, 0, 2, 3, 3, 5, 5,
    ]  # fmt: skip
    assert group("exact", "a", "b", "a") == [0, 1, 0]
    assert group("text") == []


@pytest.mark.parametrize(
    "text",
    [
        "9^{9^{9}}",
        "(9^{999})^{999}",
        "((x+y)^{99})^{99}",
        "99999!",
        r"\frac{",
        r"\binom{9}{4}",
        "{" * 999,
    ],
)
def test_costly_mathematics_is_compared_as_text(text: str) -> None:
    kind = answer_kind("boxed")
    started = time.perf_counter()
    assert kind.same(Answer(text, "boxed"), Answer(text, "boxed"))
    assert not kind.same(Answer(text, "boxed"), Answer("7", "boxed"))
    assert time.perf_counter() - started < 2


def test_mathematics_is_compared_in_threads_too() -> None:
    kind = answer_kind("boxed")
    outcome: list[bool] = []
    a, b = Answer(r"\sqrt{8}", "boxed"), Answer(r"2\sqrt{2}", "boxed")
    thread = threading.Thread(target=lambda: outcome.append(kind.same(a, b)))
    thread.start()
    thread.join(30)
    assert outcome == [True]


def test_boxed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boxed, "find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=r"pip install 'polyarch\[math\]'"):
        answer_kind("boxed")


def test_mathematics_is_imported_only_on_use() -> None:
    import subprocess

    code = "import sys, polyarch.compiler.answers as a; a.answer_kind('boxed').read('x');"
    code += "sys.exit('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


KINDS: tuple[str | dict[str, object], ...] = (
    "number",
    "choice",
    {"choice": ["Yes", "No", "not sure"]},
    "boxed",
    "exact",
    "code",
    "json",
    {"json": {"field": "answer"}},
    {"regex": r"answer (\w+)"},
    "text",
)
WORDS = (
    r"answer Answer: is ** \boxed{ } { ] ( ) \frac{1} {2} 1 23 , . - / % $ #### A B Yes 1,000 e 5"
    r" ``` ~~~ ' ` \ \\ := ^ _ x \text{ million 10:30 \times10^ def f(): 3/0 π ٣ ²"
)
PIECES = st.sampled_from([*WORDS.split(), "\u2212", " ", "\n", "\t", "\n```\n", '"', '{"answer": '])


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=60))
def test_reading_never_raises_and_is_canonical(text: str) -> None:
    for value in KINDS:
        kind = answer_kind(value)
        answer = kind.read(text)
        assert answer == kind.read(text)
        assert answer is None or (answer.text.strip() and kind.same(answer, answer))
        assert answer is None or kind.group([answer, answer]) == [0, 0]


@settings(max_examples=300, deadline=None)
@given(st.integers(-(10**15), 10**15), st.integers(0, 6))
def test_numbers_keep_their_value(whole: int, places: int) -> None:
    kind = answer_kind("number")
    value = Fraction(whole, 10**places)
    sign = "-" if whole < 0 else ""
    digits = str(abs(whole)).zfill(places + 1)
    cut = len(digits) - places
    left, right = digits[:cut], digits[cut:]
    tail = f".{right}" if right else ""
    for shown in (
        f"{sign}{left}{tail}",
        f"{sign}{int(left):,}{tail}",
        f"{sign}${int(left):,}{tail}",
    ):
        for text in (shown, f"so {shown} eggs.", f"Answer: {shown}.", rf"\boxed{{{shown}}}"):
            answer = kind.read(text)
            assert answer is not None
            assert Fraction(answer.text) == value
            assert kind.read(answer.text) == answer


@settings(max_examples=200, deadline=None)
@given(st.integers(-9999, 9999), st.integers(1, 9999))
def test_fractions_keep_their_value(top: int, bottom: int) -> None:
    kind = answer_kind("number")
    for text in (
        f"{top}/{bottom}",
        rf"\boxed{{\frac{{{top}}}{{{bottom}}}}}",
        f"it is {top} / {bottom}",
    ):
        answer = kind.read(text)
        assert answer is not None
        assert Fraction(answer.text) == Fraction(top, bottom)


REPEATED = (
    "1", "{", "}", "\\", "[", '{"', r"\boxed{", r"\boxed{}", "answer: ", "answer: 1,", "A is ",
    "(A) ", "1 ", "1/", "1,", "**1**", "```\n", "`", " ", "\n", "A\n", r"\frac{", r"\frac{1}{2}",
    '"',
    "[[1,", "#### 1\n", "1 1/2 ", "10^", "answer is A or ",
)  # fmt: skip


@pytest.mark.parametrize("name", ["number", "choice", "boxed", "exact", "code", "json"])
def test_reading_takes_linear_time(name: str) -> None:
    kind = answer_kind(name)
    for piece in REPEATED:
        text = piece * (250_000 // len(piece))
        started = time.process_time()
        kind.read(text)
        assert time.process_time() - started < 1, piece


@pytest.mark.parametrize("piece", ["1", "{", "\\", "}"])
def test_a_megabyte_is_read_within_a_second(piece: str) -> None:
    for value in KINDS:
        started = time.process_time()
        answer_kind(value).read(piece * 1_000_000)
        assert time.process_time() - started < 1


def test_every_kind_describes_itself_in_one_line() -> None:
    lines = [answer_kind(value).describe() for value in KINDS]
    assert all(line and "\n" not in line for line in lines)
    assert "Yes, No, not sure" in lines[2]
    assert hash(answer_kind("choice")) == hash(answer_kind("choice"))
    assert answer_kind("choice") == answer_kind({"choice": list("ABCDEFGHIJ")})
