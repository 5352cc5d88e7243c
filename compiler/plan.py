"""What will run: a settled graph with its prices, frozen. A plan can refuse its budget."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from .errors import Fault, PlanRefused, SpecError
from .flow import infer
from .graph import INPUT, Graph, Node
from .op import Amount, Flow
from .passes import apply
from .price import Cost, price
from .sharing import Share, sharing
from .spec import Budget
from .unpriced import unlimited
from .verify import ANY_QUESTION

if TYPE_CHECKING:
    from .place.placement import Placement

__all__ = ["Plan", "digest", "fingerprints", "plan"]


@dataclass(frozen=True)
class Plan:
    """A pipeline ready to run. `costs` by step and `total` are bounds for one question of
    `question` tokens; `flows` say how many candidates every step gives."""

    graph: Graph
    question: Amount
    flows: Mapping[str, Flow]
    costs: Mapping[str, Cost]
    total: Cost
    placement: Placement | None = None
    """Where its models run, if it was placed on GPUs."""

    @cached_property
    def digest(self) -> str:
        """The sha256 of everything that decides what is asked: graph, arguments, prompts, models.

        Equal for two builds of one text, on any machine.
        """
        return digest(self.graph)

    @cached_property
    def sharing(self) -> Mapping[str, Share]:
        """What each step's prompts have in common, estimated; see `compiler.sharing`."""
        return sharing(self.graph, self.question)

    @property
    def prompts(self) -> Mapping[str, tuple[str, ...]]:
        """The prompt templates of each step that has any."""
        return {node.name: told for node in self.graph.nodes.values() if (told := _prompts(node))}

    def within(self, scope: str) -> Cost:
        """The bounds of a pipeline used as a step, by its scope; depths do not add."""
        costs = (c for n, c in self.costs.items() if _within(self.graph.nodes[n].scope, scope))
        return sum(costs, Cost())

    def refuse(self) -> None:
        """Raise `PlanRefused` if a budget cannot hold even the lower bound, naming the dearest
        step with both numbers."""
        for scope, budget in self.graph.budgets.items():
            costs = {
                name: cost
                for name, cost in self.costs.items()
                if _within(self.graph.nodes[name].scope, scope)
            }
            _refuse(scope or self.graph.name, budget, costs)


def plan(graph: Graph, question: Amount = ANY_QUESTION) -> Plan:
    """Run all passes over a built graph and price the result.

    Raises `SpecError` if a pass finds a fault, or dollars are limited of a model whose price is
    not known.
    """
    for node in graph.nodes.values():
        if INPUT in node.inputs:
            message = "`input` exists only where the pipeline is used as a step"
            raise SpecError([Fault("input", message, node.place.of("from"))])
    for _, made in apply(graph):
        graph = made
    if faults := unlimited(graph):
        raise SpecError(faults)
    flows, _ = infer(graph, question)
    costs, total = price(graph, question)
    return Plan(graph, question, flows, costs, total)


def digest(graph: Graph) -> str:
    """The digest of a settled graph; see `Plan.digest`."""
    tools = {name: tool.model_dump(mode="json") for name, tool in graph.tools.items()}
    return _sha256(
        {
            "graph": str(graph),
            "budgets": {scope: b.model_dump(mode="json") for scope, b in graph.budgets.items()},
            "steps": [_content(node) for node in graph.nodes.values()],
            "models": {
                name: model.model_dump(mode="json", exclude={"shape"})
                for name, model in graph.models.items()
            },
            "question": graph.question.model_dump(mode="json"),
            **({"tools": tools} if tools else {}),
        }
    )


def fingerprints(graph: Graph) -> Mapping[str, str]:
    """A short digest of each step of a settled graph, to tell which one was changed."""
    return {
        name: _sha256([*_content(node), *_allowed(graph, node)])[:16]
        for name, node in graph.nodes.items()
    }


def _allowed(graph: Graph, node: Node) -> Sequence[object]:
    """The budgets around a step, if one of them is its own or shared by it; nothing for a step that
    has only those of whole pipelines."""
    if node.scope in ("", node.name.rpartition(".")[0]):
        return ()
    return [budget.model_dump(mode="json") for budget in graph.around(node.scope)]


def _sha256(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _content(node: Node) -> Sequence[object]:
    """Everything about a step that decides what is asked."""
    arguments = node.op.model_dump(mode="json")
    decided = (node.inputs, node.chunk, node.window, node.scope, node.gate, node.topic)
    return [node.name, node.kind, arguments, _prompts(node), repr(node.answer), decided]


def _prompts(node: Node) -> tuple[str, ...]:
    return tuple(a.wording for a in node.op.askings())


def _within(scope: str, outer: str) -> bool:
    return not outer or scope == outer or scope.startswith(f"{outer}.")


def _refuse(name: str, budget: Budget, costs: Mapping[str, Cost]) -> None:
    total = sum(costs.values(), Cost())
    needs: dict[str, tuple[float, dict[str, float]]] = {
        "calls": (total.calls.low, {n: c.calls.low for n, c in costs.items()}),
        "tokens": (total.tokens.low, {n: c.tokens.low for n, c in costs.items()}),
        "usd": (total.usd.low, {n: c.usd.low for n, c in costs.items()}),
    }
    for unit, (needed, shares) in needs.items():
        limit = getattr(budget, unit)
        if limit is not None and needed > limit:
            told = f"needs at least {needed:,g} {unit} a question and its budget is {limit:,g}"
            if set(shares) == {name}:
                raise PlanRefused(f"step {name!r} {told}")
            dearest = max(shares, key=shares.__getitem__)
            raise PlanRefused(
                f"{name} {told}; the dearest step is {dearest!r} with {shares[dearest]:,g}"
            )
