"""Whether a budget from outside the pipeline can be enough."""

from __future__ import annotations

from .errors import PlanRefused
from .plan import Plan
from .spec import Budget
from .unpriced import refuse_dollars

__all__ = ["refuse_unaffordable"]


def refuse_unaffordable(plan: Plan, budget: Budget, whose: str, questions: int = 1) -> None:
    """Raise `PlanRefused` if so many questions need more than the budget even at their least, or
    if dollars are limited and nobody knows what a model costs. `whose` names the budget."""
    refuse_dollars(plan.graph, budget)
    needs = {
        "calls": plan.total.calls.low,
        "tokens": plan.total.tokens.low,
        "usd": plan.total.usd.low,
    }
    for unit, least in needs.items():
        limit = getattr(budget, unit)
        if limit is None or least * questions <= limit:
            continue
        if questions == 1:
            needed = f"a question needs at least {least:,g} {unit}"
        else:
            needed = (
                f"{questions:,} questions need at least {least * questions:,g} {unit}, {least:,g} "
                "each"
            )
        raise PlanRefused(f"{needed}, and {whose} is {limit:,g}")
