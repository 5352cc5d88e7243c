"""Agreement of judges beyond chance."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

__all__ = ["cohen_kappa", "fleiss_kappa"]


def cohen_kappa(one: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    """Agreement of two judges of the same things: 1 when always, 0 as by chance.

    NaN where both always say one and the same. A Coefficient of Agreement for Nominal Scales
    (Cohen, 1960). Raises ValueError for verdicts that make no pairs.

    >>> cohen_kappa("aabb", "aaba")
    0.5
    """
    if len(one) != len(other) or not one:
        raise ValueError(f"{len(one)} and {len(other)} verdicts do not make pairs")
    kinds = {*one, *other}
    seen = sum(a == b for a, b in zip(one, other, strict=True)) / len(one)
    by_chance = (
        sum(sum(a == kind for a in one) * sum(b == kind for b in other) for kind in kinds)
        / len(one) ** 2
    )
    return float("nan") if by_chance == 1 else (seen - by_chance) / (1 - by_chance)


def fleiss_kappa(verdicts: Sequence[Sequence[Hashable]]) -> float:
    """Agreement of several judges, a thing a row; rows may differ in how many judged.

    Things with one verdict are left out; NaN where all say the same of everything. Measuring
    Nominal Scale Agreement Among Many Raters (Fleiss, 1971). Raises ValueError if nothing has two.
    """
    rows = [own for own in verdicts if len(own) > 1]
    if not rows:
        raise ValueError("nothing was judged twice")
    kinds = list(dict.fromkeys(verdict for own in rows for verdict in own))
    counts = np.array([[sum(v == kind for v in own) for kind in kinds] for own in rows])
    each = counts.sum(axis=1)
    seen = np.mean((counts * (counts - 1)).sum(axis=1) / (each * (each - 1)))
    by_chance = float(np.sum((counts.sum(axis=0) / each.sum()) ** 2))
    return float("nan") if by_chance == 1 else float((seen - by_chance) / (1 - by_chance))
