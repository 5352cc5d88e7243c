"""What is sound in a plan but hardly meant."""

from __future__ import annotations

from collections.abc import Iterator

from ..op import Source
from ..plan import Plan
from ..unpriced import unpriced

__all__ = ["lints"]


def lints(plan: Plan) -> tuple[str, ...]:
    """What people should know of a plan: the notes of its passes, then the lints."""
    return (*plan.graph.notes, *_identical_draws(plan), *_unpriced(plan))


def _unpriced(plan: Plan) -> Iterator[str]:
    """Models that seem to cost nothing, since nobody knows what they cost."""
    for name in unpriced(plan.graph):
        yield f"the price of {name} is not known and counts as 0; say it with `price:`"


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
