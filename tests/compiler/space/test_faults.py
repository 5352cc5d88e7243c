"""Every mistake in what is open is told at its place."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from polyarch.compiler.build import build
from polyarch.compiler.errors import PolyarchError, SpecError
from polyarch.compiler.source import parse
from polyarch.compiler.space import parse_space
from polyarch.compiler.space.sample import compiled

HEAD = "name: x\nmodels: {m: scripted/m}\nsteps:\n"
OPEN = "  a: {op: generate, n: {choose: [2, 4]}, model: {choose: [m, scripted/o]}}\n"


def faults(text: str) -> list[str]:
    """What is told, with the text that the caret is under."""
    with pytest.raises(SpecError) as caught:
        parse_space(text, Path())
    return [
        f"{f.message} <{f.span.text[f.span.column - 1 :][: f.span.width]}>"
        + (f" {f.hint}" if f.hint else "")
        for f in caught.value.faults
    ]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("{choose: 3}", "`choose:` takes a list of what is chosen among <3>"),
        ("{choose: []}", "`choose:` takes a list of what is chosen among <[]>"),
        ("{choose: [1, 2, 1]}", "this option is there twice <1>"),
        ("{between: 3}", "`between:` takes two numbers: [low, high] <3>"),
        ("{between: [1, x]}", "`between:` takes two numbers: [low, high] <[1, x]>"),
        ("{between: [3, 3]}", "3 is not below 3 <[3, 3]>"),
        (
            "{between: [0, 1.0], log: true}",
            "ratios count with `log:`, so the lower bound is above 0 <0>",
        ),
        ("{between: [1, 2], log: 3}", "`log:` is true or false <3>"),
        ("{between: [1, 2], step: 0}", "`step:` is a number above 0 <0>"),
        ("{between: [1, 2], log: true, step: 1}", "`log:` and `step:` exclude one another <1>"),
        ("{between: [0, 1], step: 0.0001}", "more than 1,000 steps <0.0001>"),
        ("{subset: 3}", "`subset:` takes a list of what is chosen from <3>"),
        ("{subset: [1, 2], size: 3}", "a subset of 2 has between 0 and 2 items <3>"),
        ("{subset: [1, 2], size: x}", "`size:` is a whole number or {between: [fewest, most]} <x>"),
        ("{take: 1, of: 3}", "`of:` takes the list of which the first are taken <3>"),
        (
            "{take: {between: [0, 4]}, of: [1, 2]}",
            "between 0 and 2 items <{between: [0, 4]}>",
        ),
        ("{take: 3, of: [1, 2]}", "between 0 and 2 items <3>"),
        (
            "{repeat: {times: 1, steps: {}}}",
            "`repeat:` stands in the place of a step, under its name in `steps:`"
            " <{repeat: {times: 1, steps: {}}}>",
        ),
    ],
)
def test_holes(value: str, told: str) -> None:
    assert faults(f"{HEAD}  a: {{op: generate, v: {value}}}\n") == [told]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("{repeat: {times: 1}}", "`repeat:` takes `times:` and `steps:` <{times: 1}>"),
        (
            "{repeat: {times: 1, steps: {b: {op: x}}, x: 1}}",
            "unknown key 'x' <x> known: same, steps, times",
        ),
        ("{repeat: {times: 1, steps: {b: {op: x}}, same: 1}}", "`same:` is true or false <1>"),
        (
            "{repeat: {times: {choose: [1, 200]}, steps: {b: {op: x}}}}",
            "between 0 and 100 turns <{choose: [1, 200]}>",
        ),
        (
            "{optional: {op: x, from: {choose: [q, r]}}}",
            "what a step reads cannot be open where the step itself may be absent"
            " <{choose: [q, r]}>",
        ),
        (
            "{optional: {choose: [{op: x, from: q}, {op: x, from: r}]}}",
            "what to read without these steps is not known: they read different things"
            " <{choose: [{op: x, from: q}, {op: x, from: r}]}> write the same `from:` in each",
        ),
    ],
)
def test_steps(step: str, told: str) -> None:
    assert faults(f"{HEAD}  a: {step}\n") == [told]


def test_a_step_called_as_one_of_a_turn_will_be() -> None:
    text = HEAD + "  a: {repeat: {times: 2, steps: {b: {op: x}}}}\n  a_2_b: {op: x}\n"
    assert faults(text) == ["a step of a repetition will be called 'a_2_b', too <a_2_b>"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("a.n <= ", "this is no condition < > such as `drafts.n >= 4`"),
        ("a.k <= 3", "no hole 'a.k' <a.k> did you mean \"a.n\"?"),
        ("q", "no hole 'q' <q> known: a.model, a.n"),
        ("a.model <= 3", "this is not always a number <a.model> texts can only be equal or not"),
        ("a.n <= 'x'", "this is not always a number <'x'> texts can only be equal or not"),
        ("-a.model == 1", "this is not always a number <a.model> texts can only be equal or not"),
        (
            "a.n in [1, 2]",
            "this comparison is not known <a.n in [1, 2]> known: ==, !=, <, <=, >, >=",
        ),
        ("presnt(a)", "no function 'presnt' <presnt> did you mean \"present\"?"),
        ("present(a, b)", "`present` takes the name of a step or a hole <present(a, b)>"),
        ("1 < 2", 'this condition says nothing of any hole <"1 < 2">'),
        ("__import__('os')", "no function '__import__' <__import__> known: max, min, present"),
        (
            "(a.n).real",
            "this cannot stand in a condition <(a.n).real> known: and, or, not, ",
        ),
        (
            "a.n ** 9",
            "this cannot stand in a condition <a.n ** 9> known: and, or, not, ",
        ),
        (
            "[a.n for x in y]",
            "this cannot stand in a condition <[a.n for x in y]> known: and, or, not, ",
        ),
        ("a.n > 5", "no choice satisfies all of this <where>"),
    ],
)
def test_conditions(line: str, told: str) -> None:
    quoted = line.replace('"', '\\"')
    found = faults(f'{HEAD}{OPEN}where:\n  - "{quoted}"\n')
    assert len(found) == 1
    assert found[0].startswith(told), found


def test_what_is_too_much() -> None:
    many = ", ".join(map(str, range(1001)))
    assert (
        "more than 1,000 options" in faults(f"{HEAD}  a: {{op: x, v: {{choose: [{many}]}}}}\n")[0]
    )
    holes = ", ".join(f"v{n}: {{choose: [1, 2]}}" for n in range(301))
    assert "more than 300 holes" in faults(f"{HEAD}  a: {{op: x, {holes}}}\n")[0]
    step = "{op: x}"
    for _ in range(3):
        step = f"{{repeat: {{times: 100, steps: {{b: {step}}}}}}}"
    assert "more than 2,000 steps" in faults(f"{HEAD}  a: {step}\n")[0]


def test_conditions_are_a_list_of_texts() -> None:
    assert faults(f"{HEAD}{OPEN}where: a.n > 2\n") == [
        "`where:` takes a list of conditions <a.n > 2>"
    ]
    assert faults(f"{HEAD}{OPEN}where: [3]\n") == [
        "a condition is a text <3> such as `drafts.n >= 4`"
    ]


def test_a_short_name_of_two_holes() -> None:
    text = HEAD + OPEN + "  b: {op: fuse, n: {choose: [2, 4]}}\nwhere: [n > 2]\n"
    assert faults(text) == ["'n' may be steps.a.n or steps.b.n <n> write more of its name"]


def test_what_a_condition_may_say() -> None:
    steps = (
        "  a: {op: x, n: {choose: [2, 4]}, m: {choose: [s, l]}, w: {choose: [null, verify]}}\n"
        "  b: {optional: {op: y, k: {between: [1, 3]}}}\n"
        "  c: {repeat: {times: {between: [0, 2]}, steps: {d: {op: z, k: {choose: [1, 5]}}}}}\n"
        "  e: {op: y, of: {subset: [p, q], size: {between: [0, 2]}}}\n"
    )
    for line, holds in [
        ("a.n == 2", lambda c: c["steps.a.n"] == 0),
        ("steps.a.m == 's'", lambda c: c["steps.a.m"] == 0),
        ("a.w == null or not present(b)", lambda c: c["steps.a.w"] == 0 or not c["steps.b"]),
        ("b", lambda c: c["steps.b"]),
        ("b.k < a.n", lambda c: not c["steps.b"] or c["steps.b.k"] < [2, 4][c["steps.a.n"]]),
        ("c + b <= 1", lambda c: c["steps.c.times"] + c["steps.b"] <= 1),
        ("present(c_2.d)", lambda c: c["steps.c.times"] == 2),
        ("present(c)", lambda c: c["steps.c.times"] > 0),
        (
            "c_1.d.k <= c_2.d.k",
            lambda c: c["steps.c.times"] < 2 or c["steps.c_1.d.k"] <= c["steps.c_2.d.k"],
        ),
        ("e.of >= 1", lambda c: c["steps.e.of.p"] + c["steps.e.of.q"] >= 1),
        ("e.of.p == b", lambda c: c["steps.e.of.p"] == c["steps.b"]),
        (
            "1 <= max(c, 1) * e.of - 0 < 2",
            lambda c: 1 <= max(c["steps.c.times"], 1) * (c["steps.e.of.p"] + c["steps.e.of.q"]) < 2,
        ),
    ]:
        free = parse_space(HEAD + steps, Path())
        bound = parse_space(f'{HEAD}{steps}where: ["{line}"]\n', Path())
        assert list(bound.points()) == [c for c in free.points() if holds(c)], line
        assert bound.size != free.size


def test_the_search_is_checked() -> None:
    text = (
        HEAD
        + OPEN
        + "search: {objective: {maximise: exact}, budgt: {calls: 1}, budget: {calls: 0}}\n"
    )
    found = faults(text)
    assert any("unknown key 'budgt'" in told and '"budget"' in told for told in found)
    assert any("calls: input should be greater than" in told for told in found)
    made = parse_space(
        HEAD
        + OPEN
        + "search: {data: d, objective: [{maximize: exact}, {minimize: usd}], test: 50}\n",
        Path(),
    )
    assert made.search is not None
    assert made.search.objective is not None
    assert [str(o) for o in made.search.objective] == ["exact", "least usd"]
    for wrong in (
        "{maximize: a, minimize: usd}",
        "{}",
        "{minimize: usd, minus: {usd: 1}}",
        "[{maximize: a}, {maximize: a}]",
    ):
        assert faults(f"{HEAD}{OPEN}search: {{objective: {wrong}}}\n")


def test_an_open_pipeline_cannot_be_built() -> None:
    with pytest.raises(SpecError) as caught:
        build(parse(HEAD + OPEN), Path())
    (fault,) = caught.value.faults
    assert fault.code == "open"
    assert fault.message == "this pipeline has 2 holes, so it is a search space"
    assert "polyarch search" in fault.hint
    with pytest.raises(SpecError, match="`search:` is for search spaces"):
        build(parse(HEAD + "  a: {op: generate}\nsearch: {}\n"), Path())


def test_faults_of_some_choices_are_told_with_what_leads_to_them() -> None:
    text = HEAD + (
        "  a: {op: generate, n: {choose: [1, 2, 4]}, temperature: {choose: [0.5, 9]}}\n"
        "  b: {optional: {op: verify}}\n"
        "  c: {op: vote}\n"
    )
    with pytest.raises(SpecError) as caught:
        compiled(parse_space(text, Path()))
    told = {f.message.split(":")[0]: f.hint for f in caught.value.faults}
    assert told == {
        "temperature": "in 6 of 12 points compiled, with a.temperature: 9",
        "vote": "in 2 of 12 points compiled, with a.n: 1",
    }


def test_points_over_their_budget_are_counted() -> None:
    text = "name: x\nmodels: {m: scripted/m}\nbudget: {calls: 3}\nsteps:\n"
    made = compiled(
        parse_space(text + "  a: {op: generate, n: {choose: [2, 4]}}\n  b: {op: vote}\n", Path())
    )
    assert (made.points, made.part, made.refused) == (2, False, 1)


JUNK: list[Any] = [
    None,
    True,
    3,
    -1,
    0.5,
    "m",
    "a",
    [],
    {},
    [1, 2],
    {"choose": [1, 2]},
    {"optional": 3},
    {"between": [1, 2]},
    {"repeat": {"times": 2, "steps": {"i": {"op": "refine"}}}},
    {"take": 1, "of": [1]},
    {"subset": ["m"]},
    {"literal": {"choose": 1}},
    {"op": "vote"},
    "a.n > 1",
]


def damaged(dice: Random, value: Any) -> Any:
    """A value with something in it replaced, wrapped or left out."""
    if isinstance(value, dict) and value and dice.random() < 0.85:
        key = dice.choice(list(value))
        made = {**value, key: damaged(dice, value[key])}
        if dice.random() < 0.1:
            del made[key]
        return made
    if isinstance(value, list) and value and dice.random() < 0.85:
        place = dice.randrange(len(value))
        return [*value[:place], damaged(dice, value[place]), *value[place + 1 :]]
    forms = [{"choose": [value, "m"]}, {"optional": value}, [value, value]]
    return dice.choice([*JUNK, *forms])


def test_damaged_spaces_are_opened_or_refused() -> None:
    folder = Path(__file__).parents[3] / "pipelines" / "open"
    bases = [yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml"))]
    closed = refused = 0
    for case in range(400):
        dice = Random(case)
        tree = dice.choice(bases)
        for _ in range(dice.randint(1, 3)):
            tree = damaged(dice, tree)
        text = yaml.safe_dump(tree, sort_keys=False)
        try:
            made = parse_space(text, Path())
            point = made.random(Random(0))
            again = made.close(point)
            assert str(build(parse(again.text), Path())) == str(again.graph), text
            closed += 1
        except PolyarchError as error:
            refused += 1
            assert str(error)
        except Exception as error:
            raise AssertionError(f"case {case}: {error!r}\n{text}") from error
    assert closed > 25
    assert refused > 40
