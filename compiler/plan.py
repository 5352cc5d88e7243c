"""What will run: a settled graph with its prices, frozen. A plan can refuse its budget."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from .errors import Fault, PlanRefused, SpecError
from .flow import infer
from .graph import INPUT, Graph
from .op import Amount, Flow
from .passes import apply
from .price import Cost, price
from .spec import Budget
from .verify import ANY_QUESTION

__all__ = ["Plan", "plan"]


@dataclass(frozen=True)
class Plan:
    """A pipeline ready to run. `costs` by step and `total` are bounds for one question of
    `question` tokens; `flows` say how many candidates every step gives."""

    graph: Graph
    question: Amount
    flows: Mapping[str, Flow]
    costs: Mapping[str, Cost]
    total: Cost

    @cached_property
    def digest(self) -> str:
        """The sha256 of everything that decides what is asked: graph, arguments, prompts, models.

        Equal for two builds of one text, on any machine.
        """
        return hashlib.sha256(json.dumps(self._content(), sort_keys=True).encode()).hexdigest()

    def _content(self) -> Mapping[str, object]:
        return {
            "graph": str(self.graph),
            "arguments": {n.name: n.op.model_dump(mode="json") for n in self.graph.nodes.values()},
            "prompts": self.prompts,
            "models": {n: m.model_dump(mode="json") for n, m in self.graph.models.items()},
            "answer": {n.name: repr(n.answer) for n in self.graph.nodes.values()},
            "question": self.graph.question.model_dump(mode="json"),
        }

    @property
    def prompts(self) -> Mapping[str, tuple[str, ...]]:
        """The prompt templates of each step that has any."""
        return {
            node.name: tuple(a.prompt or a.default_prompt for a in askings)
            for node in self.graph.nodes.values()
            if (askings := node.op.askings())
        }

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

    Raises `SpecError` if a pass finds a fault.
    """
    for node in graph.nodes.values():
        if INPUT in node.inputs:
            message = "`input` exists only where the pipeline is used as a step"
            raise SpecError([Fault("input", message, node.place.of("from"))])
    for _, made in apply(graph):
        graph = made
    flows, _ = infer(graph, question)
    costs, total = price(graph, question)
    return Plan(graph, question, flows, costs, total)


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
            dearest = max(shares, key=shares.__getitem__)
            raise PlanRefused(
                f"{name} needs at least {needed:,g} {unit} a question and its budget is {limit:,g}; "
                f"the dearest step is {dearest!r} with {shares[dearest]:,g}"
            )
