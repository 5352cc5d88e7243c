"""What trials tell of one another: the points tried, smoothed by a Gaussian process.

How a point did on few questions is mostly luck, and the luckiest of many points looks best. Points
that share choices share what is learnt of these, so what is expected of a point rests on all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..compiler.space import Choice
from .encoding import Encoding, Matrix
from .gaussian import Gaussian, Reach
from .trial import Trial

__all__ = ["Belief"]

_MOST = 240
"""So many trials are looked at: the best ones, and of the others every second, third, …"""


class Belief:
    """Fitted to the trials of one objective."""

    def __init__(
        self,
        encoding: Encoding,
        trials: Sequence[Trial],
        values: Mapping[str, tuple[float, float]],
        reach: Reach | None = None,
    ) -> None:
        """`values` tells by key what a trial was measured to be worth, and the variance of that;
        `reach` is that of an earlier belief, if it is to be kept."""
        self._encoding = encoding
        rows = encoding([trial.choice for trial in trials])
        told = np.asarray([values[trial.key] for trial in trials])
        used = _used(told[:, 0])
        self._model = Gaussian(rows[used], told[used, 0], told[used, 1], reach)
        self.reach = self._model.reach
        mean, _ = self._model(rows)
        self.expected = {trial.key: float(m) for trial, m in zip(trials, mean, strict=True)}

    def __call__(self, choices: Sequence[Choice]) -> tuple[Matrix, Matrix]:
        """What is expected of points, and the standard deviations."""
        return self._model(self._encoding(choices))


def _used(values: Matrix) -> NDArray[np.intp]:
    """The places of the trials that are looked at."""
    ranked = np.argsort(-values, kind="stable")
    if len(ranked) <= _MOST:
        return np.sort(ranked)
    best, others = ranked[: _MOST // 2], ranked[_MOST // 2 :]
    return np.sort(np.concatenate([best, others[:: -(-len(others) // (_MOST // 2))]]))
