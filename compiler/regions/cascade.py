"""Try the cheap way first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Field

from ..condition import Condition
from ..flow import join
from ..graph import Graph, Node
from ..op import Flow, Mismatch
from .base import Body, Region, Written, chosen, condition, placed

__all__ = ["Cascade", "Stage"]


class Stage(Body):
    """A way to answer, and when its candidates will do."""

    accept: Condition | None = None


class Cascade(Region):
    """Try the cheap way first: go on to the next stage only when what came of one will not do.

    Every stage reads what the cascade is fed. The result is what the last stage that ran gave; if
    it gave nothing, what the one before it did.

    FrugalGPT (Chen et al., 2023); by agreement: Large Language Model Cascades with Mixture of
    Thoughts (Yue et al., 2023).
    """

    stages: Annotated[Mapping[str, Stage], Field(min_length=2)]
    """The ways to answer, in order: each one step, or `steps:`; with `accept:` if it has a
    condition of its own."""
    accept: Condition | None = None
    """When the candidates of a stage will do; of the last one, they always do."""

    def written(self) -> Mapping[str, Written]:
        return {name: stage.written(name, "stages", name) for name, stage in self.stages.items()}

    def places(self, name: str) -> Iterator[tuple[str, str]]:
        for stage in self.stages:
            yield stage, f"{name}.{stage}"

    def flow(self, given: Flow) -> Flow:
        flows = []
        *_, last = self.stages
        for name in self.stages:
            made = self.through(name, given)
            flows.append(made)
            if name != last:
                self._accept(name).check(made, "accept")
        sure = min(1, flows[0].count.low)
        return join(flows).with_count(sure, max(flow.count.high for flow in flows))

    def unrolled(self, node: Node, bodies: Mapping[str, Graph]) -> Iterator[Node]:
        outputs: list[str] = []
        gate = last = ""
        for stage, prefix in self.places(node.name):
            if outputs:
                gate = f"{node.name}.accept_{last}"
                fails = self._accept(last).model_dump(exclude_unset=True)
                # A stage that gives nothing will not do either.
                told = {"fails": fails, "signal": True}
                yield condition(node, gate, told, outputs[-1:])
            yield from placed(bodies[stage], prefix, node, node.inputs, gate)
            outputs.append(f"{prefix}.{bodies[stage].output}")
            last = stage
        yield chosen(node, outputs[::-1])

    def _accept(self, stage: str) -> Condition:
        found = self.stages[stage].accept or self.accept
        if found is None:
            raise Mismatch(f"when will the candidates of stage {stage!r} do? Give it an `accept:`")
        if found.unchanged:
            raise Mismatch("`unchanged` is for loops", "accept")
        return found
