"""A pipeline used as a step, until the pass `inline` has put its steps in its place."""

from __future__ import annotations

from pydantic import PrivateAttr

from .flow import infer
from .graph import Graph
from .holder import Holder, reads_input, size
from .op import Flow, Mismatch

__all__ = ["Nested"]


class Nested(Holder):
    """Use another pipeline as a step: `file:` beside this one, or `name:` from the library.

    Its sources read the question; a step of it that reads `input` reads what this step is fed.
    """

    file: str | None = None
    name: str | None = None
    _graph: Graph | None = PrivateAttr(default=None)

    def holding(self, graph: Graph) -> Nested:
        """This step with the pipeline itself."""
        step = self.model_copy()
        step._graph = graph
        return step

    @property
    def inner(self) -> Graph:
        """The pipeline itself."""
        assert self._graph is not None
        return self._graph

    @property
    def size(self) -> int:
        return size(self.inner)

    @property
    def reads_input(self) -> bool:
        return reads_input(self.inner)

    def flow(self, given: Flow) -> Flow:
        flows, faults = infer(self.inner, given.question, given)
        if faults:
            raise Mismatch(f"{faults[0].span}: {faults[0].message}", code="nested")
        made, keep = flows[self.inner.output], self.inner.keep
        if made.count.high > keep:
            raise Mismatch(f"its output can hold {made.count.high} candidates, not {keep}")
        return made
