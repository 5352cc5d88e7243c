"""Answer each kind of question in its own way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from ..flow import join
from ..graph import Graph, Node
from ..op import Flow, Mismatch
from .base import Body, Region, Written, chosen, condition, placed

__all__ = ["Route"]

_BY = "by"


class Route(Region):
    """Answer each kind of question in its own way.

    `by` gives one candidate, whose text names a case; the steps of that case answer, the others do
    not run. Where the text names several cases the last one counts, and where it names none, or
    there is no candidate, `otherwise`.
    """

    by: Body
    """What decides: one step, or `steps:`."""
    cases: Annotated[Mapping[str, Body], Field(min_length=2)]
    """The ways to answer, by the name of the case: each one step, or `steps:`."""
    otherwise: str
    """The case where none is named."""

    @model_validator(mode="after")
    def _names_cases(self) -> Self:
        if self.otherwise not in self.cases:
            raise ValueError(f"`otherwise` is one of the cases: {', '.join(self.cases)}")
        if _BY in self.cases:
            raise ValueError("a case cannot be called `by`")
        if len({name.lower() for name in self.cases}) < len(self.cases):
            raise ValueError("two cases differ in capital letters alone")
        return self

    def written(self) -> Mapping[str, Written]:
        cases = {name: case.written(name, "cases", name) for name, case in self.cases.items()}
        return {_BY: self.by.written(_BY, _BY), **cases}

    def places(self, name: str) -> Iterator[tuple[str, str]]:
        for body in (_BY, *self.cases):
            yield body, f"{name}.{body}"

    def flow(self, given: Flow) -> Flow:
        decided = self.through(_BY, given)
        if decided.count.high != 1:
            told = f"one candidate decides, and this gives {decided.count}"
            raise Mismatch(told, _BY)
        flows = [self.through(case, given) for case in self.cases]
        low = min(flow.count.low for flow in flows) if decided.count.low else 0
        return join(flows).with_count(low, max(flow.count.high for flow in flows))

    def unrolled(self, node: Node, bodies: Mapping[str, Graph]) -> Iterator[Node]:
        by = f"{node.name}.{_BY}"
        yield from placed(bodies[_BY], by, node, node.inputs)
        decided = f"{by}.{bodies[_BY].output}"
        outputs = []
        for case in self.cases:
            gate, prefix = f"{node.name}.is_{case}", f"{node.name}.{case}"
            yield condition(node, gate, self._named(case), [decided])
            yield from placed(bodies[case], prefix, node, node.inputs, gate)
            outputs.append(f"{prefix}.{bodies[case].output}")
        yield chosen(node, outputs)

    def _named(self, case: str) -> Mapping[str, object]:
        names = tuple(self.cases)
        if case != self.otherwise:
            return {"holds": {"says": (case,), "among": names}}
        others = tuple(name for name in names if name != case)
        return {"fails": {"says": others, "among": names}, "signal": True}
