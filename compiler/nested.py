"""A pipeline used as a step, until the pass `inline` has put its steps in its place."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from .flow import infer
from .graph import INPUT, Graph
from .op import Calls, Flow, Mismatch, Op

__all__ = ["Nested"]


class Nested(Op):
    """Use another pipeline as a step: `file:` beside this one, or `name:` from the library.

    Its sources read the question; a step of it that reads `input` reads what this step is fed.
    """

    file: str | None = None
    name: str | None = None
    graph: Any = Field(default=None, exclude=True, repr=False)
    """The pipeline itself, set by the build."""

    @property
    def inner(self) -> Graph:
        """The pipeline itself."""
        graph = self.graph
        assert isinstance(graph, Graph)
        return graph

    @property
    def reads_input(self) -> bool:
        """Whether any of its steps reads what this step is fed."""
        return any(INPUT in node.inputs for node in self.inner.nodes.values())

    def flow(self, given: Flow) -> Flow:
        flows, faults = infer(self.inner, given.question, given)
        if faults:
            raise Mismatch(f"{faults[0].span}: {faults[0].message}", code="nested")
        return flows[self.inner.output]

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        raise AssertionError("priced before `inline`")
