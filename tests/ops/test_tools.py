"""The operator `tools`, on stub tools in virtual time: what is called, when, what comes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim import compiled
from stubs import answered, called, pipeline, spans, streamed

import polyarch
from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script
from polyarch.compiler.errors import ServerFailed, SpecError, StepFailed
from polyarch.compiler.values import ToolCall

Reply = Callable[[Request, Draw], str | Script]


async def search(query: str) -> dict[str, Any]:
    """Look something up."""
    await asyncio.sleep(0.2)
    return {"query": query, "n": len(query), "raw": "${1} $1"}


async def join_up(parts: list[str], mark: str = "+") -> str:
    await asyncio.sleep(0.1)
    return mark.join(map(str, parts))


async def broken(query: str) -> str:
    await asyncio.sleep(0.05)
    raise RuntimeError(f"no {query}")


TOOLS = {"search": search, "join_up": join_up, "broken": broken, "a.b-c": search}


def planner(*plans: str | Script, join: str = "done [1] (x)") -> Reply:
    """A model that writes these plans, and joins with `join`, but asks again while there are more
    plans."""
    left = list(plans)

    def reply(request: Request, draw: Draw) -> str | Script:
        if request.purpose.role == "plan":
            return left.pop(0)
        return "REPLAN: more" if left else join

    return reply


def outcomes(result: polyarch.Result) -> dict[int, Any]:
    """What each call of the one candidate gave, or why it failed."""
    notes: Any = result.candidates[0].notes["calls"]
    return {call["id"]: call.get("result", call.get("error")) for call in notes}


def test_calls_run_at_once_and_as_soon_as_their_inputs_are_there() -> None:
    plan = """1. search("aa")
2. search("bbb")
3. join_up(parts=["${1.n}", "${2.query}"])
4. search(query="${1.query}")
5. join_up(["${3}", "${4.n}"], mark="-")"""
    result, backend = answered(pipeline(TOOLS), planner(plan), TOOLS, keep=True)
    assert outcomes(result)[5] == "2+bbb-2"
    begun = sorted(start for start, _ in spans(result).values())
    assert begun == pytest.approx([0.0, 0.0, 0.2, 0.2, 0.4])
    assert result.seconds == pytest.approx(0.5)
    assert str(result) == "done [1] (x)"
    assert "5. join_up(parts=" in backend.log.seen[-1].messages[-1].text


def test_a_ready_call_starts_while_the_plan_is_still_written() -> None:
    plan = streamed("1. sea", 0.3, 'rch("a")\n2. search("b")\n', 1.0, '3. search("${1.n}")', 2.0)
    result, _ = answered(pipeline(TOOLS), planner(plan), TOOLS)
    begun = sorted(start for start, _ in spans(result).values())
    assert begun == pytest.approx([0.3, 0.3, 1.3])
    assert result.seconds == pytest.approx(3.3)


def test_a_tool_that_raises_fails_alone_and_with_it_what_needs_it() -> None:
    plan = '1. broken("x")\n2. search("a")\n3. join_up(["${1}"])\n4. join_up(["${3}"])'
    result, backend = answered(pipeline(TOOLS), planner(plan), TOOLS, keep=True)
    assert outcomes(result) == {
        1: "RuntimeError: no x",
        2: {"query": "a", "n": 1, "raw": "${1} $1"},
        3: "call 1, which it needs, failed",
        4: "call 3, which it needs, failed",
    }
    assert (
        '1. broken(query="x") failed: RuntimeError: no x' in backend.log.seen[-1].messages[-1].text
    )
    assert len(called(result)) == 2
    assert str(result) == "done [1] (x)"


def test_a_planner_that_fails_while_it_writes_ends_the_step_at_once() -> None:
    plan = streamed('1. search("a")\n', 0.1, "2. sea", fault=ServerFailed("gone"))
    with pytest.raises(StepFailed, match="gone") as raised:
        answered(pipeline(TOOLS), planner(plan, plan), TOOLS)
    assert raised.value.step == "answer"


def test_the_step_may_do_without_an_attempt_whose_planner_fails() -> None:
    plan = streamed('1. search("a")\n', 0.1, fault=ServerFailed("gone"))
    text = pipeline(TOOLS, ", on_failure: drop")
    result, _ = answered(text, planner(plan), TOOLS)
    assert result.candidates == ()
    assert "gone" in result.lost[0].why


def test_a_planner_that_fails_before_it_writes_is_asked_again() -> None:
    plans = [Script(fault=ServerFailed("busy")), '1. search("a")']
    result, backend = answered(pipeline(TOOLS), planner(*plans, join="ok"), TOOLS)
    assert str(result) == "ok"
    assert backend.log.failed == 1


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        # a gap
        ('1. search("a")\n3. search("b")', {1: 1, 3: 1}),
        ('1. search("a")\n3. search("${2.n}")', {3: "${2.n} refers to no call written before it"}),
        # a number twice: the first counts
        ('1. search("a")\n1. search("bb")\n2. search("${1.query}")', {1: 1, 2: 1}),
        # forward, itself, in a circle
        ('1. search("${2.n}")\n2. search("a")', {1: "${2.n} refers to no call written before it"}),
        ('1. search("${1.n}")', {1: "${1.n} refers to no call written before it"}),
        # unknown
        ('1. serch("a")', {1: "there is no tool 'serch'; did you mean \"search\"?"}),
        # arguments
        ("1. search(3)\n2. search()", {1: "argument query: 3 is not of type 'string'"}),
        ('1. search(q="a")', {1: "search takes no argument 'q'; known: query"}),
        ('1. search("a", "b")', {1: "search takes 1 arguments, not 2"}),
        ('1. search("a", query="b")', {1: "argument 'query' is given twice"}),
        ("1. search()", {1: "'query' is a required property"}),
        # what a reference brings is of the wrong type, or not there
        ('1. search("a")\n2. search(${1.n})', {2: "argument query: 1 is not of type 'string'"}),
        ('1. search("a")\n2. search(${1.n.m})', {2: "${1.n.m}: a number has no field 'm'"}),
        # no reference
        ('1. search("$1 of $${1}")', {1: {"query": "$1 of ${1}", "n": 10, "raw": "${1} $1"}}),
        ('1. a.b-c(query="two\nlines")', {1: 9}),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_call_fails_that_call(plan: str, told: dict[int, Any]) -> None:
    result, _ = answered(pipeline(TOOLS), planner(plan), TOOLS)
    for id, meant in told.items():
        found = outcomes(result)[id]
        assert (found["n"] if isinstance(meant, int) else found) == meant
    assert str(result) == "done [1] (x)"


def test_faults_of_the_plan_itself_are_told() -> None:
    plan = '1. search("a")\n1. search("b")\n5. search("c")'
    result, backend = answered(pipeline(TOOLS), planner(plan), TOOLS, keep=True)
    (note,) = [event for event in result.trace if event.what == "noted"]
    assert note.data["faults"] == [
        "1. search(…) failed: the number 1 is taken",
        "calls 2 to 4 are missing",
    ]
    assert "calls 2 to 4 are missing" in backend.log.seen[-1].messages[-1].text


def test_a_result_is_never_read_for_references() -> None:
    plan = '1. search("a")\n2. search(${1.raw})\n3. join_up(["${2.query}", "${1.raw}"])'
    result, _ = answered(pipeline(TOOLS), planner(plan), TOOLS)
    assert outcomes(result)[3] == "${1} $1+${1} $1"


def test_another_round_goes_on_with_the_results_of_the_first() -> None:
    plans = ['1. search("a")', '2. search("${1.query}b")']
    result, backend = answered(pipeline(TOOLS), planner(*plans), TOOLS, keep=True)
    again = backend.log.seen[2]
    assert again.purpose.role == "plan"
    assert '1. search(query="a") = {"query": "a"' in again.messages[-1].text
    assert "### What is missing\nmore" in again.messages[-1].text
    assert outcomes(result)[2]["query"] == "ab"
    assert result.candidates[0].notes["rounds"] == 2
    assert result.usage.calls == 4


def test_an_answer_that_asks_for_a_round_too_many_is_none() -> None:
    plans = ['1. search("a")'] * 3
    text = pipeline(TOOLS, ", rounds: 2").replace("answer: text", "answer: number")
    result, backend = answered(text, planner(*plans, join="REPLAN: 7"), TOOLS, keep=True)
    assert result.candidates[0].answer is None
    assert [event.what for event in result.trace].count("unreadable") == 1
    assert "No more calls" in backend.log.seen[-1].messages[-1].text


def test_no_call_is_an_answer_too() -> None:
    result, backend = answered(pipeline(TOOLS), planner("none"), TOOLS, keep=True)
    assert "No call was made." in backend.log.seen[-1].messages[-1].text
    assert outcomes(result) == {}


def test_calls_beyond_the_most_are_not_made() -> None:
    plan = "\n".join(f'{n}. search("a")' for n in range(1, 6))
    result, _ = answered(pipeline(TOOLS, ", most: 3"), planner(plan), TOOLS)
    assert len(called(result)) == 3
    assert outcomes(result)[5] == "more than 3 calls in one round"


def test_a_long_result_is_cut_for_the_model_and_whole_for_references() -> None:
    plan = '1. search("' + "x" * 90 + '")\n2. search(${1.query})'
    text = pipeline(TOOLS, ", shown: 20")
    result, backend = answered(text, planner(plan), TOOLS, keep=True)
    assert outcomes(result)[2]["n"] == 90
    assert "more characters)" in backend.log.seen[-1].messages[-1].text


def test_on_error_fail_makes_a_failed_call_an_error_of_the_step() -> None:
    plan = '1. search("a")\n2. broken("x")\n3. search("b")'
    with pytest.raises(StepFailed, match="call 2 of broken: RuntimeError: no x"):
        answered(pipeline(TOOLS, ", on_error: fail"), planner(plan), TOOLS)
    text = pipeline(TOOLS, ", on_error: fail, on_failure: drop")
    result, _ = answered(text, planner(plan), TOOLS)
    assert result.candidates == ()
    assert result.lost[0].why == "call 2 of broken: RuntimeError: no x"


def test_attempts_are_made_at_the_same_time_and_have_calls_of_their_own() -> None:
    def reply(request: Request, draw: Draw) -> str:
        if request.purpose.role == "plan":
            return f'1. search("attempt {draw.index}")'
        return request.purpose.shown[0]

    text = pipeline(TOOLS, ", n: 3") + "output: {from: answer, keep: 3}\n"
    result, _ = answered(text, reply, TOOLS)
    assert result.seconds == pytest.approx(0.2)
    keys = [candidate.origin.key for candidate in result.candidates]
    assert keys == ["answer[0]", "answer[1]", "answer[2]"]
    assert len({candidate.text for candidate in result.candidates}) == 3


def test_the_join_has_its_own_model_and_prompt() -> None:
    text = pipeline(TOOLS, ', join: {temperature: 0, prompt: "Given {results}: {question}"}')
    result, backend = answered(text, planner('1. search("a")'), TOOLS, keep=True)
    plan, join = backend.log.seen
    assert plan.temperature == 1.0
    assert join.temperature == 0.0
    assert join.messages[-1].text.startswith("Given 1. search(")
    assert result.candidates


# The provider's own form of calls.


def chat(*turns: list[tuple[str, str]] | str) -> Reply:
    left = list(turns)

    def reply(request: Request, draw: Draw) -> str | Script:
        turn = left.pop(0)
        if isinstance(turn, str):
            return turn
        named = [ToolCall(f"c{n}", name, text) for n, (name, text) in enumerate(turn)]
        return Script("thinking", calls=tuple(named))

    return reply


def test_all_calls_of_a_turn_run_at_once_and_are_answered_in_order() -> None:
    turn = [("search", '{"query": "aa"}'), ("join_up", '{"parts": ["x"]}'), ("broken", "{}")]
    result, backend = answered(
        pipeline(TOOLS, ", method: calls"), chat(turn, "the end"), TOOLS, keep=True
    )
    first, second = backend.log.seen
    assert [tool.name for tool in first.tools] == ["search", "join_up", "broken", "a__b-c"]
    assert [message.role for message in second.messages] == [
        *["user", "assistant"],
        *["tool", "tool", "tool"],
    ]
    assert [message.call for message in second.messages[2:]] == ["c0", "c1", "c2"]
    assert json.loads(second.messages[2].text)["n"] == 2
    assert second.messages[4].text == "failed: 'query' is a required property"
    assert result.seconds == pytest.approx(0.2)
    assert str(result) == "the end"


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("search", "{", "failed: the arguments are no JSON"),
        ("search", "[1]", "failed: the arguments are no JSON object"),
        ("nothing", "{}", "failed: there is no tool 'nothing'"),
        ("a__b-c", '{"query": "x"}', '{"query": "x"'),
        ("search", '{"query": "${1}"}', '{"query": "${1}"'),
    ],
)
def test_a_call_that_cannot_be_made_is_told_back(name: str, arguments: str, told: str) -> None:
    text = pipeline(TOOLS, ", method: calls")
    _, backend = answered(text, chat([(name, arguments)], "ok"), TOOLS, keep=True)
    assert backend.log.seen[1].messages[-1].text.startswith(told)


def test_calls_after_the_last_round_are_not_made() -> None:
    turn = [("search", '{"query": "a"}')]
    text = pipeline(TOOLS, ", method: calls, rounds: 2")
    result, backend = answered(text, chat(turn, turn, turn), TOOLS, keep=True)
    assert len(called(result)) == 2
    assert backend.log.seen[-1].messages[-1].text.startswith("Answer now")
    assert [event.what for event in result.trace].count("unreadable") == 1
    assert str(result) == "thinking"


def test_calls_need_a_model_that_offers_tools() -> None:
    text = pipeline(TOOLS, ", method: calls").replace(
        "{m: scripted/x}", "{m: {model: scripted/x, options: {offers: [n]}}}"
    )
    with pytest.raises(SpecError, match=r"step 'answer' needs tools, which m .* does not offer"):
        compiled(text)


# Chains of thought with calls in them.


def test_a_chain_is_filled_in_while_it_is_written() -> None:
    chain = streamed(
        'It has [1. search(query="abc")] and', 0.5, ' [2. join_up(["${1.n}", "${1.raw}"])].', 1.0,
        " So ${1.n}, $5 and $${1}; the answer is ${2}.",
    )  # fmt: skip
    text = pipeline(TOOLS, ", method: abstraction")
    result, backend = answered(text, lambda request, draw: chain, TOOLS)
    assert str(result) == (
        'It has {"query": "abc", "n": 3, "raw": "${1} $1"} and 3+${1} $1. '
        "So 3, $5 and ${1}; the answer is 3+${1} $1."
    )
    assert sorted(start for start, _ in spans(result).values()) == pytest.approx([0.0, 0.5])
    assert result.seconds == pytest.approx(1.5)
    assert backend.log.asked == 1


@pytest.mark.parametrize(
    ("chain", "told"),
    [
        ('[1. broken("x")] so 42', "[call 1 failed] so 42"),
        ("so ${3} and 42", "so [${3} is missing] and 42"),
        ("[1. search(x)] 42", "[call 1 failed]x)] 42"),
        ('[1. join_up(["3"])] [1. search("b")] 42', "3 [call 1 failed] 42"),
    ],
)  # fmt: skip
def test_a_chain_with_a_gap_is_no_answer(chain: str, told: str) -> None:
    text = pipeline(TOOLS, ", method: abstraction").replace("answer: text", "answer: number")
    result, _ = answered(text, lambda request, draw: chain, TOOLS)
    assert result.candidates[0].text == told
    assert result.candidates[0].answer is None


# What is known before anything runs.


def test_prices_bound_requests_and_calls_of_tools() -> None:
    text = pipeline(TOOLS, ", rounds: 2, most: 4, n: 2", search=", usd: 0.5") + (
        "output: {from: answer, keep: 2}\n"
    )
    total = compiled(text).total
    assert (total.calls.low, total.calls.high) == (4, 8)
    assert (total.tools.low, total.tools.high) == (0, 16)
    assert (total.usd.low, total.usd.high) == (0.0, 8.0)
    assert (total.depth.low, total.depth.high) == (1, 2)


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (", tools: [serch]", "unknown tool 'serch'"),
        (", method: abstraction, rounds: 2", "abstraction has one round"),
        (", method: calls, join: {temperature: 0}", "calls has no join"),
        (', method: calls, prompt: "{results}"', "calls does not show {results}"),
        (", from: answer", "tools reads the question alone"),
    ],
)
def test_what_makes_no_sense_is_a_fault(step: str, told: str) -> None:
    with pytest.raises(SpecError) as raised:
        compiled(pipeline(TOOLS, step))
    assert told in str(raised.value)


def test_a_step_without_tools_in_the_pipeline_is_a_fault() -> None:
    text = pipeline([]).replace("tools:\nsteps", "steps")
    with pytest.raises(SpecError, match="declares none in `tools:`"):
        compiled(text)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_call_starts_when_it_is_written_and_its_inputs_are_there(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    parts: list[str | float] = []
    needs: list[list[int]] = []
    seconds: list[float] = []
    written: list[float] = []
    for number in range(1, count + 1):
        needs.append(sorted(data.draw(st.sets(st.integers(1, max(1, number - 1)), max_size=3))))
        needs[-1] = [one for one in needs[-1] if one < number]
        seconds.append(data.draw(st.integers(0, 4)) / 4)
        wait = data.draw(st.integers(0, 4)) / 4
        written.append((written[-1] if written else 0.0) + wait)
        refers = ", ".join(f"${{{one}}}" for one in needs[-1])
        parts += [wait, f"{number}. work({seconds[-1]}, {number}, [{refers}])\n"]
    broken = data.draw(st.sets(st.integers(1, count), max_size=2))
    begun: dict[int, float] = {}

    async def work(seconds: float, number: int, inputs: list[int]) -> int:
        begun[number] = asyncio.get_running_loop().time()
        await asyncio.sleep(seconds)
        if number in broken:
            raise RuntimeError("no")
        return number

    result, _ = answered(pipeline(["work"]), planner(streamed(*parts)), {"work": work})
    ends: dict[int, float] = {}
    lost: set[int] = set()
    for number in range(1, count + 1):
        if any(one in lost for one in needs[number - 1]):
            lost.add(number)
            assert number not in begun
            continue
        ready = max([written[number - 1], *(ends[one] for one in needs[number - 1])])
        assert begun[number] == pytest.approx(ready)
        ends[number] = ready + seconds[number - 1]
        lost |= {number} & broken
    assert {id for id, made in outcomes(result).items() if isinstance(made, str)} == lost
    assert result.seconds == pytest.approx(max([written[-1], *ends.values()]))
