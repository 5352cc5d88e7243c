"""How tokens are split over the items of a list: by what each needs, and by its place."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import cos, pi
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Allot"]


class Allot(BaseModel):
    """Split so many tokens over items, as caps of a reply.

    Plan and Budget: Effective and Efficient Test-Time Scaling on Reasoning Large Language Models
    (Lin et al., 2025). The shapes of the schedules are our form.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: Annotated[int, Field(ge=1)]
    """What is split; the caps of all items sum to it exactly."""
    decay: Literal["equal", "linear", "polynomial", "exponential", "cosine"] = "equal"
    """How the share of an item falls with its place in the list."""
    steepness: Annotated[float, Field(ge=1, le=10)] = 2.0
    """The power of `polynomial`; how many times the next share an `exponential` one is."""
    weigh: str | None = None
    """The field of each item of a `json` list that says how much it needs, by which its share is
    multiplied; the steps are asked the item without it."""

    def caps(self, weights: Sequence[float]) -> tuple[int, ...]:
        """The cap of each item: one token, and its share of the rest. Raises ValueError for fewer
        tokens than items.

        >>> Allot(tokens=60, decay="linear").caps([1, 1, 1])
        (30, 20, 10)
        """
        count, spare = len(weights), self.tokens - len(weights)
        if spare < 0:
            raise ValueError(f"{self.tokens} tokens are too few for {count} items")
        shares = [Fraction(w) * Fraction(self._share(i, count)) for i, w in enumerate(weights)]
        exact = [spare * share / sum(shares) for share in shares]
        caps = [1 + int(part) for part in exact]
        # What is left after rounding down goes to the largest remainders, the first of equals.
        order = sorted(range(count), key=lambda place: (-(exact[place] % 1), place))
        for place in order[: self.tokens - sum(caps)]:
            caps[place] += 1
        return tuple(caps)

    def _share(self, place: int, count: int) -> float:
        left = (count - place) / count
        match self.decay:
            case "equal":
                return 1.0
            case "linear":
                return left
            case "polynomial":
                return float(left**self.steepness)
            case "exponential":
                return float(self.steepness**-place)
            case "cosine":
                return (1 + cos(pi * place / count)) / 2
