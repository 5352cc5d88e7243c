"""The split between solutions and verifications that is chosen is the one that is best."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from polyarch.evaluation.analysis.split import Rule, Split, split, verdicts_of

VOTES, ACCEPTS_RIGHT, ACCEPTS_WRONG = 8, 0.9, 0.4

Questions = tuple[list[NDArray[np.bool_]], list[NDArray[np.int64]], list[NDArray[np.int64]]]


def simulated(count: int, draws: int, seed: int) -> Questions:
    """Questions of beta distributed difficulty, with a verifier of known error rates; wrong answers
    are one of three."""
    rng = np.random.default_rng(seed)
    right, groups, accepted = [], [], []
    for chance in rng.beta(1, 2, count):
        own = rng.random(draws) < chance
        right.append(own)
        groups.append(np.where(own, 0, rng.integers(1, 4, draws)))
        accepted.append(rng.binomial(VOTES, np.where(own, ACCEPTS_RIGHT, ACCEPTS_WRONG)))
    return right, groups, accepted


def true_accuracy(solutions: int, verifications: int, count: int = 30_000) -> float:
    """Best of `solutions` by the mean of `verifications`, simulated anew for every cell."""
    rng = np.random.default_rng(7)
    chance = rng.beta(1, 2, count)[:, None]
    own = rng.random((count, solutions)) < chance
    rate = np.where(own, ACCEPTS_RIGHT, ACCEPTS_WRONG)
    marks = rng.binomial(verifications, rate) if verifications else np.zeros(own.shape)
    chosen = (marks + rng.random(own.shape) / 2).argmax(axis=1)
    return float(own[np.arange(count), chosen].mean())


def test_the_chosen_split_is_the_enumerated_optimum() -> None:
    told = split(*simulated(1000, 16, 1), VOTES, rule="best", budgets=(8, 16, 32, 64))
    for own in told.chosen:
        cells = [c for c in told.grid if c.cost <= own.budget and c.verifications]
        truth = {(c.solutions, c.verifications): true_accuracy(*_of(c)) for c in cells}
        best = max(truth, key=truth.__getitem__)
        chosen = (own.best.solutions, own.best.verifications)
        assert chosen == best or truth[best] - truth[chosen] < 0.005, own.budget
        assert own.best.accuracy.estimate == pytest.approx(truth[chosen], abs=0.03)
    assert told.chosen[-1].best.verifications > told.chosen[0].best.verifications
    assert told.solutions is not None
    assert told.verifications is not None
    assert told.solutions > 0
    assert told.verifications > 0


def _of(cell: object) -> tuple[int, int]:
    return cell.solutions, cell.verifications  # type: ignore[attr-defined]


def test_a_verifier_that_tells_nothing_never_pays() -> None:
    right, groups, accepted = simulated(400, 8, 2)
    rng = np.random.default_rng(0)
    told = split(right, groups, [rng.binomial(VOTES, 0.5, len(own)) for own in accepted], VOTES)
    assert all(own.best.verifications == 0 for own in told.chosen[1:])
    assert (told.pays_from, told.verifications) == (None, None)


def test_a_perfect_verifier_reaches_the_oracle() -> None:
    right, groups, _ = simulated(200, 8, 3)
    told = split(right, groups, [own.astype(np.int64) for own in right], 1)
    (most,) = [c for c in told.grid if (c.solutions, c.verifications) == (8, 1)]
    assert most.accuracy.estimate == pytest.approx(np.mean([own.any() for own in right]))
    assert told.pays_from is not None


@pytest.mark.parametrize("rule", ["weighted", "best"])
def test_without_verifications_it_is_a_vote_and_one_draw_is_one_draw(rule: Rule) -> None:
    right, groups, accepted = simulated(300, 8, 4)
    told: Split = split(right, groups, accepted, VOTES, rule=rule)
    cells = {(c.solutions, c.verifications): c for c in told.grid}
    one = np.mean([own.mean() for own in right])
    assert cells[1, 0].accuracy.estimate == pytest.approx(one, abs=0.01)
    assert cells[1, 8].accuracy.estimate == pytest.approx(one, abs=0.01)
    votes = []
    for own, answers in zip(right, groups, strict=True):
        counts = np.bincount(answers)
        top = counts == counts.max()
        votes.append(np.mean([own[answers == group].any() for group in np.flatnonzero(top)]))
    assert cells[8, 0].accuracy.estimate == pytest.approx(np.mean(votes))
    assert cells[4, 2].cost == 12
    assert told.within(12).cost <= 12


def test_verdicts_are_read_out_of_shares() -> None:
    assert verdicts_of(np.array([0.25, 1.0, np.nan]), 4).tolist() == [1, 4, -1]
    with pytest.raises(ValueError, match="not every score is a share of 3 verdicts"):
        verdicts_of(np.array([0.25]), 3)
    with pytest.raises(ValueError, match="not every score"):
        verdicts_of(np.array([1.5]), 2)


def test_what_cannot_be_split_is_said() -> None:
    right, groups, accepted = simulated(3, 1, 5)
    with pytest.raises(ValueError, match="two draws"):
        split(right, groups, accepted, VOTES)
    right, groups, accepted = simulated(3, 4, 5)
    with pytest.raises(ValueError, match="buys nothing"):
        split(right, groups, accepted, VOTES).within(0.5)
