"""Replies that are numbers: embeddings and rewards."""

from __future__ import annotations

from pydantic import ValidationError

from ..base import Piece, Request
from .faults import Faults
from .wire import Of, numbers

__all__ = ["read_numbers"]


def read_numbers(raw: bytes, request: Request, faults: Faults) -> Piece:
    """The whole reply as one piece. Raises `BackendError`.

    Where a reward model tells one number a token, the last is the reward.
    """
    try:
        told = numbers(raw)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise faults.unreadable(f"sent what cannot be read: {where} {problem['msg']}") from None
    if told.error:
        raise faults.told(told.error)
    values = _values(told.data[0]) if told.data else []
    if not values:
        raise faults.unreadable("gave an empty reply")
    if request.wants == "reward" and len(values) != 1:
        raise faults.unreadable(f"gave {len(values)} numbers where a reward is one")
    spent = told.usage.prompt_tokens if told.usage is not None else None
    return Piece(
        request.draws[0].index,
        prompt_tokens=spent or 0,
        finish="stop",
        values=tuple(values),
    )


def _values(of: Of) -> list[float]:
    for found in (of.embedding, of.data, of.probs):
        if found:
            last = found[-1]
            if isinstance(last, list):
                return last
            return [value for value in found if not isinstance(value, list)]
    return [] if of.score is None else [of.score]
