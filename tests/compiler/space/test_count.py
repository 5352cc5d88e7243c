"""Points are counted, numbered and drawn as if all were gone through."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyarch.compiler.errors import InputError
from polyarch.compiler.space import Choice, Space, parse_space

HEAD = "name: case\nmodels: {m: scripted/m}\nsteps:\n"


@st.composite
def values(draw: st.DrawFn, depth: int = 0) -> str:
    """A value with holes in it, for an argument that nobody checks here."""
    kinds = ["plain", "choose", "between", "grid", "optional", "subset", "take"]
    kind = draw(st.sampled_from(kinds if depth < 2 else kinds[:3]))
    inner = values(depth + 1)
    match kind:
        case "choose":
            options = draw(st.lists(inner, min_size=1, max_size=3, unique=True))
            return f"{{choose: [{', '.join(options)}]}}"
        case "between":
            return "{between: [1, 3]}"
        case "grid":
            return "{between: [0.5, 1.0], step: 0.25}"
        case "optional":
            return f"{{optional: {draw(inner)}}}"
        case "subset":
            items = draw(st.lists(inner, min_size=1, max_size=3, unique=True))
            size = draw(
                st.sampled_from(["", ", size: 1", f", size: {{between: [0, {len(items)}]}}"])
            )
            return (
                f"{{subset: [{', '.join(items)}]{size if 'between: [0, 0]' not in size else ''}}}"
            )
        case "take":
            items = draw(st.lists(inner, min_size=2, max_size=3))
            return f"{{take: {{between: [0, {len(items)}]}}, of: [{', '.join(items)}]}}"
        case _:
            return draw(st.sampled_from(["a", "1", "2", "[a, b]", "{x: 1}"]))


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """A small space, with or without conditions on the holes that hold numbers or truths."""
    lines = []
    for name in draw(st.lists(st.sampled_from("pqrs"), min_size=1, max_size=3, unique=True)):
        step = f"{{op: x, v: {draw(values())}, w: {draw(values(1))}}}"
        form = draw(st.sampled_from(["{}", "{}", "{{optional: {}}}", "repeat"]))
        if form == "repeat":
            same = draw(st.sampled_from(["true", "false"]))
            step = f"{{repeat: {{times: {{between: [0, 2]}}, same: {same}, steps: {{i: {step}}}}}}}"
        else:
            step = form.format(step)
        lines.append(f"  {name}: {step}\n")
    text = HEAD + "".join(lines) + "  z: {op: x, free: {choose: [0, 1]}}\n"
    made = parse_space(text, Path())
    numeric = [h.name for h in made.holes if all(isinstance(o, int | float) for o in h.options)]
    groups = [group.name for group in made._groups]
    wheres = []
    for _ in range(draw(st.integers(0, 3)) if numeric else 0):
        a, b = (draw(st.sampled_from([*numeric, *groups])) for _ in range(2))
        sign = draw(st.sampled_from(["<=", "!=", ">", "=="]))
        told = draw(
            st.sampled_from(
                [
                    f"{a} {sign} {b}",
                    f"{a} + {b} <= 3",
                    f"not present({a}) or {b} {sign} 1",
                    f"{a} * {b} >= 1 and min({a}, {b}) < 3",
                ]
            )
        )
        wheres.append(f"  - ({told}) or z.free == 1\n")
    return parse_space(text + ("where:\n" if wheres else "") + "".join(wheres), Path())


def brute(made: Space) -> list[Choice]:
    """All points, found by trying everything that the holes can be; none of too large a space."""
    found: list[dict[str, float]] = [{}]
    for hole in made.holes:
        grown = []
        for choice in found:
            if hole.exists(choice):
                assert hole.count is not None
                grown += [{**choice, hole.name: hole.nth(n)} for n in range(hole.count)]
            else:
                grown.append(choice)
        found = grown
        if len(found) > 3000:
            return []
    return [choice for choice in found if not made.valid(choice)]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(spaces())
def test_points_are_those_that_trying_everything_finds(made: Space) -> None:
    expected = brute(made)
    if not expected:
        return
    assert made.size == len(expected)
    assert list(made.points()) == expected
    rng = Random(1)
    for _ in range(10):
        assert made.valid(made.random(rng)) == ""
    assert made.valid(made.first) == ""


def test_independent_holes_are_multiplied_not_gone_through() -> None:
    holes = ", ".join(f"h{n}: {{choose: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}}" for n in range(60))
    made = parse_space(f"{HEAD}  a: {{op: x, {holes}}}\n", Path())
    assert made.size == 10**60
    assert len(made.random(Random(0))) == 60


def test_a_chain_of_conditions_is_counted_link_by_link() -> None:
    count, most = 40, 12
    holes = ", ".join(f"h{n}: {{between: [1, {most}]}}" for n in range(count))
    chain = "".join(f"  - h{n + 1} >= h{n}\n" for n in range(count - 1))
    made = parse_space(f"{HEAD}  a: {{op: x, {holes}}}\nwhere:\n{chain}", Path())
    paths = [1] * most
    for _ in range(count - 1):
        paths = [sum(paths[: n + 1]) for n in range(most)]
    assert made.size == sum(paths)
    drawn = made.random(Random(0))
    assert list(drawn.values()) == sorted(drawn.values())


def test_subsets_are_counted_by_size() -> None:
    items = ", ".join(f"i{n}" for n in range(30))
    made = parse_space(
        f"{HEAD}  a: {{op: x, v: {{subset: [{items}], size: {{between: [2, 3]}}}}}}\n", Path()
    )
    assert made.size == 435 + 4060
    assert sum(made.random(Random(3)).values()) in (2, 3)


def test_what_ties_too_much_together_is_not_counted_but_drawn() -> None:
    holes = ", ".join(f"h{n}: {{between: [1, 99]}}" for n in range(9))
    total = " + ".join(f"h{n} * h{n}" for n in range(9))
    made = parse_space(f"{HEAD}  a: {{op: x, {holes}}}\nwhere:\n  - {total} != 999\n", Path())
    assert made.size is None
    assert made.valid(made.random(Random(0))) == ""
    with pytest.raises(InputError, match="tie together too much"):
        made.points()


def test_draws_are_uniform_over_points_not_over_branches() -> None:
    made = parse_space(
        f"{HEAD}  a: {{op: x, v: {{choose: [1, {{w: {{between: [1, 9]}}}}]}}}}\n",
        Path(),
    )
    assert made.size == 10
    rng = Random(0)
    drawn = Counter(made.random(rng)["steps.a.v"] for _ in range(1000))
    assert 60 < drawn[0] < 145


def test_continuous_ranges() -> None:
    made = parse_space(
        f"{HEAD}  a: {{op: x, t: {{between: [0.0, 1.2]}}, "
        "l: {between: [0.001, 1.0], log: true}, n: {choose: [1, 2]}}\n"
        "where:\n  - t <= 0.5 or n == 2\n",
        Path(),
    )
    assert made.size is None
    with pytest.raises(InputError, match=r"infinitely many points: a.t, a.l"):
        made.points()
    rng = Random(5)
    drawn = [made.random(rng) for _ in range(300)]
    assert all(made.valid(choice) == "" for choice in drawn)
    small = sum(choice["steps.a.l"] < 0.0316 for choice in drawn)
    assert 110 < small < 190
    assert made.valid({**drawn[0], "steps.a.t": 1.3}) == "a.t: 1.3 is not between 0.0 and 1.2"
    assert made.first == {"steps.a.t": 0.0, "steps.a.l": 0.001, "steps.a.n": 0}


def test_a_condition_that_no_number_satisfies_is_told_when_drawing() -> None:
    made = parse_space(
        f"{HEAD}  a: {{op: x, t: {{between: [0.0, 1.0]}}}}\nwhere:\n  - t > 2\n", Path()
    )
    with pytest.raises(InputError, match="no point in 10,000 drawn"):
        made.random(Random(0))


def test_inner_holes_exist_only_where_they_are_chosen() -> None:
    made = parse_space(
        HEAD + "  a: {optional: {choose: [{op: x, n: {choose: [1, 2]}}, "
        "{op: y, n: {choose: [1, 2, 3]}}]}}\n"
        + "  b: {repeat: {times: {between: [1, 3]}, steps: {c: {op: z, n: {choose: [1, 2]}}}}}\n",
        Path(),
    )
    assert made.size == (1 + 2 + 3) * (2 + 4 + 8)
    whens = {hole.name: hole.when for hole in made.holes}
    assert whens == {
        "steps.a": (),
        "steps.a.choose": (("steps.a", True),),
        "steps.a.x.n": (("steps.a", True), ("steps.a.choose", 0)),
        "steps.a.y.n": (("steps.a", True), ("steps.a.choose", 1)),
        "steps.b.times": (),
        "steps.b_1.c.n": (),
        "steps.b_2.c.n": (("steps.b.times", (1, 2)),),
        "steps.b_3.c.n": (("steps.b.times", 2),),
    }
    active = made.active({"steps.a": 1, "steps.a.choose": 1, "steps.b.times": 1})
    assert [hole.name for hole in active][2:] == [
        "steps.a.y.n",
        "steps.b.times",
        "steps.b_1.c.n",
        "steps.b_2.c.n",
    ]
    assert (
        made.valid({"steps.a": 0, "steps.a.choose": 0})
        == "a.choose does not exist under this choice"
    )


def test_a_pipeline_without_holes_is_one_point() -> None:
    made = parse_space(f"{HEAD}  a: {{op: generate, model: m}}\n", Path())
    assert made.size == 1
    assert list(made.points()) == [{}]
    assert made.random(Random(0)) == {}
