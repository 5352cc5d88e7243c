"""Whether one pipeline is better than another, by how much, at what price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..intervals import Interval, bootstrap, holm, sign_test
from ..record import Record
from .costs import costs
from .summary import by_item

__all__ = ["Comparison", "compared"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A pipeline less a baseline, question by question, over those that both were asked.

    `difference` is of mean scores with its 95% bootstrap interval; `wins` and `losses` count
    questions with a higher and a lower score, `p` is that of the sign test over them, adjusted by
    Holm for all comparisons of a report. `calls`, `tokens` and `usd` are how many times as much a
    question took; None where the baseline took nothing.
    """

    name: str
    baseline: str
    questions: int
    difference: Interval
    wins: int
    losses: int
    p: float
    calls: float | None
    tokens: float | None
    usd: float | None

    @property
    def sure(self) -> bool:
        """Whether the interval lies to one side of 0."""
        return self.difference.low > 0 or self.difference.high < 0


def compared(
    records: Mapping[str, Sequence[Record]], baselines: Sequence[str]
) -> tuple[Comparison, ...]:
    """Every pipeline against every baseline that is another one."""
    pairs = [(n, b) for n in records for b in baselines if n != b and n not in baselines]
    if not pairs:
        pairs = [(n, baselines[0]) for n in records if baselines and n != baselines[0]]
    made = [_pair(name, base, records[name], records[base]) for name, base in pairs]
    made = [one for one in made if one.questions]
    adjusted = holm([one.p for one in made])
    return tuple(replace(one, p=p) for one, p in zip(made, adjusted, strict=True))


def _pair(
    name: str, baseline: str, records: Sequence[Record], others: Sequence[Record]
) -> Comparison:
    mine, theirs = by_item(records), by_item(others)
    both = [item for item in mine if item in theirs]
    differences = [mine[item] - theirs[item] for item in both]
    wins = sum(one > 0 for one in differences)
    losses = sum(one < 0 for one in differences)
    own, other = (
        costs([record for record in some if record.item in set(both)] or some)
        for some in (records, others)
    )
    return Comparison(
        name,
        baseline,
        len(both),
        bootstrap(differences) if both else Interval(0.0, 0.0, 0.0),
        wins,
        losses,
        sign_test(wins, losses),
        _times(own.calls, other.calls),
        _times(own.tokens, other.tokens),
        _times(own.usd, other.usd),
    )


def _times(one: float, other: float) -> float | None:
    return one / other if other else None
