"""What is sound in a plan but hardly meant."""

from __future__ import annotations

from collections.abc import Iterator

from ..lacks import lacks
from ..op import Source
from ..plan import Plan

__all__ = ["lints"]


def lints(plan: Plan) -> tuple[str, ...]:
    """What people should know of a plan: the notes of its passes, then the lints."""
    return (
        *plan.graph.notes,
        *map(str, lacks(plan.graph)),
        *_identical_draws(plan),
        *_votes_below_zero(plan),
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
