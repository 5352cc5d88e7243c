"""Loops, cascades, routes and maps: what runs, what does not, and what comes out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import pytest
from sim import compiled, jitter, simulate, solo

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted
from polyarch.compiler.errors import BudgetExhausted, StepFailed
from polyarch.runtime.result import Result

HEAD = "name: p\nanswer: number\nmodels: {m: {model: scripted/x, max_tokens: 40}}\n"


def asked(result: Result) -> Counter[str]:
    """How many draws each step made."""
    return Counter(event.step for event in result.trace if event.what == "drew")


def right_from(turn: int) -> Callable[[Request, Draw], str]:
    """A model whose revisions are right from a turn on."""

    def reply(request: Request, draw: Draw) -> str:
        match request.purpose.role:
            case "verify":
                right = f"= {turn}" in request.purpose.shown[0]
                return json.dumps({"reason": "", "verdict": "right" if right else "wrong"})
            case "critique":
                return '{"critique": "wrong"}'
            case "revise":
                return f"= {int(request.purpose.shown[0].split()[-1]) + 1}"
        return "= 0"

    return reply


LOOP = f"""{HEAD}steps:
  draft: {{op: generate}}
  better:
    op: loop
    times: 3
    until: {{score: verify, at_least: 1}}
    steps: {{why: {{op: critique}}, new: {{op: refine}}, checked: {{op: verify}}}}
"""


@pytest.mark.parametrize(("turn", "turns"), [(1, 1), (2, 2), (3, 3), (9, 3)])
def test_a_loop_ends_when_its_condition_holds(turn: int, turns: int) -> None:
    result, _ = solo(LOOP, right_from(turn), latency=1.0)
    assert result.answer == str(turns)
    assert result.usage.calls == 1 + 3 * turns
    assert result.seconds == 1 + 3 * turns
    assert {int(step.split(".")[1]) for step in asked(result) if "." in step} == {
        *range(1, turns + 1)
    }


def test_a_loop_gives_what_the_turn_before_gave_if_a_turn_gives_nothing() -> None:
    text = LOOP.replace("checked: {op: verify}", "checked: {op: verify, keep_at: 0.5}")
    text = text.replace("score: verify, at_least: 1", "candidates: 2")
    result, _ = solo(text, right_from(1))
    assert result.answer == "1"  # the second turn's is judged wrong and dropped


def test_a_loop_without_condition_takes_all_its_turns() -> None:
    text = LOOP.replace("    until: {score: verify, at_least: 1}\n", "")
    result, _ = solo(text, right_from(1))
    assert (result.answer, result.usage.calls) == ("3", 10)


def test_a_loop_stops_when_nothing_changes() -> None:
    def reply(request: Request, draw: Draw) -> str:
        if request.purpose.role != "revise":
            return "= 5"
        return f"= {min(7, int(request.purpose.shown[0].split()[-1]) + 1)}"

    text = f"""{HEAD}steps:
  draft: {{op: generate}}
  better: {{op: loop, times: 9, until: {{unchanged: true}}, steps: {{new: {{op: refine}}}}}}
"""
    result, _ = solo(text, reply)
    assert (result.answer, result.usage.calls) == ("7", 4)  # 5, then 6, 7, 7


def test_gathering_turns_draw_until_they_agree() -> None:
    answers = iter([1, 2, 3, 1, 1, 1, 9, 9])
    text = f"""{HEAD}steps:
  drafts:
    op: loop
    times: 4
    gather: true
    until: {{agree: 0.6}}
    steps: {{more: {{op: generate, n: 2}}}}
  answer: {{op: vote}}
"""
    result, _ = solo(text, lambda request, draw: f"= {next(answers)}")
    assert (result.answer, result.usage.calls) == ("1", 6)
    assert result.candidates[0].notes["votes"] == [["1", 4], ["2", 1], ["3", 1]]


CASCADE = f"""{HEAD}steps:
  answer:
    op: cascade
    accept: {{agree: 0.75}}
    stages:
      cheap: {{op: generate, n: 4}}
      dear: {{steps: {{drafts: {{op: generate, n: 3}}, best: {{op: select, by: first}}}}}}
  final: {{op: vote}}
"""


@pytest.mark.parametrize(("answers", "calls"), [([1, 1, 1, 2], 4), ([1, 1, 2, 2], 7)])
def test_a_cascade_escalates_on_disagreement(answers: list[int], calls: int) -> None:
    def reply(request: Request, draw: Draw) -> str:
        return f"= {answers[draw.index] if 'cheap' in request.step else 8}"

    result, _ = solo(CASCADE.replace("n: 3", "n: 3, top_p: 0.9"), reply, latency=1.0)
    escalated = calls > 4
    assert result.answer == ("8" if escalated else "1")
    # The first of three is enough, and only that one is asked for.
    assert asked(result)["answer.dear.drafts"] == int(escalated)
    assert result.seconds == 1 + escalated


def test_stages_read_what_the_cascade_is_fed() -> None:
    text = f"""{HEAD}steps:
  drafts: {{op: generate, n: 2}}
  answer:
    op: cascade
    accept: {{score: verify, at_least: 1}}
    stages: {{as_is: {{op: verify}}, revised: {{op: refine}}}}
  one: {{op: select, by: first}}
"""
    result, _ = solo(text, right_from(9))
    assert result.answer == "1"
    assert result.candidates[0].origin.parents == ("drafts[0]",)
    result, _ = solo(text, right_from(0))
    assert result.answer == "0"
    assert asked(result) == {"drafts": 2, "answer.as_is.as_is": 2}


ROUTE = f"""{HEAD}steps:
  answer:
    op: route
    by: {{op: generate, prompt: "easy or hard? {{question}}"}}
    cases:
      easy: {{op: generate}}
      hard: {{steps: {{d: {{op: generate, n: 3}}, v: {{op: vote}}}}}}
    otherwise: hard
"""


@pytest.mark.parametrize(
    ("said", "calls"), [("easy", 2), ("hard", 4), ("who knows", 4), ("hard? no: Easy!", 2)]
)
def test_a_route_runs_the_case_that_is_named(said: str, calls: int) -> None:
    def reply(request: Request, draw: Draw) -> str:
        return said if request.step.endswith("by.by") else "= 4"

    result, _ = solo(ROUTE, reply, latency=1.0)
    assert (result.answer, result.usage.calls, result.seconds) == ("4", calls, 2.0)


MAP = f"""{HEAD}steps:
  plan: {{op: generate}}
  solved:
    op: map
    most: 3
    steps: {{tries: {{op: generate, n: 3}}, kept: {{op: vote}}}}
  answer: {{op: fuse}}
"""


def parts(plan: str) -> Callable[[Request, Draw], str]:
    def reply(request: Request, draw: Draw) -> str:
        if request.step == "plan":
            return plan
        if request.purpose.role == "fuse":
            return "= " + " ".join(shown.split()[-1] for shown in request.purpose.shown)
        return f"{request.messages[-1].text} is = {len(request.messages[-1].text)}"

    return reply


def test_a_map_asks_each_item_as_a_question_of_its_own() -> None:
    result, _ = solo(MAP, parts("1. one\n2. three"), latency=1.0)
    assert result.text == "= 3 5"
    assert result.usage.calls == 1 + 2 * 3 + 1
    assert result.seconds == 3.0
    assert set(asked(result)) == {"plan", "solved.1.tries", "solved.2.tries", "answer"}


def test_a_list_that_is_too_long_is_an_error_or_loses_its_end() -> None:
    plan = "one\ntwo\nthree\nfour"
    with pytest.raises(StepFailed, match="a list of 4 items, where 3 are the most"):
        solo(MAP, parts(plan))
    result, _ = solo(MAP.replace("most: 3", "most: 3\n    on_more: drop"), parts(plan))
    assert result.text == "= 3 3 5"
    notes = [e.data["note"] for e in result.trace if e.what == "noted"]
    assert notes.count("items dropped") == 1


ALLOTTED = f"""{HEAD}steps:
  plan: {{op: generate, max_tokens: 100}}
  solved:
    op: map
    most: 4
    split: json
    allot: {{tokens: 60, weigh: effort}}
    steps:
      tries: {{op: generate, n: 2}}
      again: {{op: refine, prompt: "{{question}} {{candidate}}"}}
  answer: {{op: fuse}}
"""


def capped(plan: str, text: str = ALLOTTED) -> tuple[dict[str, set[int]], Result]:
    """The most tokens that each step asked for."""
    result, backend = solo(text, parts(plan), keep=True)
    most: dict[str, set[int]] = {}
    for request in backend.log.seen:
        most.setdefault(request.step, set()).add(request.max_tokens)
    return most, result


def test_tokens_are_split_over_the_items_there_are() -> None:
    plan = '[{"ask": "one", "effort": 1}, {"ask": "two", "effort": 2}, {"ask": "six", "effort": 3}]'
    most, result = capped(plan)
    assert most == {
        "plan": {100},
        "solved.1.tries": {11},
        "solved.1.again": {11},
        "solved.2.tries": {20},
        "solved.2.again": {20},
        "solved.3.tries": {29},
        "solved.3.again": {29},
        "answer": {40},
    }
    asked = {e.data["text"] for e in result.trace if e.what == "made" and ".item" in e.step}
    assert asked == {"one", "two", "six"}


def test_a_step_that_asks_for_less_than_its_item_has_keeps_to_it() -> None:
    assert capped('[{"ask": "one", "effort": 1}]')[0]["solved.1.tries"] == {40}


def test_items_of_which_one_has_no_weight_weigh_alike() -> None:
    most, result = capped('[{"ask": "one", "effort": 9}, {"ask": "two", "effort": -1}, "six"]')
    assert [most[f"solved.{item}.tries"] for item in (1, 2, 3)] == [{20}, {20}, {20}]
    (note,) = [e.data for e in result.trace if e.what == "noted"]
    assert (note["note"], note["without_weight"]) == ("items weigh alike", 2)


def test_what_items_leave_is_there_for_later_steps() -> None:
    plan = '[{"ask": "one", "effort": 1}, {"ask": "two", "effort": 2}]'
    text = ALLOTTED.replace("answer: {op: fuse}", "answer: {op: fuse, max_tokens: 80}")
    result, backend = solo(text, parts(plan), keep=True)
    drew = [event for event in result.trace if event.what == "drew"]
    written = Counter(event.step for event in drew for _ in range(event.data["tokens"]))  # type: ignore[arg-type]
    # The caps of two draws and their revisions, but for what was written of them.
    left = 4 * 60 - sum(n for step, n in written.items() if step.startswith("solved"))
    last = backend.log.seen[-1]
    before = sum(event.data["prompt"] + event.data["tokens"] for event in drew[:-1])  # type: ignore[operator]
    needed = before + backend.prompt_tokens(last) + 80
    assert left > 80
    tight = text.replace("steps:\n  plan", f"budget: {{tokens: {needed}}}\nsteps:\n  plan")
    assert capped(plan, tight)[1].text == result.text
    with pytest.raises(BudgetExhausted):
        capped(plan, tight.replace(f"tokens: {needed}", f"tokens: {needed - 1}"))


def test_a_map_in_a_map_splits_what_its_item_was_allotted() -> None:
    text = f"""{HEAD}steps:
  plan: {{op: generate, max_tokens: 100}}
  solved:
    op: map
    most: 2
    allot: {{tokens: 60}}
    steps:
      whole: {{op: map, most: 1, split: whole, steps: {{a: {{op: generate}}}}}}
      half: {{op: map, from: whole, most: 2, allot: {{tokens: 50}}, steps: {{b: {{op: generate}}}}}}
  answer: {{op: fuse}}
"""
    most, _ = capped("one\ntwo", text)
    assert most["solved.1.whole.1.a"] == {30}
    assert most["solved.1.half.1.b"] == {30}


def test_regions_nest() -> None:
    text = f"""{HEAD}steps:
  plan: {{op: generate}}
  solved:
    op: map
    most: 2
    steps:
      answer:
        op: cascade
        accept: {{agree: 1}}
        stages:
          two: {{op: generate, n: 2}}
          more:
            op: loop
            times: 2
            gather: true
            until: {{agree: 0.5}}
            steps: {{drafts: {{op: generate, n: 3}}}}
      kept: {{op: vote}}
  answer: {{op: fuse}}
"""

    def reply(request: Request, draw: Draw) -> str:
        if ".two" in request.step:
            return f"= {draw.index if 'hard' in request.messages[-1].text else 6}"
        if "drafts" in request.step:
            assert request.messages[-1].text == "hard"
            return f"= {draw.index if request.step.endswith('1.drafts') else 2}"
        return parts("simple\nhard")(request, draw)

    result, _ = solo(text, reply)
    assert result.text == "= 6 2"
    counts = Counter(step.removeprefix("solved.") for step in asked(result).elements())
    assert counts == {
        "plan": 1,
        "1.answer.two.two": 2,
        "2.answer.two.two": 2,
        "2.answer.more.more.1.drafts": 3,
        "2.answer.more.more.2.drafts": 3,
        "answer": 1,
    }


def test_a_region_inside_a_pipeline_used_as_a_step_reads_its_input() -> None:
    text = f"""{HEAD}steps:
  drafts: {{op: generate, n: 3}}
  better: {{op: loop, times: 2, steps: {{new: {{op: refine}}}}}}
  answer: {{op: vote}}
"""
    result, _ = solo(text, right_from(9))
    assert (result.answer, result.usage.calls) == ("2", 9)


def test_decisions_do_not_depend_on_timing() -> None:
    told = {
        json.dumps(
            simulate(compiled(LOOP), {"m": Scripted(right_from(2), latency=jitter(s))}).record()
            | {"timing": None}
        )
        for s in range(10)
    }
    assert len(told) == 1


def test_a_budget_that_ends_in_a_loop_gives_what_the_turn_before_gave() -> None:
    text = LOOP.replace("steps:\n  draft", "budget: {calls: 6, on_budget: best}\nsteps:\n  draft")
    result, _ = solo(text, right_from(9))
    assert result.usage.calls <= 6
    assert result.answer in ("1", "2")
    assert "calls" in result.stopped


def test_a_budget_of_a_region_holds_all_its_turns() -> None:
    text = LOOP.replace("times: 3", "times: 3\n    budget: {calls: 4, on_budget: best}")
    result, _ = solo(text, right_from(9))
    assert result.usage.calls == 5
    assert result.stopped


def test_a_race_takes_the_first_to_arrive_and_cancels_the_others() -> None:
    text = f"""{HEAD}steps:
  drafts: {{op: generate, n: 5}}
  first: {{op: race, first: 2}}
output: {{from: first, keep: 2}}
"""
    text = text.replace("max_tokens: 40", "max_tokens: 40, max_draws: 1")
    latency = [5.0, 3.0, 9.0, 1.0, 4.0]
    backend = Scripted(
        lambda request, draw: f"= {draw.index}", latency=lambda request, draw: latency[draw.index]
    )
    result = simulate(compiled(text), {"m": backend})
    assert [c.origin.index for c in result.candidates] == [3, 1]
    assert result.seconds == 3.0
    assert result.usage.calls == 5  # the losers are charged
    assert result.stopped == "first decided after 2"


def test_those_that_arrive_at_one_instant_count_in_index_order() -> None:
    text = f"{HEAD}steps:\n  drafts: {{op: generate, n: 5}}\n  first: {{op: race}}\n"
    text = text.replace("max_tokens: 40", "max_tokens: 40, max_draws: 1")
    result, _ = solo(text, lambda request, draw: f"= {draw.index}", latency=1.0)
    assert result.candidates[0].origin.index == 0


def test_a_stage_that_gives_nothing_will_not_do() -> None:
    text = f"""{HEAD}steps:
  answer:
    op: cascade
    accept: {{candidates: 1}}
    stages:
      none:
        steps: {{draft: {{op: generate, prompt: "a"}}, kept: {{op: when, holds: {{agree: 1}}}}}}
      some: {{op: generate, prompt: "b"}}
"""
    result, _ = solo(text, lambda request, draw: {"a": "?", "b": "= 4"}[request.messages[0].text])
    assert result.answer == "4"
    assert asked(result) == {"answer.none.draft": 1, "answer.some.some": 1}
    found, _ = solo(text, lambda request, draw: "= 5")
    assert found.answer == "5"
    assert asked(found) == {"answer.none.draft": 1}


def test_where_nothing_decides_the_other_case_answers() -> None:
    text = f"""{HEAD}steps:
  answer:
    op: route
    by: {{steps: {{word: {{op: generate}}, sure: {{op: when, holds: {{agree: 1}}}}}}}}
    cases: {{one: {{op: generate, prompt: "1"}}, two: {{op: generate, prompt: "2"}}}}
    otherwise: two
"""
    result, _ = solo(text, lambda request, draw: request.messages[0].text.replace("What", "?")[0])
    assert result.answer == "2"
    assert sum(asked(result).values()) == 2


def test_a_loop_ends_where_all_texts_did() -> None:
    text = f"""{HEAD}steps:
  begun: {{op: generate, n: 2, until: [";"]}}
  answer:
    op: loop
    times: 4
    until: {{ended: true}}
    steps: {{more: {{op: extend, until: [";"]}}}}
output: {{from: answer, keep: 2}}
"""

    def reply(request: Request, draw: Draw) -> str:
        return "1; lost" if len(request.prefix) < 2 + 2 * draw.index else "= 4"

    result, _ = solo(text, reply)
    assert [one.text for one in result.candidates] == ["1;= 4", "1;1;= 4"]
    assert Counter(asked(result)) == {"begun": 2, "answer.1.more": 2, "answer.2.more": 1}
