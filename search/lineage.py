"""What a trial will ask that no trial before it asked: its plan, less what the bank holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b

from ..compiler.plan import Plan

__all__ = ["Banked", "Lineage", "lineage"]


class Lineage:
    """By step, where its requests come from, and how many calls it makes for a question.

    Two steps of one `origin` ask the same requests as far as both go: a step for 8 draws asks the
    first half of what one for 16 does.
    """

    __slots__ = ("calls", "steps")

    def __init__(self, steps: Mapping[str, tuple[str, float]]) -> None:
        """`steps` by name: origin, and calls a question."""
        self.steps = steps
        self.calls = sum(calls for _, calls in steps.values())


def lineage(plan: Plan) -> Lineage:
    """The lineage of a plan. Calls are halfway between the plan's bounds."""
    origins: dict[str, str] = {}
    steps: dict[str, tuple[str, float]] = {}
    graph = plan.graph
    models = {name: spec.model_dump(mode="json") for name, spec in graph.models.items()}
    for node in graph.nodes.values():
        asked = [models[a.model] for a in node.op.askings() if a.model in models]
        wordings = [a.wording for a in node.op.askings()]
        arguments = node.op.model_dump(mode="json", exclude={"n"})
        above = [origins[name] for name in node.inputs if name in origins]
        content = json.dumps([node.kind, arguments, wordings, asked, above], sort_keys=True)
        origins[node.name] = blake2b(content.encode(), digest_size=8).hexdigest()
        cost = plan.costs[node.name].calls
        if cost.high:
            steps[node.name] = (origins[node.name], (cost.low + cost.high) / 2)
    return Lineage(steps)


class Banked:
    """How far every origin was asked, by question: an estimate of what the bank holds."""

    def __init__(self) -> None:
        self._asked: dict[str, list[float]] = {}

    def note(self, told: Lineage, first: int, last: int) -> None:
        """A pipeline answered the questions from `first` up to before `last`."""
        for origin, calls in told.steps.values():
            row = self._asked.setdefault(origin, [])
            row.extend([0.0] * (last - len(row)))
            for place in range(first, last):
                row[place] = max(row[place], calls)

    def held(self, origin: str, count: int) -> float:
        """How many draws of an origin there are of a question, on average over the first."""
        return sum(self._asked.get(origin, ())[:count]) / max(1, count)

    def marginal(self, told: Lineage, first: int, last: int) -> float:
        """About how many calls are new if it answers the questions from `first` to before `last`.

        Two steps of one origin are independent draws, so they are counted together.
        """
        wanted: dict[str, float] = {}
        for origin, calls in told.steps.values():
            wanted[origin] = wanted.get(origin, 0.0) + calls
        new = 0.0
        for origin, calls in wanted.items():
            row = self._asked.get(origin, [])
            known = row[first:last]
            new += calls * (last - first - len(known))
            new += sum(max(0.0, calls - there) for there in known)
        return new
