"""Techniques that go on from what was written, on the model that ships with the package."""

from __future__ import annotations

import json
from collections import Counter
from math import acos, pi, sqrt
from pathlib import Path
from random import Random

import pytest
from sim import compiled, simulate, solo
from stubs import streamed

import polyarch
from polyarch import pipelines
from polyarch.backends.base import Draw, Request
from polyarch.backends.embedded.problems import problems
from polyarch.backends.scripted import Script, Scripted
from polyarch.runtime.result import Result

QUESTIONS = [problem.question for problem in problems("demo", 2, seed=5)]


def written(name: str) -> str:
    return Path(pipelines.path(name)).read_text()


def texts(text: str, tmp_path: Path) -> list[str]:
    """What a pipeline writes for each question."""
    (tmp_path / "p.yaml").write_text(text)
    with polyarch.load(tmp_path / "p.yaml") as pipe:
        return [pipe(question).candidates[0].text for question in QUESTIONS]


GREEDY = "{model: embedded/abacus, temperature: 0}"
WARM = "{model: embedded/abacus, temperature: 1.2}"


@pytest.mark.parametrize(("at_least", "writer"), [(-1, "small"), (2, "large")])
def test_the_limits_of_a_threshold_are_all_drafted_and_all_written_by_the_large_one(
    at_least: float, writer: str, tmp_path: Path
) -> None:
    models = {"small": GREEDY if writer == "small" else WARM, "large": GREEDY}
    text = written("spec_reason").replace("at_least: 1", f"at_least: {at_least}")
    text = text.replace("small: embedded/abacus ", f"small: {models['small']} ")
    text = text.replace("large: {model: embedded/abacus, temperature: 0}", f"large: {GREEDY}")
    if writer == "small":
        # The judge is asked, and whatever it writes could be told from what is drafted.
        text = text.replace(f"large: {GREEDY}", f"large: {WARM}")
    alone = f"name: p\nanswer: number\nmodels: {{m: {GREEDY}}}\nsteps: {{a: {{op: generate}}}}\n"
    assert texts(text, tmp_path) == texts(alone, tmp_path)


def test_a_budget_for_thoughts_never_eats_that_of_the_answer() -> None:
    text = """
name: p
answer: number
models: {m: {model: scripted/x}}
steps:
  thought: {op: generate, max_tokens: 10, until: ["</think>"]}
  answered: {op: extend, insert: "</think>", whom: all, max_tokens: 5}
"""

    def reply(request: Request, draw: Draw) -> str:
        return "the answer is 42" if request.prefix else "so " * 100

    result, _ = solo(text, reply)
    spent = [e.data["tokens"] for e in result.trace if e.what == "drew"]
    assert spent == [10, 4]
    assert result.answer == "42"
    assert result.candidates[0].text == ("so " * 100)[:40] + "</think>the answer is 42"


def test_where_the_small_model_doubts_the_large_one_writes_the_next_paragraph() -> None:
    text = written("speculative_thinking").replace("embedded/abacus", "scripted/x")

    def small(request: Request, draw: Draw) -> str:
        return "one two\n\nWait, lost" if not request.prefix else " answer: 5"

    asked = {
        "small": Scripted(small, keep=True),
        "large": Scripted(lambda request, draw: ", no.\n\nThe rest is lost", keep=True),
    }
    result = simulate(compiled(text), asked)
    assert [request.prefix for request in asked["large"].log.seen] == ["one two\n\nWait"]
    assert result.candidates[0].text == "one two\n\nWait, no.\n\n answer: 5"
    drew = [event.data for event in result.trace if event.what == "drew"]
    assert [data["model"] for data in drew] == ["small", "large", "small"]


def test_handing_over_at_every_line_loses_nothing_of_what_one_model_writes(tmp_path: Path) -> None:
    text = written("speculative_thinking").replace("small: embedded/abacus ", f"small: {GREEDY} ")
    for mark in ('["\\n\\nWait", "\\n\\nHmm", "\\n\\nAlternatively"]', '["\\n\\n"]'):
        assert mark in text
        text = text.replace(mark, '["\\n"]')
    alone = f"name: p\nanswer: number\nmodels: {{m: {GREEDY}}}\nsteps: {{a: {{op: generate}}}}\n"
    assert texts(text, tmp_path) == texts(alone, tmp_path)
    with polyarch.loads(text) as pipe:
        trace = pipe(QUESTIONS[0]).trace
    models = [event.data["model"] for event in trace if event.what == "drew"]
    assert models[:3] == ["small", "large", "small"]


def test_hints_go_on_until_answers_agree_on_the_model_that_ships() -> None:
    _, results = spent("hint_marginalization")
    for result in results:
        assert result.answer
        assert result.usage.calls in (24, 36, 48)
        drew = [event for event in result.trace if event.what == "drew"]
        last = [str(event.data["text"]).split()[-1] for event in drew[-12:]]
        agree = max(Counter(last).values()) / 12
        assert len(drew) == 48 or agree >= 0.8


def watched(seconds: float, found_at: int) -> Result:
    """A thought of 432 characters that repeats itself, 48 of them a second, beside a watcher that
    takes so long and says that a text of that length is enough."""

    def solver(request: Request, draw: Draw) -> Script:
        if request.prefix:
            return Script("4", latency=1.0)
        return streamed(*[part for _ in range(36) for part in (0.25, "so it is 4. ")])

    def watcher(request: Request, draw: Draw) -> Script:
        enough = len(request.purpose.shown[0]) >= found_at
        verdict = json.dumps({"reason": "so", "verdict": "right" if enough else "wrong"})
        return Script(verdict, latency=seconds)

    text = written("watched_thinking").replace("embedded/abacus", "scripted/x")
    return simulate(compiled(text), {"solver": Scripted(solver), "watcher": Scripted(watcher)})


def test_a_watcher_ends_a_thought_that_repeats_itself() -> None:
    result = watched(0.5, found_at=96)
    # The looks are at the ends of words, and the sixth is the first that sees so much.
    assert result.candidates[0].text == ("so it is 4. " * 9)[:107] + "\nanswer: 4"
    unwatched = watched(0.5, found_at=10**6)
    assert unwatched.candidates[0].text == "so it is 4. " * 36
    saved = unwatched.usage.completion_tokens - result.usage.completion_tokens
    assert saved > unwatched.usage.completion_tokens / 2


@pytest.mark.parametrize("watcher", [0.5, 3.0, 100.0])
def test_a_slow_watcher_holds_no_stream_up(watcher: float) -> None:
    whole = 9.0
    ended = 2.25 + watcher + 1.0
    assert watched(watcher, found_at=96).seconds == min(whole, ended)
    assert watched(watcher, found_at=10**6).seconds == whole


def test_hints_are_inserted_as_they_are_and_are_so_many_continuations() -> None:
    text = """
name: p
answer: number
models: {m: {model: scripted/x}}
steps:
  draft: {op: generate}
  hinted:
    op: loop
    times: 3
    steps: {more: {op: extend, whom: all, insert: "\\nMaybe a program helps {x}. "}}
"""
    result, backend = solo(text, lambda request, draw: f"step {len(request.prefix)}.")
    assert backend.log.asked == 4
    assert result.candidates[0].text.count("\nMaybe a program helps {x}. ") == 3


def beginnings(correlation: float, seed: int) -> str:
    """Two beginnings with a score, and ends whose worth goes with it."""
    dice = Random(seed)
    rows = []
    for _ in range(2):
        begun, other = dice.gauss(0, 1), dice.gauss(0, 1)
        rows.append((begun, correlation * begun + sqrt(1 - correlation**2) * other))
    return json.dumps(rows)


@pytest.mark.parametrize("correlation", [0.3, 0.8])
def test_a_pruned_beginning_was_the_better_one_as_often_as_geometry_says(
    correlation: float,
) -> None:
    text = """
name: p
models: {m: {model: scripted/x}}
steps:
  begun: {op: generate, n: 2}
  judged: {op: score, by: reward}
  kept: {op: select, by: reward}
  ended: {op: extend, whom: all}
"""
    made, lost, trials = compiled(text), 0, 300
    for trial in range(trials):
        rows = json.loads(beginnings(correlation, trial))

        def reply(request: Request, draw: Draw, rows: list[list[float]] = rows) -> Script:
            if request.wants == "reward":
                return Script(values=(rows[int(request.purpose.shown[0])][0],))
            return Script("!" if request.prefix else str(draw.index))

        result = simulate(made, {"m": Scripted(reply)})
        kept = int(result.candidates[0].text[0])
        lost += rows[kept][1] < rows[1 - kept][1]
    # Of two jointly normal pairs the signs of the differences part with this probability.
    assert lost / trials == pytest.approx(acos(correlation) / pi, abs=0.08)


def spent(name: str) -> tuple[Counter[str], list[Result]]:
    counts: Counter[str] = Counter()
    results = []
    with polyarch.load(pipelines.path(name)) as pipe:
        for question in QUESTIONS:
            results.append(pipe(question))
            for event in results[-1].trace:
                if event.what == "drew":
                    counts[event.step] += event.data["tokens"]  # type: ignore[arg-type]
    return counts, results


def test_pruning_midway_draws_no_end_of_what_was_pruned() -> None:
    _, results = spent("prune_midway")
    for result in results:
        ends = [e for e in result.trace if e.what == "drew" and e.step == "ended"]
        assert len(ends) <= 8
        begun = [e.data["tokens"] for e in result.trace if e.what == "drew" and e.step == "begun"]
        assert len(begun) == 16
        assert max(begun) <= 12  # type: ignore[type-var]
        assert result.answer


def test_a_text_whose_answer_stays_is_not_written_on() -> None:
    _, results = spent("answer_convergence")
    assert all(result.answer for result in results)
    text = written("answer_convergence").replace("embedded/abacus", "scripted/x")
    text = text.replace("solver:", "m:").replace("max_tokens: 12", "max_tokens: 3")
    result, backend = solo(text, lambda r, draw: ("so 4 " if r.prefix else "so 41 ") * 9)
    assert (backend.log.asked, result.answer) == (3, "4")
