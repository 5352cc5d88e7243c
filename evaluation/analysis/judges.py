"""What judges of pairs go by: the order of what they see, its length, and one another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..intervals import Interval, bootstrap, sign_test, wilson
from .kappa import cohen_kappa, fleiss_kappa

__all__ = ["Agreement", "Judge", "Pair", "Verdict", "agreement", "judge"]

_ASSUMES = (
    "pairs are drawn at random",
    "the reference names the better output without error",
    "the better output is as easy to tell where it is the longer as where it is the shorter",
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The output, 1 or 2, that a judge prefers when the output `first` is shown first; None when it
    gave no verdict."""

    judge: str
    item: str
    first: int
    winner: int | None


@dataclass(frozen=True, slots=True)
class Pair:
    """What is known of two outputs: the better one, 1 or 2, and the longer one, 0 if neither."""

    better: int
    longer: int = 0


@dataclass(frozen=True, slots=True)
class Judge:
    """How one judge does.

    `accuracy` is the mean over orders. Of pairs judged in both orders, `consistent` got one
    verdict; of those that did not, `first` is the share where the output shown first won both
    times, and `order_p` the two-sided p-value of that being a fair coin. `longer` is how often the
    longer output won. `length_bias` is how much more often a judge is right where the longer output
    is the better one: 0 for a perfect judge and for a coin, 1 for one that takes the longer.
    """

    judge: str
    accuracy: Interval
    consistent: Interval | None
    first: Interval | None
    order_p: float
    longer: Interval | None
    length_bias: Interval | None
    pairs: int
    silent: int
    assumes: tuple[str, ...] = _ASSUMES


@dataclass(frozen=True, slots=True)
class Agreement:
    """Fleiss' kappa of all judges, Cohen's of every two; verdicts in both orders that contradict
    each other are a tie, which agrees with a tie."""

    fleiss: float
    cohen: Mapping[tuple[str, str], float]
    assumes: tuple[str, ...] = ("a verdict that changes with the order is a tie",)


def judge(verdicts: Sequence[Verdict], pairs: Mapping[str, Pair]) -> Judge:
    """The audit of one judge's verdicts. No verdict counts as wrong, and in no other figure.

    Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena (Zheng et al., 2023); Evaluating Large
    Language Models at Evaluating Instruction Following (Zeng et al., 2023). Raises ValueError
    without verdicts, KeyError for an item without its pair.
    """
    by = _by_item(verdicts)
    right = [np.mean([v.winner == pairs[item].better for v in own]) for item, own in by.items()]
    both = [own for own in by.values() if len(own) == 2 and None not in {v.winner for v in own}]
    same = sum(one.winner == other.winner for one, other in both)
    turned = [own for own in both if own[0].winner != own[1].winner]
    first = sum(own[0].winner == own[0].first for own in turned)
    return Judge(
        verdicts[0].judge,
        bootstrap([float(value) for value in right]),
        wilson(same, len(both)) if both else None,
        wilson(first, len(turned)) if turned else None,
        sign_test(first, len(turned) - first),
        *_length(by, pairs),
        pairs=len(by),
        silent=sum(verdict.winner is None for verdict in verdicts),
    )


def _length(
    by: Mapping[str, Sequence[Verdict]], pairs: Mapping[str, Pair]
) -> tuple[Interval | None, Interval | None]:
    won: list[float] = []
    right: dict[bool, list[float]] = {True: [], False: []}
    for item, own in by.items():
        pair, given = pairs[item], [v.winner for v in own if v.winner is not None]
        if pair.longer and given:
            won.append(sum(winner == pair.longer for winner in given) / len(given))
            hits = sum(winner == pair.better for winner in given) / len(given)
            right[pair.better == pair.longer].append(hits)
    longer = bootstrap(won) if won else None
    return longer, _difference(right[True], right[False]) if all(right.values()) else None


def _difference(one: Sequence[float], other: Sequence[float]) -> Interval:
    """The difference of two means with its 95% interval, each group resampled by itself."""
    rng, again = np.random.default_rng(0), []
    for group in (np.asarray(one), np.asarray(other)):
        count = len(group)
        again.append(rng.multinomial(count, np.full(count, 1 / count), 2000) @ group / count)
    low, high = np.quantile(again[0] - again[1], [0.025, 0.975])
    return Interval(float(np.mean(one) - np.mean(other)), float(low), float(high))


def agreement(verdicts: Iterable[Verdict]) -> Agreement:
    """How far judges agree on the items that they all judged. Raises ValueError for one judge."""
    said: dict[str, dict[str, int]] = {}
    by_judge: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_judge.setdefault(verdict.judge, []).append(verdict)
    for name, own in by_judge.items():
        said[name] = {item: _settled(both) for item, both in _by_item(own).items()}
    if len(said) < 2:
        raise ValueError("agreement needs two judges")
    shared = sorted(set.intersection(*(set(own) for own in said.values())))
    if not shared:
        raise ValueError("no item was judged by all judges")
    told = {name: [own[item] for item in shared] for name, own in said.items()}
    return Agreement(
        fleiss_kappa(list(zip(*told.values(), strict=True))),
        {(a, b): cohen_kappa(told[a], told[b]) for a, b in combinations(told, 2)},
    )


def _settled(verdicts: Sequence[Verdict]) -> int:
    """The output preferred; 0 for a tie, and for none."""
    winners = {verdict.winner for verdict in verdicts}
    return winners.pop() or 0 if len(winners) == 1 else 0


def _by_item(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    by: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by.setdefault(verdict.item, []).append(verdict)
    return by
