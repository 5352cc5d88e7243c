"""What is sound in a plan but hardly meant."""

from __future__ import annotations

from collections.abc import Iterator

from ..graph import Graph
from ..lacks import lacks
from ..op import Source
from ..plan import Plan
from ..spec import Limits
from ..unpriced import unpriced

__all__ = ["lints"]


def lints(plan: Plan) -> tuple[str, ...]:
    """What people should know of a plan: the notes of its passes, then the lints."""
    return (
        *plan.graph.notes,
        *map(str, lacks(plan.graph)),
        *_identical_draws(plan),
        *_votes_below_zero(plan),
        *_loose_limits(plan.graph),
        *_slow(plan),
        *_unconfined(plan),
        *_unpriced(plan.graph),
    )


def _unpriced(graph: Graph) -> Iterator[str]:
    """Models that seem to cost nothing, since nobody knows what they cost."""
    for name in unpriced(graph):
        yield f"the price of {name} is not known and counts as 0; say it with `price:`"


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
        if not isinstance(node.op, Source) or node.op.varies:
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
        if node.kind != "vote" or getattr(node.op, "scale", None) is not None:
            continue
        if (weight := getattr(node.op, "weight", None)) in _BELOW_ZERO:
            yield (
                f"step {node.name!r} weighs votes by {weight!r}, which is below 0, so that no "
                "vote counts: weigh by 'probability_mean'"
            )


def _slow(plan: Plan) -> Iterator[str]:
    """A budget of seconds below the least that GPUs are estimated to take. Only a note, for it is
    an estimate: what a run took is measured."""
    limit = plan.graph.budgets[""].seconds if "" in plan.graph.budgets else None
    seconds = plan.total.seconds
    if limit is not None and seconds is not None and seconds.low > limit:
        yield (
            f"a question is estimated to take at least {seconds.low:.2g} seconds on these GPUs "
            f"and the budget is {limit:g}"
        )


def _unconfined(plan: Plan) -> Iterator[str]:
    """Programs that a model writes, run with nothing around them."""
    for node in plan.graph.nodes.values():
        if node.op.unconfined():
            yield (
                f"step {node.name!r} says `sandbox: none`: it runs what a model wrote with all "
                "that you may do, and wants --allow-unsandboxed"
            )
