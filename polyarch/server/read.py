"""A body of JSON as one of the shapes that it may have."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from ..compiler.errors import BadRequest
from ..compiler.names import nearest

__all__ = ["Unreadable", "read"]

BodyT = TypeVar("BodyT", bound=BaseModel)


class Unreadable(BadRequest):
    """A body that cannot be read. `param` is the field at fault."""

    def __init__(self, message: str, param: str | None = None) -> None:
        self.param = param
        super().__init__(message)


def read(shape: type[BodyT], raw: bytes) -> BodyT:
    """The body. Raises `Unreadable` with the first thing that is wrong."""
    try:
        return shape.model_validate_json(raw)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
    # What is missing may only be misspelt.
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    place = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        hint = nearest(place, shape.model_fields)
        raise Unreadable(f"unknown field {place!r}; {hint}".rstrip("; "), place)
    raise Unreadable(f"{place}: {problem['msg']}".removeprefix(": "), place or None)
