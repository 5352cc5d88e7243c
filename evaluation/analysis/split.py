"""How to divide a budget between solutions and verifications of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..intervals import Interval
from .coverage import Floats, spaced

__all__ = ["Allocation", "Cell", "Split", "split", "verdicts_of"]

Rule = Literal["weighted", "best"]

_ASSUMES = (
    "draws of a question are independent and alike, and so are verdicts on one; sets of them stand "
    "for new ones",
    "a verification costs its share of a solution, whichever solution it is of",
    "of answers or draws that tie, each is as likely to be chosen",
    "exponents are of the best cell of each budget: with few budgets they are coarse",
    "the cell chosen for a budget is the best of several, which flatters its accuracy",
)


@dataclass(frozen=True, slots=True)
class Cell:
    """`solutions` with so many `verifications` of each: what they cost, in solutions, and how often
    the answer chosen is right."""

    solutions: int
    verifications: int
    cost: float
    accuracy: Interval


@dataclass(frozen=True, slots=True)
class Allocation:
    """The best cell within a budget, in solutions, beside the best plain vote within it."""

    budget: float
    best: Cell
    vote: Cell


@dataclass(frozen=True, slots=True)
class Split:
    """Accuracy over a grid of solutions and verifications, and the best cell of each budget.

    `solutions` and `verifications` are the exponents of a power law of the budget fitted to the
    best cells with verifications, None where fewer than three budgets have one. `pays_from` is the
    lowest budget from which on verifying is better than a vote at every budget; None if it never
    is.
    """

    rule: Rule
    ratio: float
    grid: tuple[Cell, ...]
    chosen: tuple[Allocation, ...]
    solutions: float | None
    verifications: float | None
    pays_from: float | None
    items: int
    assumes: tuple[str, ...] = _ASSUMES

    def within(self, budget: float) -> Cell:
        """The best cell that costs at most so much; of equals the cheapest. Raises ValueError."""
        return _best([cell for cell in self.grid if cell.cost <= budget + 1e-9], budget)


def verdicts_of(scores: Floats, votes: int) -> NDArray[np.int64]:
    """How many of `votes` verdicts accepted each draw, by the share that did; -1 where there is no
    score. Raises ValueError for shares that so many verdicts cannot give.

    >>> verdicts_of(np.array([0.75, np.nan, 0.0]), 4).tolist()
    [3, -1, 0]
    """
    told = np.nan_to_num(scores, nan=-1.0) * votes
    counts = np.where(told < 0, -1, np.rint(told)).astype(np.int64)
    if np.any(counts > votes) or np.any((counts >= 0) & (np.abs(told - counts) > 1e-6)):
        raise ValueError(f"not every score is a share of {votes} verdicts")
    return counts


def split(
    right: Sequence[NDArray[np.bool_]],
    groups: Sequence[NDArray[np.int64]],
    accepted: Sequence[NDArray[np.int64]],
    votes: int,
    *,
    ratio: float = 1.0,
    rule: Rule = "weighted",
    budgets: Sequence[float] = (),
    orders: int = 64,
    level: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
) -> Split:
    """The grid of S solutions with V verifications each, and which cell is best for its price.

    Arrays are a question each, a draw a place: whether it is `right`, its answer (`groups`, -1 for
    none) and how many of its `votes` verdicts `accepted` it (-1 for none). S solutions and V
    verdicts of each are drawn from them without putting back, `orders` times. A cell costs
    S (1 + ratio V) solutions. Chosen is the answer with the largest sum of mean verdicts
    (`weighted`), or the draw with the highest (`best`); without verifications a plain vote.
    `budgets` are in solutions, by default those that a plain vote over the draws can spend as well.
    When To Solve, When To Verify (Singhi et al., 2025). Raises ValueError where there is nothing to
    choose.
    """
    most = min(map(len, right), default=0)
    if most < 2 or votes < 1 or ratio <= 0:
        raise ValueError("a split needs two draws of each question, a verdict on each, and a price")
    rng = np.random.default_rng(seed)
    ss = spaced(most)
    vs = (0, *spaced(votes))
    each = np.zeros((len(right), len(vs), len(ss)))
    for row, (r, g, a) in enumerate(zip(right, groups, accepted, strict=True)):
        order = rng.permuted(np.tile(np.arange(len(r)), (orders, 1)), axis=1)[:, :most]
        for column, v in enumerate(vs):
            each[row, column] = _chosen(r, g, a, votes, v, order, ss, rule, rng)
    weights = rng.multinomial(len(right), np.full(len(right), 1 / len(right)), resamples)
    grid = tuple(
        Cell(s, v, s * (1 + ratio * v), _mean(each[:, column, place], weights / len(right), level))
        for column, v in enumerate(vs)
        for place, s in enumerate(ss)
    )
    chosen = _allocations(grid, budgets or [float(s) for s in ss[1:]])
    fitted = [own for own in chosen if own.best.verifications]
    return Split(
        rule,
        ratio,
        grid,
        chosen,
        _exponent([(own.budget, own.best.solutions) for own in fitted]),
        _exponent([(own.budget, own.best.verifications) for own in fitted]),
        _pays_from(chosen),
        len(right),
    )


def _chosen(
    right: NDArray[np.bool_],
    groups: NDArray[np.int64],
    accepted: NDArray[np.int64],
    votes: int,
    some: int,
    orders: NDArray[np.int64],
    ss: tuple[int, ...],
    rule: Rule,
    rng: np.random.Generator,
) -> Floats:
    """How often the answer chosen among the first S draws is right, for each S: over `orders`."""
    drawn = orders
    yes = np.maximum(accepted, 0)[drawn]
    known = accepted[drawn] >= 0
    mean = np.ones(drawn.shape)
    if some:
        taken = rng.hypergeometric(yes, votes - yes, some) if some < votes else yes
        mean = np.where(known, taken / some, 0.0)
    if rule == "best" and some:
        return _by_best(right[drawn], mean + known * 1e-9, ss)
    return _by_votes(right, groups, drawn, mean, ss)


def _by_best(right: NDArray[np.bool_], mean: Floats, ss: tuple[int, ...]) -> Floats:
    told = []
    for s in ss:
        first, good = mean[:, :s], right[:, :s]
        top = first >= first.max(axis=1, keepdims=True) - 1e-12
        told.append(((top & good).sum(axis=1) / top.sum(axis=1)).mean())
    return np.asarray(told)


def _by_votes(
    right: NDArray[np.bool_],
    groups: NDArray[np.int64],
    drawn: NDArray[np.int64],
    mean: Floats,
    ss: tuple[int, ...],
) -> Floats:
    kinds = int(groups.max(initial=-1)) + 1
    if not kinds:
        return np.zeros(len(ss))
    sizes = np.bincount(groups[groups >= 0], minlength=kinds)
    share = np.bincount(groups[groups >= 0], weights=right[groups >= 0], minlength=kinds)
    shares = share / np.maximum(sizes, 1)
    cast = np.zeros((*drawn.shape, kinds + 1))
    np.put_along_axis(cast, np.where(groups < 0, kinds, groups)[drawn][..., None], 1.0, axis=2)
    counts = np.cumsum(cast, axis=1)[..., :kinds]
    sums = np.cumsum(cast * mean[..., None], axis=1)[..., :kinds]
    told = []
    for s in ss:
        # Where every weight is 0, heads are counted, as a vote's `otherwise: plurality` does.
        weights = np.where(
            sums[:, s - 1].max(axis=1)[:, None] > 0, sums[:, s - 1], counts[:, s - 1]
        )
        top = (weights >= weights.max(axis=1, keepdims=True) - 1e-9) & (weights > 0)
        told.append(((top * shares).sum(axis=1) / np.maximum(top.sum(axis=1), 1)).mean())
    return np.asarray(told)


def _allocations(grid: Sequence[Cell], budgets: Sequence[float]) -> tuple[Allocation, ...]:
    made = []
    for budget in budgets:
        fits = [cell for cell in grid if cell.cost <= budget + 1e-9]
        plain = [cell for cell in fits if not cell.verifications]
        if plain:
            made.append(Allocation(budget, _best(fits, budget), _best(plain, budget)))
    return tuple(made)


def _best(cells: Sequence[Cell], budget: float) -> Cell:
    if not cells:
        raise ValueError(f"{budget:g} solutions' worth buys nothing")
    return max(cells, key=lambda cell: (cell.accuracy.estimate, -cell.cost))


def _exponent(told: Sequence[tuple[float, int]]) -> float | None:
    """The slope of the logarithm of a count over that of the budget."""
    if len(told) < 3:
        return None
    budgets, counts = np.log(np.asarray(told, dtype=np.float64).T)
    return float(np.polyfit(budgets, counts, 1)[0])


def _pays_from(chosen: Sequence[Allocation]) -> float | None:
    found = None
    for own in reversed(chosen):
        if not own.best.verifications or own.best.accuracy.estimate <= own.vote.accuracy.estimate:
            break
        found = own.budget
    return found


def _mean(own: Floats, weights: Floats, level: float) -> Interval:
    low, high = np.quantile(weights @ own, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(own.mean()), float(low), float(high))
