"""What a search has found, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..compiler.graph import Graph
from ..compiler.space import Choice
from ..evaluation.intervals import Interval, paired_bootstrap
from .aim import Aim
from .examiner import Spent
from .mark import Mark
from .trial import Trial, mean

__all__ = [
    "Ablated",
    "Contestant",
    "Found",
    "Guarded",
    "Started",
    "difference",
    "score_interval",
]


def score_interval(marks: Sequence[Mark]) -> Interval:
    """The mean score, with the 95% interval of a bootstrap over questions."""
    told = [mark.score for mark in marks if mark.score is not None]
    return paired_bootstrap(told, [0.0] * len(told))


def difference(one: Sequence[Mark], other: Sequence[Mark], aim: Aim | None = None) -> Interval:
    """How much better one is on the questions that both answered, paired."""
    measure = aim or Aim()
    both = zip(measure.over(one), measure.over(other), strict=False)
    told = [(a, b) for a, b in both if a is not None and b is not None]
    return paired_bootstrap([a for a, _ in told], [b for _, b in told])


@dataclass(frozen=True)
class Contestant:
    """A pipeline on the locked questions. The winner comes first, then what it is held against."""

    name: str
    text: str
    marks: tuple[Mark, ...]

    @property
    def score(self) -> Interval:
        """The mean score with its interval."""
        return score_interval(self.marks)

    def cost(self, unit: str) -> float:
        """What a question cost on average."""
        return sum(float(getattr(m, unit)) for m in self.marks) / max(1, len(self.marks))


@dataclass(frozen=True)
class Ablated:
    """The winner with less: what it loses, on the same draws, and what it saves.

    `why` says that this cannot be told from the bank, or that it cannot run.
    """

    change: str
    text: str = ""
    loss: Interval | None = None
    questions: int = 0
    tokens_saved: float = 0.0
    calls_saved: float = 0.0
    why: str = ""

    @property
    def worth(self) -> float | None:
        """The score lost for each thousand tokens saved; None where nothing is saved or known."""
        if self.loss is None or self.tokens_saved <= 0:
            return None
        return 1000 * self.loss.estimate / self.tokens_saved


@dataclass(frozen=True, slots=True)
class Guarded:
    """What the guard said of the winner. `value` is None where it said nothing: it had told what it
    knows as often as it may, or its questions could not be paid for; `why` says which.

    `fitted` is whether the search had fitted its questions; `questions` were held back, and `told`
    is how many of the `most` answers about them are used up.
    """

    value: float | None
    fitted: bool
    questions: int
    told: int
    most: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """A point that was tried first: where it comes from, and which place it came in by what was
    found, of how many; None if it was not asked."""

    source: str
    trial: int
    place: int | None
    of: int


@dataclass(frozen=True)
class Found:
    """The outcome of a search. `trials` are all, the likely best first; `test` begins with the
    winner, and is empty where the locked questions were not opened.

    `dropped` names what the ablation took away from the winner. `opened` is how often the locked
    questions were opened for this study, this time included.
    """

    best: Trial
    text: str
    trials: tuple[Trial, ...]
    front: tuple[Trial, ...]
    told: Sequence[tuple[str, str]]
    aims: tuple[Aim, ...]
    why: str
    calls: int
    tokens: int
    usd: float
    seconds: float
    test: tuple[Contestant, ...] = ()
    ablation: tuple[Ablated, ...] = ()
    dropped: tuple[str, ...] = ()
    opened: int = 0
    guarded: Guarded | None = None
    spending: Mapping[str, Spent] = field(default_factory=dict)
    """What this process newly asked for, by the name of the step."""
    graph: Graph | None = None
    """The winner, compiled."""
    started: tuple[Started, ...] = ()
    out: Path | None = None
    size: int | None = None
    choices: dict[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    """What was chosen in words, by the key of the trial."""

    @property
    def choice(self) -> Choice:
        """What was chosen."""
        return self.best.choice

    @property
    def dev(self) -> Interval:
        """The winner's score on the questions it was chosen by: too good, for it was chosen."""
        return score_interval(self.best.marks)

    @property
    def gap(self) -> float | None:
        """How much better it looked than it is: dev, or what the guard said, less test."""
        if not self.test:
            return None
        said = self.guarded.value if self.guarded is not None else None
        return (self.dev.estimate if said is None else said) - self.test[0].score.estimate

    @property
    def gains(self) -> dict[str, Interval]:
        """By what it was held against, how much better the winner is on the locked questions."""
        winner = self.test[:1]
        return {
            other.name: difference(one.marks, other.marks)
            for one in winner
            for other in self.test[1:]
            if mean([m.score for m in other.marks]) > float("-inf")
        }
