"""YAML is read by YAML 1.2's rules, every value knows its place, and nothing is unbounded."""

from __future__ import annotations

import math
import os
import re
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from polyarch.compiler.errors import Fault, Span, SpecError
from polyarch.compiler.names import nearest
from polyarch.compiler.source import Plain, parse, read


def faults(text: str) -> tuple[Fault, ...]:
    with pytest.raises(SpecError) as caught:
        parse(text)
    return caught.value.faults


def where(text: str) -> list[tuple[str, int, int]]:
    return [(f.code, f.span.line, f.span.column) for f in faults(text)]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("60_000", 60000),
        ("010", 10),
        ("0x1f", 31),
        ("0o17", 15),
        ("-4", -4),
        ("1e-3", 0.001),
        ("1_000.5", 1000.5),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("no", "no"),
        ("on", "on"),
        ("True", True),
        ("false", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("2024-01-01", "2024-01-01"),
        ("1:30", "1:30"),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("!!float 5", 5.0),
        ("_1", "_1"),
        ("1.2.3", "1.2.3"),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_scalars(written: str, value: object) -> None:
    got = parse(f"a: {written}\n").plain()
    assert got == {"a": value}
    assert isinstance(got, dict)
    assert type(got["a"]) is type(value)


TEXT = """\
name: é😀 x   # astral
steps:
  drafts: {op: generate, n: 16}
  list:
    - a
    - b: "q\\"{x}"
prompt: |
  Solve {question}
  and {qestion}
"""


@pytest.mark.parametrize(
    ("path", "key", "place"),
    [
        (("name",), False, (1, 7, 4)),
        (("name",), True, (1, 1, 4)),
        (("steps", "drafts"), False, (3, 11, 21)),
        (("steps", "drafts", "n"), False, (3, 29, 2)),
        (("steps", "drafts", "n"), True, (3, 26, 1)),
        (("steps",), False, (3, 3, 29)),
        (("steps", "list", 1, "b"), False, (6, 10, 8)),
        (("steps", "list", 0), True, (5, 7, 1)),
        (("prompt",), False, (7, 9, 1)),
        (("steps", "drafts", "k", "z"), False, (3, 11, 21)),
        (("steps", "list", 7), True, (4, 3, 0)),
    ],
)
def test_spans(path: tuple[str | int, ...], key: bool, place: tuple[int, int, int]) -> None:
    document = parse(TEXT, "p.yaml")
    span = document.span(path, key)
    if path[-1] == 7:
        assert span == document.span(("steps", "list"))
        return
    assert (span.line, span.column, span.width) == place
    assert span.text == TEXT.split("\n")[span.line - 1]
    assert span.file == "p.yaml"


def test_a_place_inside_a_value() -> None:
    document = parse(TEXT)
    span = document.inside(("prompt",), "{qestion}")
    assert (span.line, span.column, span.width) == (9, 7, 9)
    assert document.inside(("prompt",), "o", 1) != document.inside(("prompt",), "o")
    assert document.inside(("steps", "list", 1, "b"), "{x}").column == 14
    assert document.inside(("prompt",), "nowhere") == document.span(("prompt",))
    assert document.inside(("name",), "drafts") == document.span(("name",))


def test_an_alias_stands_where_it_is_used() -> None:
    document = parse("a: &x {k: 1}\nb: *x\n")
    assert document.plain() == {"a": {"k": 1}, "b": {"k": 1}}
    assert document.span(("b",)).line == 2
    assert document.span(("b", "k")).line == 1


def test_line_breaks_and_byte_order_mark() -> None:
    document = parse("\ufeffa: 1\r\nb: 2\rc: 3\n")
    assert document.plain() == {"a": 1, "b": 2, "c": 3}
    assert [document.span((k,)).line for k in "abc"] == [1, 2, 3]
    assert document.span(("a",), key=True).column == 1


def test_every_fault_is_reported_at_once() -> None:
    text = "a: 1\na: 2\n1: x\nb: !foo y\nb: {c: 1, c: 2}\nd: @\n"
    assert where(text) == [
        ("yaml-duplicate-key", 2, 1),
        ("yaml-key", 3, 1),
        ("yaml-tag", 4, 4),
        ("yaml-duplicate-key", 5, 1),
        ("yaml-duplicate-key", 5, 11),
        ("yaml-syntax", 6, 4),
    ]
    assert "first given on line 1" in faults(text)[0].hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("yaml-empty", 1, 1)]),
        ("# nothing\n---\n", [("yaml-empty", 1, 1)]),
        ("a: 1\n---\nb: 2\n", [("yaml-documents", 2, 1)]),
        ("a: 1\n\tb: 2\n\tc: 3\n", [("yaml-tab", 2, 1), ("yaml-tab", 3, 1)]),
        ("a: b: c", [("yaml-syntax", 1, 5)]),
        ("a: 'x\nb: 2\n", [("yaml-syntax", 1, 4)]),
        ("a: [1, 2\n", [("yaml-syntax", 1, 4)]),
        ("a: !!python/object/apply:os.system ['x']", [("yaml-tag", 1, 4)]),
        ("a: !!int x", [("yaml-value", 1, 4)]),
        ("a: 1e999", [("yaml-value", 1, 4)]),
        (f"a: {'9' * 5000}", [("yaml-value", 1, 4)]),
        (
            "~: 1\ntrue: 2\n? [a]\n: b\n<<: {}\n",
            [("yaml-key", n, c) for n, c in ((1, 1), (2, 1), (3, 3), (5, 1))],
        ),
        ("a: *b", [("yaml-alias", 1, 4)]),
        ("a: &a [*a]", [("yaml-alias", 1, 8)]),
        ("a: &x 1\nb: &x 2", [("yaml-alias", 2, 4)]),
        ("a: 1\nb: \x00\x07", [("yaml-character", 2, 4), ("yaml-character", 2, 5)]),
        ("a: \ud800", [("yaml-character", 1, 4)]),
    ],
)
def test_faults_and_their_places(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert where(text) == expected


def bomb() -> str:
    rows = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    rows += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    return "\n".join(rows)


def towers() -> str:
    tower = "".join("[" for _ in range(40))
    rows = [f"a0: &a0 {tower}{']' * 40}"]
    rows += [f"a{i}: &a{i} {tower}*a{i - 1}{']' * 40}" for i in range(1, 60)]
    return "\n".join(rows)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[" * 100_000, "yaml-depth"),
        ("- " * 100_000, "yaml-depth"),
        ("{a: " * 100_000, "yaml-depth"),
        ("\n".join(" " * i + "a:" for i in range(500)), "yaml-depth"),
        (towers(), "yaml-depth"),
        (bomb(), "yaml-size"),
        ("- x\n" * 200_001, "yaml-size"),
        ("x" * (1 << 20) + "x", "yaml-size"),
        ("a: &a 1\nb: [" + "*a, " * 101 + "]", "yaml-alias"),
    ],
)
def test_bounds_hold_quickly(text: str, code: str) -> None:
    started = time.process_time()
    assert [fault.code for fault in faults(text)] == [code]
    assert time.process_time() - started < 4


def test_what_is_just_within_bounds_is_read() -> None:
    assert parse("[" * 64 + "]" * 64).plain() is not None
    assert parse("a: &a 1\nb: [" + "*a, " * 100 + "]").plain() == {"a": 1, "b": [1] * 100}


def test_a_long_pipeline_is_read_fast() -> None:
    rows = [
        f"  s{i}: {{op: generate, model: solver, n: 16, temperature: 0.8}}" for i in range(1000)
    ]
    text = "steps:\n" + "\n".join(rows)
    times = []
    for _ in range(5):
        started = time.process_time()
        document = parse(text)
        times.append(time.process_time() - started)
    assert document.span(("steps", "s999", "n")).line == 1001
    assert min(times) < 0.2


def test_files(tmp_path: Path) -> None:
    good = tmp_path / "vote.yaml"
    good.write_text("a: é\n", encoding="utf-8")
    assert read(good).plain() == {"a": "é"}
    cases = {
        "file-missing": tmp_path / "vot.yaml",
        "file-unreadable": tmp_path,
        "yaml-encoding": tmp_path / "latin.yaml",
        "yaml-size": tmp_path / "big.yaml",
    }
    cases["yaml-encoding"].write_bytes(b"a: 1\nb: x\xe9\n")
    cases["yaml-size"].write_bytes(b"a" * 10_000_000)
    found = {}
    for code, path in cases.items():
        with pytest.raises(SpecError) as caught:
            read(path)
        (found[code],) = caught.value.faults
        assert found[code].code == code
        assert found[code].span.file == str(path)
    assert found["file-missing"].hint == 'did you mean "vote.yaml"?'
    span = found["yaml-encoding"].span
    assert (span.line, span.column) == (2, 5)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SpecError, match="not a regular file"):
        read(tmp_path / "pipe")


def test_paths_no_system_accepts() -> None:
    with pytest.raises(SpecError):
        read(Path("a\0b"))
    with pytest.raises(SpecError):
        read(Path("x" * 5000))


def refused(text: str) -> tuple[Fault, ...]:
    """The faults of a text, none if it was read; any other error goes through."""
    try:
        parse(text).plain()
    except SpecError as error:
        return (*error.faults,) or (Fault("none", "a refusal without faults", Span("", 0, 0)),)
    return ()


@settings(max_examples=400, deadline=None)
@given(st.text(st.sampled_from("ab1-:?[]{},&*!|>'\"%@#~<.\n \t\\é\ufeff\u2028"), max_size=40))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    for fault in refused(text):
        assert fault.span.line >= 1
        assert fault.span.column >= 1
        assert fault.span.width >= 1
        assert "^" in str(fault)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.binary(max_size=5))
def test_arbitrary_text_never_raises_anything_else(text: str, more: bytes) -> None:
    for source in (text, f"a: {text}", f"a: |\n  {text}", text + more.decode("latin-1")):
        assert all(fault.code.startswith("yaml-") for fault in refused(source))


# PyYAML writes YAML 1.1, where `0E0` is a word and needs no quotes.
words = st.text(max_size=12).filter(lambda text: not re.match(r"[-+.\d]", text))
scalars = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | words
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=200, deadline=None)
@given(trees, st.booleans())
def test_what_yaml_writes_is_read_back(tree: Plain, flow: bool) -> None:
    text = yaml.safe_dump(
        {"root": tree}, default_flow_style=flow, default_style='"' if flow else None
    )
    assert parse(text).plain() == {"root": tree}


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.from_regex(r"[a-zé😀]{1,6}", fullmatch=True), min_size=1, max_size=8, unique=True)
)
def test_spans_show_the_text_of_their_value(words: list[str]) -> None:
    text = "\n".join(f"k{i}:   {word}  # {word}" for i, word in enumerate(words))
    document = parse(text + "\nflow: [" + ", ".join(f"'{w}'" for w in words) + "]\n")
    for i, word in enumerate(words):
        span = document.span((f"k{i}",))
        assert span.text[span.column - 1 : span.column - 1 + span.width] == word
        span = document.span(("flow", i))
        assert span.text[span.column - 1 : span.column - 1 + span.width] == f"'{word}'"


def test_nearest() -> None:
    assert nearest("solvr", ["judge", "solver"]) == 'did you mean "solver"?'
    assert nearest("SOLVER", ["judge", "solver"]) == 'did you mean "solver"?'
    assert nearest("zzz", ["b", "a"]) == "known: a, b"
    assert nearest("zzz", []) == ""
    many = nearest("zzz", [f"n{i:02}" for i in range(15)])
    assert many.endswith("n10, n11 and 3 more")
    assert nearest("x" * 1_000_000, ["a"]) == "known: a"
