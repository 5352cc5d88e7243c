"""Do the same steps again and again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from ..condition import Condition
from ..flow import join
from ..graph import Graph, Node
from ..op import Flow
from .base import Region, Steps, Written, chosen, condition, placed

__all__ = ["Loop"]


class Loop(Region):
    """Do the same steps again and again, until a condition holds or `times` is reached.

    A turn reads what the turn before gave, the first one what the loop is fed. The result is what
    the last turn gave; if it gave nothing, what the one before it did. With `gather`, it is what
    all turns gave, and `until` looks at all of it.
    """

    steps: Steps
    """What is done in a turn; the last step is what it gives."""
    times: Annotated[int, Field(ge=1, le=100)]
    """The most turns."""
    until: Condition | None = None
    """When to stop before."""
    gather: bool = False
    """Whether the result holds the candidates of all turns."""

    @model_validator(mode="after")
    def _can_be_told(self) -> Self:
        if self.gather and self.until is not None and self.until.unchanged:
            raise ValueError("`unchanged` compares two turns, and `gather` looks at all together")
        return self

    def written(self) -> Mapping[str, Written]:
        return {"turn": Written(("steps",), self.steps)}

    def places(self, name: str) -> Iterator[tuple[str, str]]:
        for turn in range(1, self.times + 1):
            yield "turn", f"{name}.{turn}"

    def flow(self, given: Flow) -> Flow:
        turns: list[Flow] = []
        for turn in range(self.times):
            fed = turns[-1] if turns else given
            made = self.through("turn", fed)
            turns.append(made)
            if self.until is not None and turn + 1 < self.times:
                self.until.check(join(turns) if self.gather else made, "until")
        sure = turns if self.until is None else turns[:1]
        highs = [turn.count.high for turn in turns]
        if self.gather:
            return join(turns).with_count(sum(turn.count.low for turn in sure), sum(highs))
        low = min(turn.count.low for turn in turns) if self.until is None else turns[0].count.low
        return join(turns).with_count(min(low, 1) if self.until else low, max(highs))

    def unrolled(self, node: Node, bodies: Mapping[str, Graph]) -> Iterator[Node]:
        body = bodies["turn"]
        outputs: list[str] = []
        for _, prefix in self.places(node.name):
            fed, gate = (outputs[-1:] or node.inputs), ""
            if outputs and self.until is not None:
                gate = f"{node.name}.until{len(outputs)}"
                fails = self.until.model_dump(exclude_unset=True)
                told = {"fails": fails, "over": "all" if self.gather else "last"}
                yield condition(node, gate, told, self._looked_at(outputs))
                fed = [gate]
            yield from placed(body, prefix, node, fed, gate)
            outputs.append(f"{prefix}.{body.output}")
        yield chosen(node, outputs, "gather") if self.gather else chosen(node, outputs[::-1])

    def _looked_at(self, outputs: list[str]) -> list[str]:
        """What the condition reads after so many turns."""
        if self.gather:
            return outputs
        return outputs[-2:] if self.until is not None and self.until.unchanged else outputs[-1:]
