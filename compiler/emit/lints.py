"""What is sound in a plan but hardly meant."""

from __future__ import annotations

from collections.abc import Iterator

from ..graph import Graph
from ..lacks import lacks
from ..op import Source
from ..plan import Plan
from ..spec import Limits

__all__ = ["lints"]


def lints(plan: Plan) -> tuple[str, ...]:
    """What people should know of a plan: the notes of its passes, then the lints."""
    return (
        *plan.graph.notes,
        *map(str, lacks(plan.graph)),
        *_identical_draws(plan),
        *_votes_below_zero(plan),
        *_loose_limits(plan.graph),
    )


def _loose_limits(graph: Graph) -> Iterator[str]:
    """Limits larger than one around them, which is reached first."""
    for scope, budget in graph.budgets.items():
        for unit in Limits.model_fields:
            limit = getattr(budget, unit)
            above = [getattr(around, unit) for around in graph.around(scope.rpartition(".")[0])]
            least = min((one for one in above if one is not None), default=None)
            if scope and limit is not None and least is not None and limit > least:
                yield (
                    f"the budget of {scope} never binds at {limit:,g} {unit}: "
                    f"one around it has {least:,g}"
                )


def _identical_draws(plan: Plan) -> Iterator[str]:
    """Several draws of one prompt at temperature 0: they are one answer, paid for several times."""
    for node in plan.graph.nodes.values():
        if not isinstance(node.op, Source):
            continue
        drawn: dict[tuple[str | None, str | None], int] = {}
        for asking, group in zip(node.op.askings(), node.op.groups(), strict=True):
            if asking.temperature == 0:
                key = (asking.model, asking.prompt)
                drawn[key] = drawn.get(key, 0) + len(group)
        for (model, _), count in drawn.items():
            if count > 1:
                yield (
                    f"step {node.name!r} draws {count} times from {model} at temperature 0: "
                    "the draws are identical"
                )


_BELOW_ZERO = frozenset({"logprob", "logprob_mean"})


def _votes_below_zero(plan: Plan) -> Iterator[str]:
    """Votes that weigh by log probabilities: a weight below zero does not vote."""
    for node in plan.graph.nodes.values():
        if node.kind == "vote" and (weight := getattr(node.op, "weight", None)) in _BELOW_ZERO:
            yield (
                f"step {node.name!r} weighs votes by {weight!r}, which is below 0, so that no "
                "vote counts: weigh by 'probability_mean'"
            )
