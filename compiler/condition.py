"""When candidates are good enough: the conditions of `when`, of loops and of cascades."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from math import isfinite
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .answers import AnswerKind
from .op import Flow, Mismatch
from .values import CUT, Candidate

__all__ = ["Condition"]


class Condition(BaseModel):
    """What must hold of some candidates. Of several parts, all must; of no candidates, nothing
    holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    agree: Annotated[float, Field(gt=0, le=1)] | None = None
    """So large a share of all candidates, those without an answer too, has one and the same
    answer."""
    score: Annotated[str, Field(min_length=1)] | None = None
    """The name of a score that `at_least` or `at_most` bounds. A score that is missing or not a
    finite number is out of bounds."""
    at_least: float | None = None
    at_most: float | None = None
    every: bool = False
    """Whether the score of every candidate must be within the bounds, not of one alone."""
    candidates: Annotated[int, Field(ge=1)] | None = None
    """There are at least so many candidates."""
    unchanged: bool = False
    """The answers are those of the turn before, in the same order. In a loop only."""
    ended: bool = False
    """No candidate was cut short: each ended by itself."""
    says: tuple[str, ...] = ()
    """The first candidate's text names one of these words."""
    among: tuple[str, ...] = ()
    """The words that `says` chooses from: the last of them in the text counts. If left out, those
    of `says`."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        bounded = self.at_least is not None or self.at_most is not None
        if (self.score is not None) != bounded:
            raise ValueError("a bound and the score that it bounds go together")
        if self.every and self.score is None:
            raise ValueError("`every` is for a score")
        if self.among and not set(self.says) <= set(self.among):
            raise ValueError("`says` must be some of `among`")
        parts = (self.agree, self.score, self.candidates, self.unchanged, self.ended, self.says)
        if not any(parts):
            raise ValueError("a condition says something: agree, score, candidates, unchanged …")
        return self

    def check(self, given: Flow, field: str) -> None:
        """Raise `Mismatch` on `field` unless the candidates carry the score."""
        if self.score is not None and self.score not in given.scores:
            there = ", ".join(sorted(given.scores)) or "none"
            told = f"no score {self.score!r} on every candidate; scores there: {there}"
            raise Mismatch(told, field)

    def holds(
        self, kind: AnswerKind, now: Sequence[Candidate], before: Sequence[Candidate] = ()
    ) -> bool:
        """Whether it holds of the candidates of now; `before` are those of the turn before."""
        return (
            bool(now)
            and (self.candidates is None or len(now) >= self.candidates)
            and (self.agree is None or _agreement(kind, now) >= self.agree - _ROUNDING)
            and (self.score is None or self._bounded(now))
            and (not self.unchanged or _same(kind, now, before))
            and (not self.ended or all(one.finish != CUT for one in now))
            and (not self.says or _named(now[0].text, self.among or self.says) in self.says)
        )

    def _bounded(self, candidates: Sequence[Candidate]) -> bool:
        within = (self._within(candidate) for candidate in candidates)
        return all(within) if self.every else any(within)

    def _within(self, candidate: Candidate) -> bool:
        score = candidate.scores.get(self.score or "")
        if score is None or not isfinite(score):
            return False
        low = self.at_least is None or score >= self.at_least
        return low and (self.at_most is None or score <= self.at_most)


_ROUNDING = 1e-9
"""A share of 2/3 meets a bound written 0.666666667."""


def _agreement(kind: AnswerKind, candidates: Sequence[Candidate]) -> float:
    """The share of the most frequent answer."""
    answers = [c.answer for c in candidates if c.answer is not None]
    groups = kind.group(answers)
    return max((groups.count(group) for group in set(groups)), default=0) / len(candidates)


def _same(kind: AnswerKind, now: Sequence[Candidate], before: Sequence[Candidate]) -> bool:
    pairs = [(one.answer, other.answer) for one, other in zip(now, before, strict=False)]
    return len(now) == len(before) and all(
        a is not None and b is not None and kind.same(a, b) for a, b in pairs
    )


def _named(text: str, words: tuple[str, ...]) -> str:
    """The last of some words that a text names, whole and in any case; "" if none."""
    found = [*_pattern(words).finditer(text)]
    if not found:
        return ""
    last = found[-1][0].lower()
    return next(word for word in words if word.lower() == last)


@lru_cache(maxsize=256)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    either = "|".join(map(re.escape, longest_first))
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE)
