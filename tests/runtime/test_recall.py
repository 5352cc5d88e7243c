"""Kept replies: the cache spares calls, the journal takes a batch up again, neither changes who is
independent of whom."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from sim import compiled, judge

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted
from polyarch.pipeline import Pipeline
from polyarch.runtime.cache import Cache
from polyarch.runtime.result import Result

TEXT = """\
name: p
answer: number
models: {m: {model: scripted/x, max_draws: 1, %s}}
steps:
  drafts: {op: generate, n: %d}
  checked: {op: verify, temperature: 0}
  again: {op: verify, temperature: 0}
  answer: {op: vote, weight: verify}
"""


def said(request: Request, draw: Draw) -> str:
    """A reply that depends on the prompt and the draw's number alone."""
    dice = Random(f"{request.messages} {draw.number}")
    return judge(request, Draw(draw.index, draw.number, dice.getrandbits(60)))


def ask(
    path: Path,
    *,
    n: int = 4,
    seed: int = 0,
    options: str = "price: {prompt: 1, completion: 9}",
    question: str = "What is 2 + 2?",
) -> tuple[Result, Scripted]:
    backend = Scripted(said, repeatable=True)
    cache = Cache(path)
    with Pipeline(compiled(TEXT % (options, n)), backends={"m": backend}, cache=cache) as pipe:
        result = pipe(question, seed=seed)
    cache.close()
    return result, backend


def test_the_second_time_nothing_is_asked(tmp_path: Path) -> None:
    first, asked = ask(tmp_path / "c")
    second, again = ask(tmp_path / "c")
    assert asked.log.asked >= 12
    assert (again.log.asked, second.usage.calls, second.usage.usd) == (0, 0, 0)
    assert second.usage.hits == first.usage.calls
    assert second.text == first.text
    assert second.best is not None
    assert first.best is not None
    assert second.best.scores == first.best.scores


def test_more_draws_reuse_the_first_ones(tmp_path: Path) -> None:
    ask(tmp_path / "c")
    more, asked = ask(tmp_path / "c", n=6)
    assert sum(r == "drafts" for r in (e.step for e in more.trace if e.what == "recalled")) == 4
    assert sum(e.what == "asked" and e.step == "drafts" for e in more.trace) == 2
    assert asked.log.asked == more.usage.calls


def test_another_seed_or_question_or_option_is_another_request(tmp_path: Path) -> None:
    ask(tmp_path / "c")
    for other in (
        {"seed": 1},
        {"question": "What is 2 + 3?"},
        {"options": "top_p: 0.5"},
    ):
        result, backend = ask(tmp_path / "c", **other)  # type: ignore[arg-type]
        assert result.usage.hits == 0, other
        assert backend.log.asked > 0


def test_equal_judging_steps_stay_independent(tmp_path: Path) -> None:
    result, _ = ask(tmp_path / "c")
    steps = [e.step for e in result.trace if e.what == "asked"]
    assert steps.count("checked") >= 4
    assert steps.count("again") >= 4
    assert result.usage.hits == 0


def test_a_model_can_be_kept_out(tmp_path: Path) -> None:
    ask(tmp_path / "c", options="cache: false")
    second, backend = ask(tmp_path / "c", options="cache: false")
    assert (second.usage.hits, backend.log.asked) == (0, second.usage.calls)


def test_a_batch_is_taken_up_again(tmp_path: Path) -> None:
    plan = compiled(TEXT % ("", 4))
    questions = [f"What is {i} + 2?" for i in range(20)]

    def batch(most: int | None, journal: Path | None) -> tuple[list[object], int]:
        backend = Scripted(said, repeatable=True)
        told: list[object] = []
        with Pipeline(plan, backends={"m": backend}) as pipe:
            for result in pipe.map(questions, concurrency=3, journal=journal):
                told.append({k: v for k, v in result.record().items() if k != "timing"})
                if most is not None and len(told) == most:
                    break
        return told, backend.log.finished

    clean, whole = batch(None, tmp_path / "clean")
    part, paid = batch(7, tmp_path / "j")
    assert part == clean[:7]
    rest, left = batch(None, tmp_path / "j")
    # The journal's replies were paid for by this batch: usage is that of a clean run.
    assert rest == clean
    assert paid + left == whole


@pytest.mark.parametrize("most", [1, 5, 100])
def test_equal_requests_under_way_are_sent_once(tmp_path: Path, most: int) -> None:
    plan = compiled(TEXT % ("", 4))
    backend = Scripted(said, latency=0.01, repeatable=True)
    cache = Cache(tmp_path / "c")
    with Pipeline(plan, backends={"m": backend}, cache=cache) as pipe:
        results = list(pipe.map(["What is 2 + 2?"] * 10, concurrency=most))
    cache.close()
    assert len({result.text for result in results}) == 1
    assert backend.log.asked == max(result.usage.calls + result.usage.hits for result in results)


def test_a_journal_changes_nothing(tmp_path: Path) -> None:
    plan = compiled(TEXT % ("", 4))
    questions = ["What is 2 + 2?"] * 3 + ["What is 3 + 2?"]

    def batch(journal: Path | None) -> list[object]:
        with Pipeline(plan, backends={"m": Scripted(judge, repeatable=True)}) as pipe:
            results = list(pipe.map(questions, journal=journal))
        return [{k: v for k, v in r.record().items() if k != "timing"} for r in results]

    assert batch(tmp_path / "j") == batch(None)
