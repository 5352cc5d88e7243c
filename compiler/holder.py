"""Steps that hold steps of their own, until the pass `inline` has put those in their place."""

from __future__ import annotations

from abc import abstractmethod

from .graph import INPUT, Graph
from .op import Calls, Flow, Op

__all__ = ["Holder", "reads_input", "size"]


class Holder(Op):
    """A step that holds steps of its own."""

    @property
    @abstractmethod
    def size(self) -> int:
        """How many steps it becomes, about."""

    @property
    @abstractmethod
    def reads_input(self) -> bool:
        """Whether any of its steps reads what this step is fed."""

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        raise AssertionError("priced before `inline`")


def size(graph: Graph) -> int:
    """How many steps a graph has, those inside its steps counted."""
    ops = [node.op for node in graph.nodes.values()]
    return sum(op.size if isinstance(op, Holder) else 1 for op in ops)


def reads_input(graph: Graph) -> bool:
    """Whether any step of a graph reads what the graph is fed."""
    return any(INPUT in node.inputs for node in graph.nodes.values())
