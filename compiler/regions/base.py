"""What regions have in common: steps of their own, written inside a step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from ..flow import infer
from ..graph import INPUT, Graph, Node
from ..holder import Holder, reads_input, size
from ..op import Amount, Flow, Mismatch
from ..registry import operator

__all__ = ["Body", "Region", "Steps", "Written", "chosen", "condition", "made", "placed"]

Steps: TypeAlias = Annotated[Mapping[str, Mapping[str, Any]], Field(min_length=1)]
"""Steps as written, by name."""


@dataclass(frozen=True, slots=True)
class Written:
    """Where the steps of a body are written, under their region: each under its name, or `alone`
    one step in the place of all."""

    path: tuple[str | int, ...]
    steps: Mapping[str, Mapping[str, Any]]
    alone: bool = False

    def step(self, name: str) -> tuple[str | int, ...]:
        """The path of a step."""
        return self.path if self.alone else (*self.path, name)


class Body(BaseModel):
    """Steps that belong together: `{steps: …}`, or one step written out."""

    model_config = ConfigDict(frozen=True, extra="allow")

    steps: Steps | None = None

    @model_validator(mode="after")
    def _is_one_or_several(self) -> Self:
        told = self.model_extra or {}
        if "op" not in told and (self.steps is None or told):
            raise ValueError("`steps:`, or one step with its `op:`")
        return self

    def written(self, name: str, *path: str) -> Written:
        """Where the steps are; `name` is that of a step alone."""
        told = self.model_extra or {}
        if "op" in told:
            own = told if self.steps is None else {**told, "steps": self.steps}
            return Written(path, {name: own}, alone=True)
        assert self.steps is not None
        return Written((*path, "steps"), self.steps)


class Region(Holder):
    """A step with steps of its own. The pass `inline` puts them in its place: a region has a bound,
    so what it may do is laid out before anything runs."""

    _bodies: Mapping[str, Graph] = PrivateAttr(default_factory=dict)

    def holding(self, bodies: Mapping[str, Graph]) -> Self:
        """This region with its bodies built."""
        region = self.model_copy()
        region._bodies = bodies
        return region

    @property
    def bodies(self) -> Mapping[str, Graph]:
        """The steps it holds, by the name of the body."""
        return self._bodies

    @property
    def reads_input(self) -> bool:
        return any(map(reads_input, self.bodies.values()))

    @property
    def size(self) -> int:
        return sum(size(self.bodies[body]) for body, _ in self.places(""))

    @abstractmethod
    def written(self) -> Mapping[str, Written]:
        """Its bodies as written, by name."""

    @abstractmethod
    def places(self, name: str) -> Iterator[tuple[str, str]]:
        """The name of a body and the prefix of its steps, for each time that it is laid out in a
        region of that name."""

    @abstractmethod
    def unrolled(self, node: Node, bodies: Mapping[str, Graph]) -> Iterator[Node]:
        """The steps that stand for the region `node`, in running order; the last has its name.
        `bodies` hold no regions."""

    def through(self, body: str, given: Flow, topic: Amount | None = None) -> Flow:
        """What a body makes of what it is fed. Raises `Mismatch`."""
        graph = self.bodies[body]
        flows, faults = infer(graph, topic or given.question, given)
        if faults:
            raise Mismatch(faults[0].message, inner=faults)
        return replace(flows[graph.output], question=given.question)


def placed(
    body: Graph, prefix: str, node: Node, fed: Sequence[str], gate: str = "", topic: str = ""
) -> Iterator[Node]:
    """The steps of a body laid out in the region `node`, fed with the nodes `fed`; those that wait
    for nothing yet wait for `gate` and `topic`, else for what the region waits for."""
    around = f"{node.scope}.{prefix}" if node.scope else prefix
    for step in body.nodes.values():
        inputs: list[str] = []
        for name in step.inputs:
            inputs += fed if name == INPUT else (f"{prefix}.{name}",)
        yield replace(
            step,
            name=f"{prefix}.{step.name}",
            inputs=tuple(inputs),
            scope=f"{around}.{step.scope}" if step.scope else node.scope,
            gate=f"{prefix}.{step.gate}" if step.gate else gate or node.gate,
            topic=f"{prefix}.{step.topic}" if step.topic else topic or node.topic,
        )


def chosen(node: Node, inputs: Sequence[str], kind: str = "either") -> Node:
    """The node of the region's name, which reads what came of its bodies."""
    return made(node, node.name, kind, {}, inputs)


def condition(node: Node, name: str, told: Mapping[str, Any], inputs: Sequence[str]) -> Node:
    """A node that lets candidates pass on a condition."""
    return made(node, name, "when", told, inputs)


def made(
    node: Node, name: str, kind: str, arguments: Mapping[str, Any], inputs: Sequence[str]
) -> Node:
    """A node that the region adds to the steps written."""
    op = operator(kind).model_validate(arguments)
    return replace(node, name=name, kind=kind, op=op, inputs=tuple(inputs))
