"""The pipeline as a graph: nodes are operators, edges carry candidates. Frozen and printable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import networkx as nx

from .answers import AnswerKind
from .errors import Span
from .op import Op, Source
from .spec import Budget, Layout, ModelSpec, QuestionSpec
from .toolspec import ToolSpec

__all__ = ["INPUT", "QUESTION", "Graph", "Node", "Place", "arguments"]

QUESTION = "question"
"""The name by which a step reads the question."""

INPUT = "input"
"""The name by which a pipeline used as a step reads what it is fed."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step was written: the step, and each of its arguments by name."""

    step: Span
    fields: Mapping[str, Span] = field(default_factory=dict)

    def of(self, name: str) -> Span:
        """The span of an argument, or of the step when the argument was not written."""
        return self.fields.get(name, self.step)


@dataclass(frozen=True, slots=True)
class Node:
    """A step: an operator, what it reads, and what the passes decided about it.

    `chunk` draws go into one request of a source; `window` candidates may be under way ahead of
    what a reader has read, None for all of them. `at_least` candidates must come out when some
    fail; None fails with the first that does.

    `scope` names the account that it is charged to, after those around it, with dots between: of
    pipelines used as steps, of steps, of steps together. "" is the outermost pipeline's.

    `layout` says whether a pass may order the paragraphs of its own prompt.

    A step of a region has a `gate`: a node that lets it run by giving a candidate; and perhaps a
    `topic`: the node whose candidate is its question.
    """

    name: str
    kind: str
    op: Op
    inputs: tuple[str, ...]
    answer: AnswerKind
    place: Place
    scope: str = ""
    chunk: int = 1
    window: int | None = None
    at_least: int | None = None
    layout: Layout = "prefix"
    gate: str = ""
    topic: str = ""

    @property
    def waits_for(self) -> tuple[str, ...]:
        """The nodes beside its inputs that it depends on."""
        return tuple(name for name in dict.fromkeys((self.gate, self.topic)) if name)


@dataclass(frozen=True)
class Graph:
    """A pipeline between text and plan. Passes make new ones; nobody changes one.

    `nodes` are in the order written. `output` is the node whose candidates are the result, `keep`
    of them at most. `budgets` by scope.
    """

    name: str
    about: str
    source: str
    question: QuestionSpec
    answer: AnswerKind
    models: Mapping[str, ModelSpec]
    budgets: Mapping[str, Budget]
    nodes: Mapping[str, Node]
    output: str
    keep: int
    place: Place
    notes: tuple[str, ...] = ()
    """What passes want people to know, in the order found."""
    tools: Mapping[str, ToolSpec] = field(default_factory=dict)

    @cached_property
    def dag(self) -> nx.DiGraph[str]:
        """The edges alone, for networkx's algorithms."""
        dag: nx.DiGraph[str] = nx.DiGraph()
        dag.add_nodes_from(self.nodes)
        for node in self.nodes.values():
            before = (*node.inputs, *node.waits_for)
            dag.add_edges_from((name, node.name) for name in before if name in self.nodes)
        return dag

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Node names, inputs before readers, else in the order written.

        Raises `networkx.NetworkXUnfeasible` for a graph with a cycle.
        """
        rank = {name: place for place, name in enumerate(self.nodes)}
        return tuple(nx.lexicographical_topological_sort(self.dag, key=rank.__getitem__))

    def readers(self, name: str) -> tuple[Node, ...]:
        """The nodes that read this one, in the order written."""
        return tuple(node for node in self.followers(name) if name in node.inputs)

    def followers(self, name: str) -> tuple[Node, ...]:
        """The nodes that read this one or wait for it, in the order written."""
        return tuple(self.nodes[reader] for reader in self.dag.successors(name))

    @property
    def called(self) -> tuple[str, ...]:
        """The tools that some step may call, in the order declared."""
        named = {tool for node in self.nodes.values() for tool in node.op.tool_names()}
        return tuple(name for name in self.tools if name in named)

    def around(self, scope: str) -> Iterator[Budget]:
        """The budgets of a scope and of those around it, outermost first."""
        parts = scope.split(".") if scope else []
        scopes = (".".join(parts[:depth]) for depth in range(len(parts) + 1))
        return (self.budgets[name] for name in scopes if name in self.budgets)

    def with_nodes(self, nodes: Iterable[Node], output: str | None = None) -> Graph:
        """This graph with other nodes, in the order given, and perhaps another output."""
        named = {node.name: node for node in nodes}
        return replace(self, nodes=named, output=self.output if output is None else output)

    def noting(self, *notes: str) -> Graph:
        """This graph with more notes for people."""
        return replace(self, notes=self.notes + notes) if notes else self

    def __str__(self) -> str:
        """The graph as text: one line a node, in running order. Tests of passes compare it."""
        lines = [f"pipeline {self.name} answer={self.answer.name}"]
        lines += [f"budget {limits}" for limits in self._budget_lines()]
        for name in self.order:
            node = self.nodes[name]
            decided = f" chunk={node.chunk}" if isinstance(node.op, Source) else ""
            decided += "" if node.window is None else f" window={node.window}"
            decided += "" if node.at_least is None else f" at_least={node.at_least}"
            decided += f" gate={node.gate}" if node.gate else ""
            decided += f" topic={node.topic}" if node.topic else ""
            read = ", ".join(node.inputs) or QUESTION
            lines.append(f"{name} = {node.kind}({arguments(node.op)}) <- {read}{decided}")
        kept = f" keep={self.keep}" if self.keep != 1 else ""
        lines.append(f"output {self.output}{kept}")
        return "\n".join(lines) + "\n"

    def _budget_lines(self) -> Iterable[str]:
        for scope, budget in sorted(self.budgets.items()):
            limits = budget.model_dump(exclude_defaults=True)
            if limits:
                text = " ".join(f"{unit}={limit}" for unit, limit in limits.items())
                yield f"{scope}: {text}" if scope else text


def arguments(op: Op) -> str:
    """An operator's arguments that differ from its defaults, as `name=value, …`."""
    shown = op.model_dump(mode="json", exclude_defaults=True)
    return ", ".join(f"{name}={_short(value)}" for name, value in shown.items())


def _short(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = text.replace("\n", "\\n")
    return text if len(text) <= 60 else f"{text[:57]}..."
