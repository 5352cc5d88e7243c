"""Calls in a text: what is one, what is wrong with one, however the text is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyarch.ops._calls_text import Scanner, Written
from polyarch.ops._references import Mixed, NoSuchPart, Reference, filled, mixed

PLAN = """\
Here is a plan:
1. search("Everest, (the mountain)")
- 2. weather.today(city='Bern', days=3, exact=True)

3) write(text="one
two \\"three\\"", tags=["a", 1.5, null], of={"x": ${1.items[0].name}})
4: calculator(expression="${1.height} * 2 + $5")
Thought: 5. is not a call
6. join()"""


def calls(text: str, *, in_brackets: bool = False) -> list[Written]:
    scanner = Scanner(in_brackets=in_brackets)
    return [*scanner.feed(text), *scanner.end()]


def test_a_plan_is_read() -> None:
    first, second, third, fourth, last = calls(PLAN)
    assert (first.id, first.tool, first.given) == (1, "search", ("Everest, (the mountain)",))
    assert (second.tool, second.named) == (
        "weather.today",
        {"city": "Bern", "days": 3, "exact": True},
    )
    assert third.named == {
        "text": 'one\ntwo "three"',
        "tags": ["a", 1.5, None],
        "of": {"x": Reference(1, ("items", 0, "name"))},
    }
    assert fourth.named == {"expression": Mixed((Reference(1, ("height",)), " * 2 + $5"))}
    assert (last.id, last.tool, last.given) == (6, "join", ())
    assert not any(call.wrong for call in (first, second, third, fourth, last))


@given(st.lists(st.integers(0, len(PLAN)), max_size=40))
def test_how_a_text_is_cut_changes_nothing(cuts: list[int]) -> None:
    scanner, found, start = Scanner(), [], 0
    for cut in [*sorted(cuts), len(PLAN)]:
        found += scanner.feed(PLAN[start:cut])
        start = cut
    assert [*found, *scanner.end()] == calls(PLAN)


@given(st.text(alphabet="1.2 f(\"'a,=)[]{}$:\n\\tru-", max_size=60), st.integers(1, 5))
def test_nothing_that_is_written_raises_and_cuts_decide_nothing(text: str, size: int) -> None:
    scanner, found = Scanner(), []
    for start in range(0, len(text), size):
        found += scanner.feed(text[start : start + size])
    assert [*found, *scanner.end()] == calls(text)


def test_a_call_is_there_with_its_last_bracket() -> None:
    scanner = Scanner()
    assert list(scanner.feed('1. f("a"')) == []
    assert [call.id for call in scanner.feed(")")] == [1]
    assert [call.id for call in scanner.feed(' and\n2. g(1)\n3. h("x')] == [2]
    assert [call.id for call in scanner.feed('")\n4. i(2)')] == [3, 4]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("1. f(", "expected , or ) before 'g'"),
        ('1. f("a)', "it is never closed"),
        ("1. f(abc)", "'abc' is no value; a text stands in quotes"),
        ("1. f(a=1, a=2)", "argument 'a' is given twice"),
        ("1. f(a=1, 2)", "an argument without a name stands behind one with a name"),
        ("1. f(1 2)", "expected , or ) before '2'"),
        ('1. f("${1.}")', "'${1.}' is no reference; $${ writes ${"),
        ("1. f($1)", "a reference is written ${1}; a text stands in quotes"),
        ("1. f(${x})", "a reference is written ${1}; a text stands in quotes"),
        ("1. f({1: 2})", "expected a text as key before '1'"),
        ("1. f([1 2])", "expected , or ] before '2'"),
        ("1. f(" + "[" * 40 + ")", "it is nested too deeply"),
    ],
)
def test_what_is_wrong_is_told_and_the_rest_is_read(text: str, wrong: str) -> None:
    first, second = calls(f"{text}\n2. g()")
    assert (first.id, first.wrong) == (1, wrong)
    assert (second.id, second.tool, second.wrong) == (2, "g", "")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"$1"', "$1"),
        ('"$${1}"', "${1}"),
        ('"$${1} of ${2}"', Mixed(("${1} of ", Reference(2)))),
        ('"a\\tb"', "a\tb"),
        (r'"\frac{1}{2}"', r"\frac{1}{2}"),
        (r'"\d+\."', r"\d+\."),
        ('"\\u00e9"', "é"),
        ('"""a "b"\nc"""', 'a "b"\nc'),
        ('""', ""),
        ("'it''s'", None),
        ('"${HOME}"', "${HOME}"),
        ('"${ 1 }"', Mixed((Reference(1),))),
        ("${2[1]}", Reference(2, (1,))),
        ("${2['a b'].c}", Reference(2, ("a b", "c"))),
        ("-3", -3),
        ("2.5e3", 2500.0),
        ("false", False),
    ],
)
def test_values(written: str, meant: object) -> None:
    (call,) = calls(f"1. f({written})")
    if meant is None:
        assert call.wrong
    else:
        assert call.given == (meant,)
        assert type(call.given[0]) is type(meant)


def test_calls_in_brackets() -> None:
    text = 'It is [1. f("a]")] and [2: g(${1})], not [3] or (4. h()) or [5. k() x].'
    first, second, third = calls(text, in_brackets=True)
    assert text[first.start : first.end] == '[1. f("a]")]'
    assert second.given == (Reference(1),)
    assert third.wrong == "expected ] before 'x'"


def test_references_are_typed_and_filled_once() -> None:
    results = {1: {"n": 3, "text": "see ${2}", "list": [1, {"a": "x"}]}, 2: "secret"}
    assert filled(mixed("${1.n}"), results) == 3
    assert filled(mixed("${1.text}"), results) == "see ${2}"
    assert filled(mixed("n=${1.n}, ${1.list[1].a}, ${1.list}"), results) == (
        'n=3, x, [1, {"a": "x"}]'
    )
    assert filled({"a": [mixed("${1.list[-1]}")]}, results) == {"a": [{"a": "x"}]}
    assert filled(mixed("${1.n}"), results, quoted=True) == "3"


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("${1.m}", "${1.m}: there is no field 'm'; there are: n"),
        ("${1.n.x}", "${1.n.x}: a number has no field 'x'"),
        ("${2.x}", "${2.x}: a text has no field 'x'"),
        ("${3[2]}", "${3[2]}: there is no place 2 among 1"),
        ("${1[0]}", "${1[0]}: an object has no place 0"),
    ],
)
def test_what_is_not_there_is_told(reference: str, why: str) -> None:
    with pytest.raises(NoSuchPart) as raised:
        filled(mixed(reference), {1: {"n": 3}, 2: "x", 3: [1]})
    assert str(raised.value) == why
