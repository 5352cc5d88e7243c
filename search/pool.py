"""Points whose pipelines were looked at: what each costs, and what it would open for the others.

Draws are shared. Whoever pays for sixteen drafts makes every point free that needs no more than
these; so what a point is worth is also what the others promise that need not be paid for then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..compiler.space import Choice
from .encoding import Matrix
from .lineage import Lineage
from .trial import key_of

__all__ = ["Pool"]


class Pool:
    """Keeps the most promising points. Costs are in calls for a question, estimates all."""

    def __init__(self, lineage: Callable[[Choice], Lineage | None], most: int = 96) -> None:
        """`lineage` looks at a pipeline, which takes a while; it is None where one cannot run."""
        self._lineage = lineage
        self._most = most
        self._needs: dict[str, tuple[Choice, Mapping[str, float]]] = {}
        self._refused: set[str] = set()

    def points(self) -> dict[str, Choice]:
        """The points by their keys."""
        return {key: choice for key, (choice, _) in self._needs.items()}

    def lacks(self, choice: Choice) -> bool:
        """Whether a point has still to be looked at."""
        key = key_of(choice)
        return key not in self._needs and key not in self._refused

    def add(self, choice: Choice) -> None:
        """Look at a point's pipeline."""
        key = key_of(choice)
        told = self._lineage(choice)
        if told is None:
            self._refused.add(key)
        else:
            needs: dict[str, float] = {}
            for origin, calls in told.steps.values():
                needs[origin] = needs.get(origin, 0.0) + calls
            self._needs[key] = choice, needs

    def keep(self, hopes: Mapping[str, float]) -> None:
        """Let go of points that are not told of, and of those with least hope."""
        kept = sorted((key for key in self._needs if key in hopes), key=lambda key: -hopes[key])
        self._needs = {key: self._needs[key] for key in kept[: self._most]}

    def prices(self, held: Callable[[str], float]) -> tuple[Matrix, Matrix]:
        """What each point costs, and by row what every other one costs after that row's was paid
        for; `held` tells of an origin how many draws of a question there are."""
        needs = [wanted for _, wanted in self._needs.values()]
        origins = sorted({origin for wanted in needs for origin in wanted})
        wanted = np.asarray([[one.get(origin, 0.0) for origin in origins] for one in needs])
        there = np.asarray([held(origin) for origin in origins])
        missing = np.maximum(0.0, wanted - there)
        after = np.maximum(0.0, wanted[None, :, :] - np.maximum(there, wanted)[:, None, :])
        return missing.sum(axis=1), after.sum(axis=2)
