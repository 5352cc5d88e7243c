"""A model proposes the next point, having been told how the ones before did.

(Generalizing Test-time Compute-optimal Scaling as an Optimizable Graph, 2025: Agent-REINFORCE.)
What it says is data: a reply that names no point of the space is answered by a random one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...compiler.space import Choice, Hole
from ..history import History
from .base import Setting, Strategy

__all__ = ["Agent"]

_SHOWN = 12

_PIPELINE = """\
name: proposer
models: {{proposer: {model}}}
answer: json
steps:
  answer: {{op: generate, n: 1, temperature: 0.7}}
"""


class Agent(Strategy):
    """Asks `model`, written as in a pipeline (`backend/name`). Its own calls are not the search's:
    they are counted in `calls`."""

    def __init__(self, setting: Setting, model: str, backend: object = None) -> None:
        """`backend` is a ready one instead of the model's, for tests."""
        from ...compiler.build import build
        from ...compiler.plan import plan
        from ...compiler.source import parse
        from ...runtime.session import Session

        super().__init__(setting)
        made = plan(build(parse(_PIPELINE.format(model=model)), Path()))
        ready: Any = None if backend is None else {"proposer": backend}
        self._session = Session(made, backends=ready)
        self.calls = 0

    async def ask(self, history: History) -> Choice | None:
        """The point that the model proposes, or a random one."""
        if self.space.first not in history:
            return self.space.first
        result = await self._session.ask(self._prompt(history), seed=len(history), id="proposal")
        self.calls += result.usage.calls
        proposed = self._read(result.answer)
        if proposed is None or self.space.valid(proposed) or proposed in history:
            return self.unseen(history)
        return proposed

    def _prompt(self, history: History) -> str:
        lines = ["A pipeline has these holes:", ""]
        for hole in self.space.holes:
            when = ", ".join(f"{name} is {value}" for name, value in hole.when)
            under = f" (only where {when})" if when else ""
            lines.append(f"- {hole.name}: {_range(hole)}{under}")
        lines += [
            "",
            f"What was tried so far, best first, as value ({self.aims[0]}) and choice:",
            "",
        ]
        for trial in history.ranked()[:_SHOWN]:
            lines.append(f"- {trial.value(self.aims[0]):.4f} {json.dumps(dict(trial.choice))}")
        lines += [
            "",
            "Say in a sentence what seems to help and what hurts. Then propose one choice that was",
            "not tried and may be better: a JSON object with a number for each hole that exists.",
        ]
        return "\n".join(lines)

    def _read(self, answer: str | None) -> Choice | None:
        if answer is None:
            return None
        told = json.loads(answer)
        if not isinstance(told, Mapping):
            return None
        made: dict[str, int | float] = {}
        for hole in self.space.holes:
            value = told.get(hole.name)
            if hole.exists(made) and isinstance(value, int | float):
                made[hole.name] = int(value) if hole.count is not None else float(value)
        return made


def _range(hole: Hole) -> str:
    if hole.options:
        return ", ".join(f"{n} = {hole.told(n)}" for n in range(len(hole.options)))
    return f"a number from {hole.low} to {hole.high}"
