"""The operator `watch`, in virtual time: who looks when, what ends a thought, what it costs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from sim import compiled, simulate
from stubs import streamed

import polyarch
from polyarch import pipelines
from polyarch.backends.base import Request
from polyarch.backends.embedded.problems import problems
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.errors import ServerFailed, SpecError, StepFailed
from polyarch.runtime.cache import Cache
from polyarch.runtime.result import Result
from polyarch.runtime.session import Session
from polyarch.runtime.store import Store
from polyarch.runtime.trace.read import read
from polyarch.runtime.trace.replay import replay
from polyarch.runtime.trace.write import TraceWriter
from polyarch.runtime.virtual import run

TEXT = """
name: p
models: {w: {model: scripted/x, retries: 0}, s: {model: scripted/x, retries: 0}}
answer: text
steps:
  answer: {op: watch, model: w, every: 5, %s, watcher: {model: s}}
output: {from: answer, keep: %d}
"""
WORDS = [f"word{n:02}. " for n in range(10)]
"""A thought of eight characters a part."""


def verdict(right: bool) -> str:
    return json.dumps({"reason": "so", "verdict": "right" if right else "wrong"})


def thought(request: Request) -> Script:
    """A part a second, as far as the request lets it go; two tokens each."""
    told = streamed(*[part for word in WORDS[: request.most // 2] for part in (1.0, word)])
    return replace(told, finish="stop" if request.most >= 2 * len(WORDS) else "length")


def watched(
    looked: Callable[[Request], str | Script],
    *,
    more: str = "max_tokens: 100",
    written: Callable[[Request], str | Script] = thought,
    keep: int = 1,
) -> tuple[Result, Scripted, Scripted]:
    """A thought beside somebody who looks at it."""
    writer = Scripted(lambda request, draw: written(request), keep=True)
    watcher = Scripted(lambda request, draw: looked(request), keep=True)
    result = simulate(compiled(TEXT % (more, keep)), {"w": writer, "s": watcher})
    assert (writer.log.under_way, watcher.log.under_way) == (0, 0)
    return result, writer, watcher


def test_looks_are_behind_whole_words_so_many_characters_apart() -> None:
    result, writer, watcher = watched(lambda request: verdict(False))
    shown = [request.purpose.shown[0] for request in watcher.log.seen]
    whole = "".join(WORDS)
    # At least twenty characters further on, a space: behind the third word of eight characters, …
    assert shown == [whole[:23], whole[:47], whole[:71]]
    assert result.candidates[0].text == whole
    assert result.candidates[0].finish == "stop"
    assert result.candidates[0].notes["watched"] == {"looks": 3, "ended": False}
    assert writer.log.asked == 1


def test_what_was_written_behind_what_was_enough_is_lost_and_charged() -> None:
    late = Script(verdict(True), latency=2.5)
    result, writer, watcher = watched(lambda request: late)
    (candidate,) = result.candidates
    assert candidate.text == "".join(WORDS)[:23]
    assert (candidate.finish, candidate.answer) != ("stop", None)
    assert candidate.finish == "length"
    assert result.seconds == 5.5
    # Five parts had come by then, and the second look was not yet due.
    assert (writer.log.cancelled, len(watcher.log.seen)) == (1, 1)
    assert result.usage.completion_tokens == 5 * 2 + len(verdict(True)) // 4


def test_looks_overlap_and_the_first_verdict_counts() -> None:
    def looked(request: Request) -> Script:
        first = len(request.purpose.shown[0]) == 23
        return Script(verdict(True), latency=4.5 if first else 1.0)

    result, _, watcher = watched(looked)
    assert result.candidates[0].text == "".join(WORDS)[:47]
    assert result.seconds == 7.0
    assert watcher.log.cancelled == 1


def test_a_verdict_that_cannot_be_read_changes_nothing() -> None:
    result, _, watcher = watched(lambda request: "well")
    assert result.candidates[0].text == "".join(WORDS)
    assert watcher.log.finished == 2 * 3  # each with its repair


@pytest.mark.parametrize("ended", [True, False])
def test_a_thought_goes_on_behind_what_is_inserted(ended: bool) -> None:
    def written(request: Request) -> str | Script:
        return "42" if request.prefix else thought(request)

    more = f'max_tokens: {100 if ended else 10}, insert: "\\nSo ", rest: 3'
    result, writer, _ = watched(lambda request: verdict(ended), more=more, written=written)
    begun = "".join(WORDS)[: 23 if ended else 40]
    assert result.candidates[0].text == f"{begun}\nSo 42"
    assert [(request.prefix, request.most) for request in writer.log.seen[1:]] == [
        (f"{begun}\nSo ", 3)
    ]
    # One that ends by itself is left as it is.
    left, writer, _ = watched(
        lambda request: verdict(False),
        more='max_tokens: 100, insert: "\\nSo "',
        written=lambda request: streamed(*WORDS[:4]),
    )
    assert left.candidates[0].text == "".join(WORDS[:4])
    assert writer.log.asked == 1


def test_attempts_are_draws_of_their_own() -> None:
    result, writer, watcher = watched(
        lambda request: verdict(False), more="max_tokens: 100, n: 3", keep=3
    )
    assert [candidate.origin.key for candidate in result.candidates] == [
        "answer[0]",
        "answer[1]",
        "answer[2]",
    ]
    seeds = {draw.seed for request in writer.log.seen for draw in request.draws}
    looks = {draw.seed for request in watcher.log.seen for draw in request.draws}
    assert (len(seeds), len(looks), len(seeds & looks)) == (3, 9, 0)


def test_looks_are_no_more_than_tokens_allow() -> None:
    _, _, watcher = watched(lambda request: verdict(False), more="max_tokens: 9")
    assert len(watcher.log.seen) == 1


@pytest.mark.parametrize("who", ["writer", "watcher"])
def test_whoever_fails_ends_the_step_and_leaves_nothing_under_way(who: str) -> None:
    def written(request: Request) -> Script:
        fault = ServerFailed("gone") if who == "writer" else None
        return streamed(*WORDS[:5], 1.0, fault=fault)

    def looked(request: Request) -> Script:
        fault = ServerFailed("gone") if who == "watcher" else None
        return Script(verdict(False), latency=0.5, fault=fault)

    with pytest.raises(StepFailed, match="gone"):
        watched(looked, written=written)


def test_a_thought_that_was_kept_comes_whole_and_nobody_looks(tmp_path: Path) -> None:
    writer = Scripted(lambda request, draw: thought(request), repeatable=True)
    watcher = Scripted(lambda request, draw: verdict(False), repeatable=True)
    plan = compiled(TEXT % ("max_tokens: 100", 1))
    cache = Cache(tmp_path / "replies")
    session = Session(plan, backends={"w": writer, "s": watcher}, stores=(Store(cache),))
    first, again = (run(session.ask("?")) for _ in range(2))
    cache.close()
    assert (writer.log.asked, watcher.log.asked) == (1, 3)
    assert first.candidates[0].text == again.candidates[0].text
    assert again.candidates[0].notes["watched"] == {"looks": 3, "ended": False}
    assert again.usage.calls == 0


@pytest.mark.parametrize("seed", range(12))
def test_a_replay_of_the_trace_ends_it_in_the_same_place(tmp_path: Path, seed: int) -> None:
    dice = Random(seed)

    def looked(request: Request) -> Script:
        return Script(verdict(dice.random() < 0.4), latency=dice.random() * 6)

    def written(request: Request) -> str | Script:
        return "42" if request.prefix else thought(request)

    plan = compiled(TEXT % ('max_tokens: 100, n: 2, insert: " So "', 2))
    backends = {"w": Scripted(lambda r, _: written(r)), "s": Scripted(lambda r, _: looked(r))}
    with TraceWriter(tmp_path / "t.jsonl", plan) as writer:
        result = simulate(plan, backends, listeners=[writer])
    (again,) = replay(read(tmp_path / "t.jsonl"))
    assert [c.text for c in again.candidates] == [c.text for c in result.candidates]
    assert again.canonical() == result.canonical()
    assert replace(again.usage, seconds=0.0) == replace(result.usage, seconds=0.0)
    assert again.seconds == pytest.approx(result.seconds)


@pytest.mark.parametrize("seed", range(30))
def test_calls_and_tokens_stay_within_the_plan(seed: int) -> None:
    dice = Random(seed)

    def looked(request: Request) -> str | Script:
        said = dice.choice([verdict(True), verdict(False), "well"])
        return Script(said[: 4 * request.most], latency=dice.random() * 4)

    def written(request: Request) -> str | Script:
        return "42" if request.prefix else thought(request)

    more = dice.choice(["max_tokens: 9", "max_tokens: 30", 'max_tokens: 20, insert: " So "'])
    plan = compiled(TEXT % (more, 1)).total
    result, _, _ = watched(looked, more=more, written=written)
    assert plan.calls.low <= result.usage.calls <= plan.calls.high
    assert result.usage.completion_tokens <= plan.completion.high


def test_only_what_is_inserted_needs_a_model_that_goes_on() -> None:
    text = (TEXT % ("max_tokens: 100", 1)).replace(
        "w: {model: scripted/x", "w: {model: litellm/openai/gpt-4o"
    )
    compiled(text)
    with pytest.raises(SpecError, match="continuation"):
        compiled(text.replace("every: 5", 'every: 5, insert: "x"'))
    compiled(
        TEXT.replace("s: {model: scripted/x", "s: {model: litellm/openai/gpt-4o") % ("insert: x", 1)
    )


def test_the_model_that_ships_with_the_package_is_watched() -> None:
    with polyarch.load(pipelines.path("watched_thinking")) as pipe:
        found = [pipe(problem.question) for problem in problems("demo", 4, seed=5)]
    assert all(result.candidates[0].answer is not None for result in found)
    assert sum(result.candidates[0].notes["watched"]["looks"] for result in found) > 0  # type: ignore[call-overload, index, misc]
