"""A model says how probable each part of the pipeline should be, having been told how points did.

The space is kept as probabilities; points are drawn from them and tried; after each round a model
writes down what helps and what hurts, which it is shown again later, and moves the probabilities.
(Generalizing Test-time Compute-optimal Scaling as an Optimizable Graph, 2025: Agent-REINFORCE. The
wording, the rounds and the bounds are our own.) What it says is data: what cannot be read moves
nothing, and is counted; then the rewards alone move the probabilities.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...compiler.space import Choice
from ..history import History
from ..trial import Trial
from .base import Setting, Strategy
from .beliefs import Beliefs, parts
from .reinforce import gain

__all__ = ["Agent"]

_SHOWN = 12
_REMEMBERED = 3
"""So much of what it wrote before is shown to it again."""
_RATE = 0.5
_DISCOUNT = 0.6
"""Those of `reinforce`."""

_PIPELINE = """\
name: proposer
models: {{proposer: {model}}}
answer: json
steps:
  answer: {{op: generate, n: 1, temperature: 0.7}}
"""


class Agent(Strategy):
    """Asks `model`, written as in a pipeline (`backend/name`), after every `width` points. `rate`
    is how far what it says moves the probabilities, `least` the share of an even one that each part
    keeps. Its own calls are not the search's: they are counted in `calls`, and replies that could
    not be read in `unread`."""

    def __init__(
        self,
        setting: Setting,
        model: str,
        width: int = 4,
        rate: float = 0.5,
        least: float = 0.1,
        backend: object = None,
    ) -> None:
        """`backend` is a ready one instead of the model's, for tests."""
        from ...compiler.build import build
        from ...compiler.plan import plan
        from ...compiler.source import parse
        from ...runtime.session import Session

        super().__init__(setting)
        made = plan(build(parse(_PIPELINE.format(model=model)), Path()))
        ready: Any = None if backend is None else {"proposer": backend}
        self._session = Session(made, backends=ready)
        self._width = width
        self._rate = rate
        self._least = least
        self.beliefs = Beliefs(setting.space)
        self._round: list[Trial] = []
        self._earlier: list[tuple[Choice, float]] = []
        self.feedback: list[str] = []
        self.calls = 0
        self.unread = 0

    async def ask(self, history: History) -> Choice | None:
        """A point drawn from the probabilities; at the end of a round, after the model moved
        them."""
        if self.space.first not in history:
            return self.space.first
        if len(self._round) >= self._width:
            # Taken before it is awaited: another worker may ask meanwhile.
            round_, self._round = self._round, []
            await self._move(history, round_)
        return self.beliefs.draw(self.rng)

    def tell(self, trial: Trial) -> None:
        """Note a point of the round."""
        if trial.asked:
            self._round.append(trial)

    async def _move(self, history: History, round_: Sequence[Trial]) -> None:
        """Have the model move the probabilities, or else the rewards."""
        result = await self._session.ask(
            self._prompt(history, round_), seed=len(history), id=f"round-{self.calls}"
        )
        self.calls += result.usage.calls
        told = self._read(result.answer)
        if told:
            self.beliefs.blend(told, self._rate, self._least)
            self.feedback = [*self.feedback, _words(result.text)][-_REMEMBERED:]
        else:
            self.unread += 1
            for trial in round_:
                reward = trial.value(self.aims[0])
                step = _RATE * gain(trial.choice, reward, self._earlier, _DISCOUNT)
                self.beliefs.reward(trial.choice, step)
        self._earlier += [(trial.choice, trial.value(self.aims[0])) for trial in round_]

    def _prompt(self, history: History, round_: Sequence[Trial]) -> str:
        lines = ["A pipeline has these open places, each with how probable its values are now:", ""]
        for hole in self.space.holes:
            when = ", ".join(f"{name} is {value}" for name, value in hole.when)
            under = f" (only where {when})" if when else ""
            shares = zip(parts(hole), self.beliefs.shares(hole.name), strict=True)
            told = ", ".join(f"{part}: {share:.2f}" for part, share in shares)
            lines.append(f"- {hole.name}{under}: {told}")
        lines += ["", f"What was tried last, as value ({self.aims[0]}) and choice:", ""]
        lines += [self._line(trial) for trial in round_]
        lines += ["", "The best so far:", ""]
        lines += [self._line(trial) for trial in history.ranked()[:_SHOWN]]
        if self.feedback:
            lines += ["", "What you said before:", "", *(f"- {told}" for told in self.feedback)]
        lines += [
            "",
            "Say in a sentence or two what helps and what hurts. Then give new probabilities for",
            "the places that you would change: a JSON object with, by the name of a place, a list",
            "of as many numbers as it has values, in their order.",
        ]
        return "\n".join(lines)

    def _line(self, trial: Trial) -> str:
        chosen = {
            hole.name: hole.told(trial.choice[hole.name])
            for hole in self.space.holes
            if hole.name in trial.choice
        }
        return f"- {trial.value(self.aims[0]):.4f} {json.dumps(chosen, ensure_ascii=False)}"

    def _read(self, answer: str | None) -> dict[str, list[float]]:
        """The probabilities in a reply: of known places, one for each value, none below nought."""
        told = json.loads(answer) if answer is not None else None
        if not isinstance(told, Mapping):
            return {}
        known = {hole.name: len(parts(hole)) for hole in self.space.holes}
        return {
            name: [float(share) for share in shares]
            for name, shares in told.items()
            if isinstance(shares, list)
            and len(shares) == known.get(name)
            and all(isinstance(s, int | float) and not isinstance(s, bool) for s in shares)
            and all(0 <= share < float("inf") for share in shares)
            and sum(shares) > 0
        }


def _words(text: str) -> str:
    """What a reply says before its object, in a line."""
    return " ".join(text.partition("{")[0].replace("```json", "").replace("```", "").split())
