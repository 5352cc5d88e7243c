"""Evaluations: the same items for all, errors as rows, taken up again, within one budget."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sim import compiled

import polyarch
from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted
from polyarch.compiler.answers import Answer
from polyarch.compiler.errors import BadRequest, InputError, PlanRefused
from polyarch.compiler.spec import Budget
from polyarch.evaluation.data import Dataset, Item, dataset
from polyarch.evaluation.metrics import Score
from polyarch.evaluation.outfile import read_out
from polyarch.evaluation.record import Record, from_line, to_line
from polyarch.evaluation.report import report
from polyarch.evaluation.run import Evaluation, evaluate

ONE = """
name: one
models: {m: {model: scripted/m, retries: 0, max_draws: 1}}
answer: number
steps: {answer: {op: generate}}
"""
THREE = """
name: three
models: {m: {model: scripted/m, retries: 0, max_draws: 1}}
answer: number
steps:
  drafts: {op: generate, n: 3}
  answer: {op: vote}
"""


def numbers(count: int) -> Dataset:
    items = (Item(f"q{n}", f"What is {n}?", str(n), fields={"odd": n % 2}) for n in range(count))
    return dataset("numbers", items, "numeric")


def piped(text: str, said: Callable[[Request, Draw], str]) -> tuple[polyarch.Pipeline, Scripted]:
    backend = Scripted(said)
    return polyarch.Pipeline(compiled(text), backends={"m": backend}), backend


def right(request: Request, draw: Draw) -> str:
    return request.question.removeprefix("q")


def test_records_hold_what_happened() -> None:
    said = ["4", "4", "five"]
    pipe, _ = piped(THREE, lambda request, draw: said[draw.index])
    done = asyncio.run(evaluate({"three": pipe}, numbers(5)))
    record = done.records[4]
    assert (record.item, record.score, record.parsed, record.answer) == ("q4", 1.0, True, "4")
    assert [(c.answer, c.score, c.group, c.index) for c in record.candidates] == [
        ("4", 1.0, 0, 0),
        ("4", 1.0, 0, 1),
        (None, 0.0, -1, 2),
    ]
    assert record.usage.calls == 3
    assert record.slices == {"odd": 0}
    assert done.records[3].score == 0.0
    assert from_line(to_line(record)) == record


def test_every_pipeline_and_seed_gets_every_item_in_order() -> None:
    pipes = {name: piped(ONE, right)[0] for name in ("a", "b")}
    done = asyncio.run(evaluate(pipes, numbers(3), seeds=(0, 1), concurrency=2))
    assert [(r.item, r.pipeline, r.seed) for r in done.records] == [
        (f"q{n}", name, seed) for n in range(3) for name in "ab" for seed in (0, 1)
    ]
    assert all(record.score == 1.0 for record in done.records)
    assert done.spent.calls == 12


def test_an_item_that_fails_is_a_row() -> None:
    def some(request: Request, draw: Draw) -> str:
        if request.question == "q1":
            raise BadRequest("not this one")
        return right(request, draw)

    pipe, _ = piped(ONE, some)
    done = asyncio.run(evaluate({"one": pipe}, numbers(3)))
    assert [record.score for record in done.records] == [1.0, None, 1.0]
    assert "not this one" in done.records[1].error
    (told,) = report(done).summaries
    assert told.score.estimate == pytest.approx(2 / 3)
    assert sum(told.errors.values()) == 1
    assert told.unparsed == 0


def test_a_metric_that_breaks_is_a_row() -> None:
    class Broken:
        name = "broken"

        async def score(self, item: Item, answer: Answer | None, text: str) -> Score:
            if item.id == "q0":
                raise RuntimeError("broken")
            return Score(1.0)

    pipe, _ = piped(ONE, right)
    done = asyncio.run(evaluate({"one": pipe}, numbers(2), metric=Broken()))
    assert [(r.score, r.code) for r in done.records] == [(None, "metric"), (1.0, "")]
    assert done.records[0].answer == "0"


def test_an_interrupted_evaluation_goes_on_and_pays_nothing_twice(tmp_path: Path) -> None:
    out = tmp_path / "runs.jsonl"
    pipe, _ = piped(ONE, right)
    whole = asyncio.run(evaluate({"one": pipe}, numbers(6), out=out))
    lines = out.read_bytes().splitlines(keepends=True)
    assert len(lines) == 7
    out.write_bytes(b"".join(lines[:4]) + lines[4][:20])
    pipe, backend = piped(ONE, right)
    again = asyncio.run(evaluate({"one": pipe}, numbers(6), out=out))
    assert backend.log.requests == 3
    assert [(r.item, r.score) for r in again.records] == [(r.item, r.score) for r in whole.records]
    assert again.spent.calls == 6
    assert len(read_out(out)[1]) == 6
    assert [path.name for path in tmp_path.iterdir()] == ["runs.jsonl"]


def test_items_that_failed_are_asked_again(tmp_path: Path) -> None:
    out = tmp_path / "runs.jsonl"

    def failing(request: Request, draw: Draw) -> str:
        raise BadRequest("no")

    asyncio.run(evaluate({"one": piped(ONE, failing)[0]}, numbers(2), out=out))
    assert all(record.error for record in read_out(out)[1])
    done = asyncio.run(evaluate({"one": piped(ONE, right)[0]}, numbers(2), out=out))
    assert [record.score for record in done.records] == [1.0, 1.0]
    assert [record.score for record in read_out(out)[1]] == [1.0, 1.0]


def test_a_file_of_another_evaluation_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "runs.jsonl"
    asyncio.run(evaluate({"one": piped(ONE, right)[0]}, numbers(2), out=out))
    with pytest.raises(InputError, match="with another data"):
        asyncio.run(evaluate({"one": piped(ONE, right)[0]}, numbers(3), out=out))
    out.write_text("something\n")
    with pytest.raises(InputError, match="no records"):
        asyncio.run(evaluate({"one": piped(ONE, right)[0]}, numbers(2), out=out))


@pytest.mark.parametrize("concurrency", [1, 3, 50])
@pytest.mark.parametrize("calls", [1, 7, 20])
def test_the_budget_is_kept_exactly(calls: int, concurrency: int) -> None:
    pipe, backend = piped(THREE, right)
    other, more = piped(ONE, right)
    done = asyncio.run(
        evaluate(
            {"three": pipe, "one": other},
            numbers(10),
            budget=Budget(calls=calls),
            concurrency=concurrency,
        )
    )
    sent = backend.log.requests + more.log.requests
    assert sent <= calls
    assert done.spent.calls <= calls
    assert done.stopped
    assert len(done.records) < 20
    assert "It ended before all was asked" in report(done).notes[0]


def test_dollars_that_nobody_can_count_are_refused() -> None:
    text = ONE.replace("scripted/m, ", "replay/x, options: {recordings: nowhere, usd: true}, ")
    folder = Path(__file__).parents[1] / "data" / "recordings" / "prime-llmdrift"
    text = text.replace("nowhere", str(folder)).replace("replay/x", "replay/gpt-4-0314")
    with pytest.raises(PlanRefused, match="nobody knows the price"):
        asyncio.run(evaluate({"one": compiled(text)}, numbers(2), budget=Budget(usd=1.0)))


def test_what_cannot_be_evaluated_is_told() -> None:
    pipe, _ = piped(ONE, right)
    with pytest.raises(InputError, match="each seed once"):
        asyncio.run(evaluate({"one": pipe}, numbers(1), seeds=(1, 1)))
    bare = dataset("bare", [Item("a", "?", "1")])
    with pytest.raises(InputError, match="names no metric"):
        asyncio.run(evaluate({"one": pipe}, bare))
    with pytest.raises(InputError, match="more than once"):
        dataset("twice", [Item("a", "?", "1"), Item("a", "!", "2")])


def judged(said: Callable[[Request, Draw], str], answers: list[str]) -> Evaluation:
    """Answers held against the baseline "plain" by a scripted judge."""
    from contextlib import asynccontextmanager

    from polyarch.evaluation.judges import Judge, judge_plan
    from polyarch.evaluation.metrics.judged import Judged
    from polyarch.runtime.session import Session

    class Scripting(Judged):
        @asynccontextmanager
        async def opened(self, account):  # type: ignore[no-untyped-def]
            plan = judge_plan("scripted/judge", {})
            async with Session(plan, backends={"judge": Scripted(said)}) as session:
                self._judges.append(Judge(session, account))
                yield

    items = [Item(f"q{n}", "Say.", "", fields={"baseline": "plain"}) for n in range(len(answers))]
    text = ONE.replace("answer: number", "answer: text")
    pipe, _ = piped(text, lambda request, draw: answers[int(request.question[1:])])
    work = evaluate({"one": pipe}, dataset("open", items), metric=Scripting(), null=2)
    return asyncio.run(work)


def test_a_judge_is_asked_in_both_orders() -> None:
    def fair(request: Request, draw: Draw) -> str:
        first = request.messages[-1].text.split("### First answer\n")[1].startswith("good")
        second = request.messages[-1].text.split("### Second answer\n")[1].startswith("good")
        return "Answer: first" if first > second else "Answer: second"

    done = judged(fair, ["good", "bad", "good"])
    # Where neither is good, the fair judge says second in both orders: a conflict, so a tie.
    assert [record.score for record in done.records] == [1.0, 0.5, 1.0]
    assert [record.judging.calls for record in done.records] == [2, 2, 2]
    assert done.spent.calls == 3 + 6 + 4
    assert done.null == 0.5
    assert any("do not trust this judge" in note for note in report(done).notes)


def test_a_judge_of_positions_decides_nothing() -> None:
    done = judged(lambda request, draw: "Answer: first", ["a", "b"])
    assert [record.score for record in done.records] == [0.5, 0.5]


def test_a_judge_that_cannot_be_read_is_an_error() -> None:
    done = judged(lambda request, draw: "Who can say", ["a"])
    assert done.records[0].score is None
    assert "no verdict" in done.records[0].error


def test_length_is_taken_out_of_a_win_rate() -> None:
    from polyarch.evaluation.judges import length_controlled

    wins = [1.0] * 40 + [0.0] * 10 + [1.0] * 10 + [0.0] * 40
    lengths = [150.0] * 50 + [50.0] * 50
    others = [100.0] * 100
    assert length_controlled(wins, lengths, others) == pytest.approx(0.5, abs=0.01)
    assert length_controlled([1, 1, 0, 0.5], [5, 5, 5, 5], [5, 5, 5, 5]) == pytest.approx(0.625)
    longer_wins = length_controlled([1.0] * 50 + [0.0] * 50, [900.0] * 99 + [100.0], others)
    assert 0 <= longer_wins <= 1


def test_records_are_lines_of_json() -> None:
    record = Record("p", "i", 0, None, False, None, "a \ud800 b", error="no", code="x")
    told = json.loads(to_line(record))
    assert told["error"] == "no"
    assert from_line(to_line(record)).text == record.text
