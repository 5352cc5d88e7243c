"""Choosing by rewards and confidences whose errors are known: what each rule comes to."""

from __future__ import annotations

from itertools import product
from math import isclose, prod
from random import Random
from statistics import fmean

from polyarch.compiler.answers import answer_kind
from polyarch.compiler.op import All
from polyarch.compiler.values import Candidate
from polyarch.ops.select import Select
from polyarch.ops.vote import Vote

from .fake import Fake, candidates, decide

EXACT = answer_kind("exact")


def chosen(op: All, given: list[Candidate]) -> str:
    (best,) = decide(op, Fake(answer=EXACT), given)
    return best.text


def heavy_tailed(rng: Random, draws: int) -> list[Candidate]:
    """Draws that are right two times in five, and else one of 300 wrong answers. The reward is
    right on average; of a wrong draw it has a heavy tail."""
    texts = ["right" if rng.random() < 0.4 else f"wrong {rng.randrange(300)}" for _ in range(draws)]
    rewards = [
        rng.gauss(1.0, 0.3) if text == "right" else 0.5 * rng.paretovariate(2.0) for text in texts
    ]
    return candidates(*texts, reward=rewards)


def right(draws: int, *, support: float | None, items: int = 25) -> float:
    rng = Random(draws)
    op = Select(by="reward", support=support)
    return fmean(chosen(op, heavy_tailed(rng, draws)) == "right" for _ in range(items))


def test_a_share_of_all_draws_holds_where_the_reward_alone_falls_with_more_draws() -> None:
    few, many = 8, 256
    assert right(many, support=None) < right(few, support=None) - 0.3
    # Two draws that agree are a share of a quarter of 8, and of next to nothing of 256.
    assert right(many, support=2 / many) < right(few, support=2 / few) - 0.2
    assert right(few, support=0.15) > 0.7
    assert right(many, support=0.15) == 1.0


def two_answers(rng: Random, wrong_texts: float, informed: bool) -> tuple[list[Candidate], str]:
    """An answer from memory, right in seven of ten, and one from a text that is wrong as often as
    said; how sure each is, which tells right from wrong or says nothing."""
    truth = "yes"
    memory = truth if rng.random() < 0.7 else "no"
    text = truth if rng.random() >= wrong_texts else "no"
    sure = [
        (0.8 if answer == truth else 0.2) + rng.uniform(-0.3, 0.3) if informed else rng.random()
        for answer in (memory, text)
    ]
    return candidates(memory, text, verdict=sure), truth


def arbitrated(op: All | int, informed: bool) -> float:
    rng = Random(7)
    hits = []
    for _ in range(200):
        given, truth = two_answers(rng, 0.35, informed)
        hits.append((given[op].text if isinstance(op, int) else chosen(op, given)) == truth)
    return fmean(hits)


def test_the_surer_of_two_answers_pays_only_if_confidence_tells_something() -> None:
    rule = Select(by="verdict")
    memory, text = 0, 1
    assert arbitrated(rule, True) > max(arbitrated(memory, True), arbitrated(text, True)) + 0.1
    noise = arbitrated(rule, False)
    assert noise < max(arbitrated(memory, False), arbitrated(text, False)) + 0.03


def test_a_vote_gains_by_approaches_that_err_apart_and_not_by_draws_that_err_together() -> None:
    """Three answers, each right with p = 0.6; with chance r all are one draw. The vote is then
    right with r p + (1 - r) (3 p² - 2 p³) if wrong answers agree."""
    p = 0.6
    apart = {
        outcome: chance(outcome, p) * (chosen(Vote(), candidates(*outcome)) == "right")
        for outcome in product(("right", "wrong"), repeat=3)
    }
    alike = chosen(Vote(), candidates(*["right"] * 3)) == "right"
    for together in (0.0, 0.5, 1.0):
        voted = together * p * alike + (1 - together) * sum(apart.values())
        assert isclose(voted, together * p + (1 - together) * (3 * p**2 - 2 * p**3))


def chance(outcome: tuple[str, ...], p: float) -> float:
    return prod(p if answer == "right" else 1 - p for answer in outcome)
