"""Regions as they are laid out, and what is told of wrong ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sim import compiled

from polyarch.compiler.build import build
from polyarch.compiler.errors import SpecError
from polyarch.compiler.plan import Plan
from polyarch.compiler.source import parse
from polyarch.runtime.trace.plan import described, rebuilt

HEAD = "name: p\nanswer: number\nmodels: {m: scripted/x}\nsteps:\n"
LOOP = f"""{HEAD}  drafts: {{op: generate, n: 2}}
  better:
    op: loop
    times: 2
    until: {{agree: 1}}
    steps:
      new: {{op: refine}}
  answer: {{op: vote}}
"""


def shape(made: Plan) -> list[str]:
    """The lines of the graph, without the arguments."""
    return [re.sub(r"\(.*\)", "", line) for line in str(made.graph).splitlines()]


def test_a_loop_is_laid_out_turn_by_turn() -> None:
    assert shape(compiled(LOOP)) == [
        "pipeline p answer=number",
        "drafts = generate <- question chunk=2",
        "better.1.new = refine <- drafts",
        "better.until1 = when <- better.1.new",
        "better.2.new = refine <- better.until1 gate=better.until1",
        "better = either <- better.2.new, better.1.new",
        "answer = vote <- better",
        "output answer",
    ]


def test_a_map_has_a_lane_for_every_item_with_the_item_for_question() -> None:
    text = f"""{HEAD}  plan: {{op: generate}}
  solved: {{op: map, most: 2, steps: {{tries: {{op: generate}}}}}}
  answer: {{op: fuse}}
"""
    assert shape(compiled(text))[2:7] == [
        "solved.item1 = item <- plan",
        "solved.1.tries = generate <- question chunk=1 gate=solved.item1 topic=solved.item1",
        "solved.item2 = item <- plan",
        "solved.2.tries = generate <- question chunk=1 gate=solved.item2 topic=solved.item2",
        "solved = gather <- solved.1.tries, solved.2.tries",
    ]


def test_a_loop_costs_at_least_its_first_turn_and_at_most_all() -> None:
    total = compiled(LOOP).total
    assert (total.calls.low, total.calls.high) == (4, 6)


def test_a_traced_plan_keeps_gates_and_topics() -> None:
    made = compiled(LOOP)
    again = rebuilt(described(made), "test")
    assert shape(again) == shape(made)


def test_gates_are_in_the_digest() -> None:
    assert compiled(LOOP).digest != compiled(LOOP.replace("agree: 1", "agree: 0.9")).digest


@pytest.mark.parametrize(
    ("instead", "line", "message", "hint"),
    [
        (("op: refine", "op: refin"), 11, "unknown operator 'refin'", "refine"),
        (("{agree: 1}", "{score: verify, at_least: 1}"), 9, "no score 'verify'", ""),
        (("{agree: 1}", "{agrees: 1}"), 9, "unknown key 'agrees'", "agree"),
        (("new: {op: refine}", "new: {op: refine, model: n}"), 11, "unknown model 'n'", ""),
        (("new: {op: refine}", "new: {op: refine, from: drafts}"), 11, "unknown step 'drafts'", ""),
        (("new: {op: refine}", "new: {op: refine, budget: {calls: 3}}"), 11, "at the region", ""),
        (("times: 2", "times: 2\n    on_failure: drop"), 9, "cannot fail by itself", ""),
        (("times: 2", "times: 0"), 8, "greater than or equal to 1", ""),
        (("times: 2", "times: 2\n    repeat: 2"), 9, "unknown key 'repeat'", ""),
    ],
)
def test_mistakes_inside_a_region_are_told_at_their_place(
    instead: tuple[str, str], line: int, message: str, hint: str
) -> None:
    text = LOOP.replace(*instead)
    with pytest.raises(SpecError) as wrong:
        build(parse(text, "p.yaml"), Path())
    fault = wrong.value.faults[0]
    assert message in fault.message
    assert fault.span.line == line
    assert hint in fault.hint


def test_a_region_that_becomes_too_many_steps_is_refused() -> None:
    inner = "{op: loop, times: 100, steps: {new: {op: refine}}}"
    text = LOOP.replace("{op: refine}", inner).replace("times: 2", "times: 20")
    with pytest.raises(SpecError, match="it becomes 2,000 steps, more than 1,000"):
        build(parse(text, "p.yaml"), Path())


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{op: cascade, stages: {a: {op: generate}, b: {op: generate}}}", "Give it an `accept:`"),
        ("{op: cascade, accept: {agree: 1}, stages: {a: {op: generate}}}", "at least 2"),
        ("{op: cascade, accept: {agree: 1}, stages: {a: {}, b: {op: generate}}}", "one step"),
        (
            "{op: route, by: {op: generate}, cases: {a: {op: generate}, b: {op: generate}},"
            " otherwise: c}",
            "one of the cases: a, b",
        ),
        (
            "{op: route, by: {op: generate, n: 2}, cases: {a: {op: generate}, b: {op: generate}},"
            " otherwise: b}",
            "one candidate decides, and this gives 2",
        ),
        ("{op: map, most: 3, steps: {a: {op: generate}}}", "no step stands before it"),
    ],
)
def test_wrong_regions(step: str, message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        build(parse(f"{HEAD}  answer: {step}\n", "p.yaml"), Path())
