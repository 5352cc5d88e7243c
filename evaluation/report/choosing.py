"""What choosing among candidates was worth: the selected one beside the best and the plainest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from ..metrics.pass_at_k import pass_at_k
from ..record import Judged, Record

__all__ = ["Choosing", "choosing", "draws_of", "plurality"]


@dataclass(frozen=True, slots=True)
class Choosing:
    """Of the draws that a pipeline chose among: `one` is what a draw scores on average, `plurality`
    the most frequent answer (of equals, their mean), `oracle` the best draw. `gap` is what the
    oracle has over what was selected.

    `draws` and `distinct` answers are for one question; `silent` of all draws held no answer. On
    `discordant` questions the draws differ in score. `pass_at` holds unbiased estimates where each
    question has equally many draws of one step.
    """

    draws: float
    distinct: float
    silent: int
    one: float
    plurality: float
    oracle: float
    gap: float
    discordant: int
    pass_at: Mapping[int, float]


def choosing(records: Sequence[Record], selected: float) -> Choosing | None:
    """What choosing was worth over records; None where no record holds two draws."""
    drawn = [draws_of(record) for record in records]
    drawn = [draws for draws in drawn if draws]
    if not any(len(draws) > 1 for draws in drawn):
        return None
    scores = [[draw.score or 0.0 for draw in draws] for draws in drawn]
    oracle = fmean(max(own) for own in scores)
    return Choosing(
        draws=fmean(map(len, drawn)),
        distinct=fmean(len({draw.group for draw in draws} - {-1}) for draws in drawn),
        silent=sum(draw.answer is None for draws in drawn for draw in draws),
        one=fmean(fmean(own) for own in scores),
        plurality=fmean(plurality(draws) for draws in drawn),
        oracle=oracle,
        gap=oracle - selected,
        discordant=sum(min(own) < max(own) for own in scores),
        pass_at=_pass_at(scores),
    )


def draws_of(record: Record) -> tuple[Judged, ...]:
    """The candidates of the first step that made any: what later steps had to choose among."""
    if not record.candidates:
        return ()
    first = record.candidates[0].step
    return tuple(one for one in record.candidates if one.step == first)


def plurality(draws: Sequence[Judged]) -> float:
    """The score of the most frequent answer; the mean over those that tie. *No answer* does not
    vote; where nothing does, it is 0."""
    votes = Counter(draw.group for draw in draws if draw.group >= 0)
    if not votes:
        return 0.0
    most = max(votes.values())
    winners = [group for group, count in votes.items() if count == most]
    return fmean(draws[group].score or 0.0 for group in winners)


def _pass_at(scores: Sequence[Sequence[float]]) -> Mapping[int, float]:
    counts = {len(own) for own in scores}
    if len(counts) != 1 or any(value not in (0.0, 1.0) for own in scores for value in own):
        return {}
    (draws,) = counts
    ks = [k for k in (1, 2, 3, 4, 5, 8, 10, 16, 25, 32, 50, 64, 100, 128, 256) if k < draws]
    return {k: fmean(pass_at_k(draws, int(sum(own)), k) for own in scores) for k in (*ks, draws)}
