"""The budget of a batch, as the command line says it."""

from __future__ import annotations

import click
from pydantic import ValidationError

from ..compiler.names import nearest
from ..compiler.spec import Budget

__all__ = ["budget_of"]


def budget_of(text: str | None) -> Budget | None:
    """`calls=2000,usd=5,on_budget=best` as a budget. Raises `click.BadParameter`."""
    if text is None:
        return None
    given: dict[str, str] = {}
    for part in text.split(","):
        unit, equals, limit = part.strip().partition("=")
        if unit not in Budget.model_fields or not equals:
            hint = nearest(unit, Budget.model_fields)
            raise click.BadParameter(f"{part!r} is not UNIT=LIMIT; {hint}", param_hint="--budget")
        given[unit] = limit.replace("_", "")
    try:
        return Budget.model_validate(given)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        told = f"{problem['loc'][0]}: {problem['msg']}"
        raise click.BadParameter(told, param_hint="--budget") from error
