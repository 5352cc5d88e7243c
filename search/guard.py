"""A guard of held-back questions: how good the leader is, told so that asking often spoils little.

A search that is taken up again and again fits the questions that it chooses by. The guard compares
the mean on those with the mean on questions that were held back, and says the latter, with noise,
only where the two are far apart; such answers are counted and come to an end. (Thresholdout, Dwork
et al., 2015, "Preserving Statistical Validity in Adaptive Data Analysis"; the threshold, the noise
and the number of answers are our own.)
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from random import Random

__all__ = ["ANSWERS", "Answer", "Guard", "guard_of"]

ANSWERS = 8
"""How often the guard tells what it knows of the held-back questions."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the guard says. `fitted` is whether the search has fitted its questions: then `value` is
    that of the held-back ones, with noise; else it is the search's own."""

    value: float
    fitted: bool


@dataclass(frozen=True, slots=True)
class Guard:
    """Means further apart than about `threshold` are told with Laplace noise of scale `noise`, at
    most `answers` times; all in units of the score. What counts as far apart is noisy, too, by half
    the threshold at most: so the search's own mean is never told where it is further off than one
    and a half of it."""

    threshold: float
    noise: float
    answers: int = ANSWERS

    def answer(self, seen: float, held: float, dice: Random) -> Answer:
        """What is said of a pipeline with these means on seen and on held-back questions."""
        most = self.threshold / 2
        blur = _laplace(2 * self.noise, dice) + _laplace(4 * self.noise, dice)
        if abs(seen - held) <= self.threshold + max(-most, min(most, blur)):
            return Answer(seen, fitted=False)
        return Answer(held + _laplace(self.noise, dice), fitted=True)


def guard_of(held: int, answers: int = ANSWERS) -> Guard:
    """The guard of so many held-back questions: its threshold is two standard errors of a score of
    one half, its noise a sixteenth of that."""
    threshold = 1 / sqrt(held)
    return Guard(threshold, threshold / 16, answers)


def _laplace(scale: float, dice: Random) -> float:
    drawn = dice.random() - 0.5
    return -scale * (1 if drawn > 0 else -1) * log(max(1e-12, 1 - 2 * abs(drawn)))
