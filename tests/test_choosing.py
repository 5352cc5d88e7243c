"""The pipelines of `benchmarks/choosing/`, on a few recordings, choose what the rules say."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from polyarch.compiler.build import build
from polyarch.compiler.plan import plan
from polyarch.compiler.source import parse
from polyarch.compiler.values import Message, Question
from polyarch.runtime.result import Result
from polyarch.runtime.session import Session
from polyarch.runtime.virtual import run

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
CHOOSING = ROOT / "benchmarks" / "choosing"


@pytest.fixture(autouse=True)
def _beside_the_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DATA)


def rows(data: str, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / data / f"{name}.jsonl").read_text().splitlines()]


def answered(name: str, data: str, **instead: str) -> dict[str, Result]:
    """The results by item."""
    text = (CHOOSING / f"{name}.yaml").read_text()
    for word, other in instead.items():
        assert word in text
        text = text.replace(word, other)
    made = plan(build(parse(text, f"{name}.yaml"), CHOOSING))
    items = rows(data, "items")

    async def main() -> dict[str, Result]:
        async with Session(made) as session:
            return {item["id"]: await session.ask(question(item)) for item in items}

    return run(main())


def question(item: dict[str, Any]) -> Question:
    text = item["question"]
    numbers = item.get("meta", {}).get("numbers")
    fields = {} if numbers is None else {"task": text, "numbers": numbers}
    return Question(text, (Message("user", text),), fields, item["id"])


PRIME = "prime-llmdrift"


def recorded() -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["item"], row["model"]): row for row in rows(PRIME, "samples")}


def test_the_first_model_by_name_breaks_ties() -> None:
    said = recorded()
    models = sorted({model for _, model in said})
    results = answered("prime_plurality", PRIME)
    right = 0
    for item, result in results.items():
        votes = Counter(said[item, m]["answer"] for m in models if said[item, m]["answer"])
        assert result.answer == votes.most_common(1)[0][0]  # equal ones as they were first seen
        assert result.usage.usd == pytest.approx(sum(said[item, m]["usd"] for m in models))
        right += result.answer == said[item, models[0]]["answer"]
    assert right == 13


def test_a_cascade_pays_for_the_dear_model_only_where_the_cheap_ones_differ() -> None:
    said = recorded()
    one, other, dear = "gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613", "gpt-4-0314"
    escalated = 0
    for item, result in answered("prime_cascade", PRIME).items():
        cheap = [said[item, one], said[item, other]]
        agree = cheap[0]["answer"] is not None and cheap[0]["answer"] == cheap[1]["answer"]
        asked = cheap if agree else [*cheap, said[item, dear]]
        waited = max(row["latency_s"] for row in cheap)
        if not agree:
            escalated += 1
            waited += said[item, dear]["latency_s"]
        assert result.answer == asked[-1]["answer"]
        assert result.usage.usd == pytest.approx(sum(row["usd"] for row in asked))
        assert result.seconds == pytest.approx(waited)
    assert escalated == 9


def test_a_deadline_ends_the_cascade_with_what_is_there() -> None:
    free = answered("prime_cascade", PRIME)
    late = {item for item, result in free.items() if result.seconds > 5}
    assert 0 < len(late) < len(free)
    for item, result in answered("prime_deadline", PRIME, **{"seconds: 20": "seconds: 5"}).items():
        assert result.seconds <= 5 + 1e-6
        assert (result.stopped != "") == (item in late)
        if item not in late:
            assert result.answer == free[item].answer


def test_draws_end_with_the_first_that_holds() -> None:
    thirty = {"n: 100": "n: 30"}
    results = answered("game24_io_checked", "game24-tot", **thirty)
    drawn = {item: result.usage.calls for item, result in results.items()}
    assert drawn == {"game24-0900": 7, "game24-0904": 30, "game24-0901": 30}
    assert {item for item, result in results.items() if result.candidates} == {"game24-0900"}


@pytest.mark.parametrize("name", ["math_best_of_8", "math_weighted", "math_borda"])
def test_the_reward_model_chooses(name: str) -> None:
    pytest.importorskip("math_verify")
    right = {(row["item"], row["text"]): row["correct"] for row in rows("math-qwen-rm", "samples")}
    best = {
        item["id"]: max(
            (row for row in rows("math-qwen-rm", "samples") if row["item"] == item["id"]),
            key=lambda row: float(row["score"]),
        )["text"]
        for item in rows("math-qwen-rm", "items")
    }
    results = answered(name, "math-qwen-rm")
    if name == "math_best_of_8":
        assert {item: result.text for item, result in results.items()} == best
    chosen = [right[item, result.text] for item, result in results.items()]
    assert sum(chosen) == RIGHT[name]


RIGHT = {"math_best_of_8": 3, "math_weighted": 3, "math_borda": 3}


def test_a_judge_that_contradicts_itself_calls_a_tie() -> None:
    judgements = rows("llmbar-judges", "judgements")
    instead = {"GPT-4/Metrics_Reference": "PaLM2/Vanilla"}
    ties = 0
    for item, result in answered("judges_both_orders", "llmbar-judges", **instead).items():
        told = [
            row["winner"] for row in judgements if (row["item"], row["judge"]) == (item, "PaLM2")
        ]
        scores = {c.origin.index + 1: c.scores.get("rank") for c in result.candidates}
        if None in told:
            assert scores == {1: None, 2: None}
        elif told[0] == told[1]:
            assert scores == {told[0]: 1.0, 3 - told[0]: 0.0}
        else:
            ties += 1
            assert scores == {1: 0.5, 2: 0.5}
    assert ties == 3


def test_a_rating_is_the_recorded_one() -> None:
    ratings = {
        (row["item"], int(row["order"]) - 1): row["score"]
        for row in rows("llmbar-judges", "judgements")
        if row["strategy"] == "Rating"
    }
    for item, result in answered("judges_rating", "llmbar-judges").items():
        for candidate in result.candidates:
            assert candidate.scores["reward"] == ratings[item, candidate.origin.index]
