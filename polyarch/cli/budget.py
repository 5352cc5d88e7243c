"""The budget of a batch, as the command line says it."""

from __future__ import annotations

import click
from pydantic import ValidationError

from ..compiler.errors import PlanRefused
from ..compiler.names import nearest
from ..compiler.plan import Plan
from ..compiler.spec import Budget
from ..compiler.unpriced import refuse_dollars

__all__ = ["budget_of", "refuse"]


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


def refuse(plan: Plan, budget: Budget, questions: int) -> None:
    """Raise `PlanRefused` if so many questions need more than the budget even at their least, or
    if dollars are limited and nobody knows what a model costs."""
    refuse_dollars(plan.graph, budget)
    needs = {
        "calls": plan.total.calls.low,
        "tokens": plan.total.tokens.low,
        "usd": plan.total.usd.low,
    }
    for unit, least in needs.items():
        limit = getattr(budget, unit)
        if limit is not None and least * questions > limit:
            raise PlanRefused(
                f"{questions:,} questions need at least {least * questions:,g} {unit}, {least:,g} "
                f"each, and the budget of the batch is {limit:,g}"
            )
