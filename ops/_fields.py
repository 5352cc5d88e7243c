"""What operators read in the fields of a question that is a record."""

from __future__ import annotations

from ..compiler.op import Context
from ..compiler.values import Json

__all__ = ["field_of"]


def field_of(ctx: Context, name: str, what: str) -> Json:
    """A field of the question. Raises ValueError if it has none of that name; `what` says what was
    looked for in it."""
    if name not in ctx.question.fields:
        known = ", ".join(ctx.question.fields) or "none"
        raise ValueError(f"the question has no field {name!r} with {what}; its fields: {known}")
    return ctx.question.fields[name]
