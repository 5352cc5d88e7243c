"""Models whose price nobody knows: dollars spent on them cannot be counted, nor limited."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .errors import Fault, PlanRefused
from .graph import Graph, Node
from .registry import model_info
from .spec import Budget

__all__ = ["refuse_dollars", "unlimited", "unpriced"]


def unpriced(graph: Graph, nodes: Iterable[Node] | None = None) -> tuple[str, ...]:
    """The models that these nodes of a settled graph, or all, may ask at an unknown price, by
    their names in the pipeline; fallbacks included."""
    asked = graph.nodes.values() if nodes is None else nodes
    names = dict.fromkeys(
        name for node in asked for a in node.op.askings() for name in _reached(graph, a.model)
    )
    return tuple(name for name in names if not _priced(graph, name))


def unlimited(graph: Graph) -> list[Fault]:
    """A fault for each model whose price is not known under a budget in dollars: at the outermost
    of them."""
    faults: dict[str, Fault] = {}
    for scope, budget in sorted(graph.budgets.items()):
        if budget.usd is None:
            continue
        inside = [
            node
            for node in graph.nodes.values()
            if not scope or node.scope == scope or node.scope.startswith(f"{scope}.")
        ]
        for name in unpriced(graph, inside):
            place = inside[0].place.of("budget") if scope else graph.place.of("budget.usd")
            message = f"dollars cannot be limited: nobody knows the price of {name}"
            told = f"say it at the model: {name}: {{…, price: {{prompt: …, completion: …}}}}"
            faults.setdefault(name, Fault("unpriced", message, place, told))
    return list(faults.values())


def refuse_dollars(graph: Graph, budget: Budget) -> None:
    """Raise `PlanRefused` if a budget from outside limits dollars that nobody can count."""
    if budget.usd is not None and (names := unpriced(graph)):
        raise PlanRefused(
            f"dollars cannot be limited: nobody knows the price of {', '.join(names)}; "
            "say it at the model: price: {prompt: …, completion: …}"
        )


def _reached(graph: Graph, model: str | None) -> Iterator[str]:
    """A model and those that it falls back to, which have no further ones."""
    if model is not None and model in graph.models:
        yield model
        yield from graph.models[model].fallback


def _priced(graph: Graph, name: str) -> bool:
    spec = graph.models[name]
    return spec.price is not None or model_info(spec).priced
