"""Techniques on the embedded model, held against what its logits and states say."""

from __future__ import annotations

import re
from math import exp, log
from statistics import fmean

import numpy as np
import pytest

import polyarch
from polyarch import pipelines
from polyarch.backends.base import Draw, Request
from polyarch.backends.embedded.backend import WEIGHTS, EmbeddedBackend
from polyarch.backends.embedded.model import Model
from polyarch.backends.embedded.problems import problems
from polyarch.backends.embedded.tokenizer import Mark, StoryTokenizer
from polyarch.compiler.values import Candidate, Message, Purpose
from polyarch.runtime.result import Result

STORY = problems("demo", 1, seed=5)[0].question


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load(WEIGHTS)


@pytest.fixture(scope="module")
def tokenizer() -> StoryTokenizer:
    return StoryTokenizer(WEIGHTS / "tokenizer.json")


def run(steps: str, keep: int, question: str = STORY) -> Result:
    text = f"name: x\nmodels: {{solver: embedded/abacus}}\nanswer: number\nsteps:\n{steps}\n"
    last = re.findall(r"^  (\w+):", steps, re.MULTILINE)[-1]
    with polyarch.loads(f"{text}output: {{from: {last}, keep: {keep}}}\n") as pipe:
        return pipe(question)


def distributions(
    model: Model, tokenizer: StoryTokenizer, text: str
) -> tuple[list[int], list[list[float]]]:
    """The tokens of a solution, and the log probabilities of all tokens that could stand there."""
    before = tokenizer.encode_parts((Mark.SOLVE, " " + STORY, Mark.REPLY))
    tokens = tokenizer.encode(text)
    _, logits = model.prefill([*before, *tokens])
    marks = [tokenizer.mark(mark) for mark in Mark if mark is not Mark.END]
    rows = logits[len(before) - 1 : -1].astype(np.float64)
    rows = np.delete(rows, marks + list(range(tokenizer.size, rows.shape[1])), axis=1)
    rows -= rows.max(1, keepdims=True)
    return tokens, (rows - np.log(np.exp(rows).sum(1, keepdims=True))).tolist()


def test_branches_begin_with_tokens_of_their_own_and_margins_are_those_of_the_logits(
    model: Model, tokenizer: StoryTokenizer
) -> None:
    result = run("  drafts: {op: branch, k: 6}\n  scored: {op: score, by: margin}", 6)
    texts = [candidate.text for candidate in result.candidates]
    assert len({tokenizer.encode(text)[0] for text in texts}) == 6
    for candidate in result.candidates:
        assert candidate.answer is not None
        tokens, told = distributions(model, tokenizer, candidate.text)
        digits = len(candidate.answer.text)
        assert tokenizer.decode(tokens[-digits:]) == candidate.answer.text
        tops = [sorted(row, reverse=True)[:2] for row in told[-digits:]]
        margin = fmean(exp(first) - exp(second) for first, second in tops)
        assert candidate.scores["margin"] == pytest.approx(margin, abs=1e-3)


def test_certainty_over_all_tokens_is_the_distance_of_the_logits_from_uniform(
    model: Model, tokenizer: StoryTokenizer
) -> None:
    draft = "  drafts: {op: generate, temperature: 0}\n"
    whole = run(f"{draft}  scored: {{op: score, by: certainty, alternatives: 437}}", 1)
    (candidate,) = whole.candidates
    _, told = distributions(model, tokenizer, candidate.text)
    assert len(told[0]) == 437
    distance = fmean(-log(len(row)) - fmean(row) for row in told)
    assert candidate.scores["certainty"] == pytest.approx(distance, rel=1e-3)
    few = run(f"{draft}  scored: {{op: score, by: certainty}}", 1).candidates[0]
    top = [sorted(row, reverse=True)[:20] for row in told]
    parts = [log(sum(map(exp, row))) - log(20) - fmean(row) for row in top]
    assert few.scores["certainty"] == pytest.approx(fmean(parts), rel=1e-3)


async def test_an_embedding_is_the_mean_state_of_the_text(
    model: Model, tokenizer: StoryTokenizer
) -> None:
    text = "12-2=10\nanswer: 10"
    backend = EmbeddedBackend()
    request = Request(
        "abacus",
        (Message("user", "12 - 2 = 10\n\nanswer: 10"),),  # as the model writes it
        Purpose("embed", STORY, (text,)),
        (Draw(0, 0, 1),),
        max_tokens=1,
        wants="embedding",
    )
    (piece,) = [piece async for piece in backend.generate(request)]
    await backend.aclose()
    assert piece.values == pytest.approx(model.embed(tokenizer.encode(text)), abs=1e-5)
    assert piece.prompt_tokens == len(tokenizer.encode(text)) == backend.prompt_tokens(request)


def test_drafts_of_one_kind_are_nearer_to_each_other_than_to_an_outlier() -> None:
    other = "models: {odd: {model: embedded/abacus, temperature: 5}}"
    steps = (
        "  drafts: {op: generate, model: solver, n: 4, temperature: 0.3}\n"
        "  odd: {op: generate, model: odd}\n"
        "  ranked: {op: rank, model: solver, from: [drafts, odd], method: central, keep: all}"
    )
    text = f"name: x\n{other[:-1]}, solver: embedded/abacus}}\nanswer: number\nsteps:\n{steps}\n"
    with polyarch.loads(f"{text}output: {{from: ranked, keep: 5}}\n") as pipe:
        assert keys(pipe(STORY).candidates)[-1] == "odd[0]"


def test_a_hedged_pool_holds_the_greedy_answer() -> None:
    greedy = run("  draft: {op: generate, temperature: 0}", 1).candidates[0].text
    pool = polyarch.load(pipelines.path("hedged_pool"))
    with pool as pipe:
        drawn = pipe(STORY).trace
    made = [
        str(event.data["text"])
        for event in drawn
        if event.data.get("candidate") == "pool[0]" and "text" in event.data
    ]
    assert made == [greedy]


def keys(candidates: tuple[Candidate, ...]) -> list[str]:
    return [candidate.origin.key for candidate in candidates]


@pytest.mark.parametrize("method", ["knockout", "swiss", "sorted"])
def test_the_model_judges_by_pairs_in_every_form(method: str) -> None:
    rank = f"{{op: rank, method: {method}, orders: 1, keep: 2, temperature: 0}}"
    ranked = run(f"  drafts: {{op: generate, n: 3}}\n  ranked: {rank}", 2)
    assert all(0 <= candidate.scores["rank"] <= 1 for candidate in ranked.candidates)
    assert "unreadable" not in {event.what for event in ranked.trace}
