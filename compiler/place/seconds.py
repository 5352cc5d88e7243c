"""Idealised seconds of a placed plan: one question along its critical path, and a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

from ..price import Load, Seconds
from .assumed import BATCHED
from .placement import Batch, Placed, Placement

if TYPE_CHECKING:
    from ..plan import Plan
    from .engine import Engine
    from .roofline import Speed

__all__ = ["busy", "chain", "estimate", "work"]

_HOUR = 3600.0
_NOTHING = Seconds(0.0, 0.0)


def chain(load: Load, speed: Speed, draws: int, depth: int) -> Seconds:
    """One question's calls of a step: at least those that follow one another, each alone; at most
    all of them in `depth` waves or more, of at most `draws` at once."""
    calls = load.calls
    low = high = 0.0
    if calls.count.low:
        waves = max(min(calls.depth.low, calls.count.low), ceil(calls.count.low / draws))
        prompt, written = calls.prompt.low, calls.completion.low
        low = waves * (speed.prefill(prompt) + speed.decode(written, 1, prompt))
    if calls.count.high:
        waves = max(depth, 1, ceil(calls.count.high / draws))
        at_once, prompts = ceil(calls.count.high / waves), ceil(load.prompts.high / waves)
        prompt, written = calls.prompt.high, calls.completion.high
        high = waves * (speed.prefill(prompt, prompts) + speed.decode(written, at_once, prompt))
    return Seconds(low, high)


def busy(load: Load, speed: Speed, draws: int) -> Seconds:
    """What the same calls add to an engine that always has `draws` under way."""
    calls, prompts = load.calls, load.prompts
    return Seconds(
        _busy(speed, draws, calls.count.low, prompts.low, calls.prompt.low, calls.completion.low),
        _busy(
            speed, draws, calls.count.high, prompts.high, calls.prompt.high, calls.completion.high
        ),
    )


def _busy(
    speed: Speed, draws: int, count: int, prompts: int, prompt: int, completion: int
) -> float:
    together = max(1, BATCHED // max(1, prompt))
    read = prompts * speed.prefill(prompt, together) / together
    return read + count * speed.decode(completion, draws, prompt) / draws


def work(asked: Mapping[str, tuple[Load, ...]], engine: Engine, speed: Speed, draws: int) -> float:
    """The most seconds that one question keeps an engine busy."""
    return sum(
        busy(load, speed, draws).high
        for found in asked.values()
        for load in found
        if load.calls.model in engine.entries
    )


def estimate(
    plan: Plan,
    placement: Placement,
    asked: Mapping[str, tuple[Load, ...]],
    batch: int | None,
    usd_per_hour: float | None,
) -> Plan:
    """The plan with its placement and the seconds of its steps; None for a step that asks a model
    elsewhere, and for a whole with such a step."""
    told = _Told(plan, placement, asked, placement.fleet.usd_per_hour(usd_per_hour))
    costs = {name: replace(c, seconds=told.step(name)) for name, c in plan.costs.items()}
    seconds = told.question()
    made = replace(
        placement,
        seconds=seconds,
        usd=told.usd(seconds),
        batch=told.batch(batch) if batch else None,
    )
    total = replace(plan.total, seconds=seconds)
    return replace(plan, costs=costs, total=total, placement=made)


@dataclass(frozen=True)
class _Told:
    plan: Plan
    placement: Placement
    asked: Mapping[str, tuple[Load, ...]]
    rate: float | None
    """Dollars an hour of the whole fleet."""

    def usd(self, seconds: Seconds | None) -> Seconds | None:
        """Dollars of the whole fleet for so long."""
        if seconds is None or self.rate is None:
            return None
        return Seconds(seconds.low * self.rate / _HOUR, seconds.high * self.rate / _HOUR)

    def step(self, name: str) -> Seconds | None:
        """The seconds of a step; its models are asked at the same time, at best."""
        parts = self._chains(name)
        if parts is None:
            return None
        return Seconds(max((s.low for _, s in parts), default=0.0), sum(s.high for _, s in parts))

    def question(self) -> Seconds | None:
        """The longest path of steps, or what the busiest GPU has to do if that is more; and the
        swaps, if models take turns."""
        steps: dict[str, Seconds] = {}
        for name in self.plan.graph.order:
            seconds = self.step(name)
            if seconds is None:
                return None
            before = [steps[b] for b in self.plan.graph.dag.predecessors(name)]
            steps[name] = Seconds(
                seconds.low + max((s.low for s in before), default=0.0),
                seconds.high + max((s.high for s in before), default=0.0),
            )
        longest = steps[self.plan.graph.output]
        return Seconds(
            longest.low + self._swapping, max(longest.high, self._busiest()) + self._swapping
        )

    @property
    def _swapping(self) -> float:
        return sum(turn.seconds for turn in self.placement.turns)

    def _busiest(self) -> float:
        """All that one GPU does for a question, one after another."""
        on: dict[int, float] = {}
        for name in self.plan.graph.order:
            for home, seconds in self._chains(name) or ():
                for gpu in home.gpus:
                    on[gpu] = on.get(gpu, 0.0) + seconds.high
        return max(on.values(), default=0.0)

    def _chains(self, name: str) -> list[tuple[Placed, Seconds]] | None:
        parts = []
        depth = self.plan.costs[name].depth.high
        for load in self.asked[name]:
            home = self.placement.of(load.calls.model)
            if home is None:
                return None
            parts.append((home, chain(load, home.speed, home.draws, depth)))
        return parts

    def batch(self, questions: int) -> Batch | None:
        """What so many questions take, every turn as long as its busiest GPU; None where not all
        of it runs here."""
        spent = self._spent(questions)
        if spent is None:
            return None
        swapping = self._swapping
        turns = [frozenset(turn.asks) for turn in self.placement.turns] or [frozenset(spent)]
        parts = [_longest(spent, turn) for turn in turns]
        seconds = Seconds(
            questions * sum(p.low for p in parts) + swapping,
            questions * sum(p.high for p in parts) + swapping,
        )
        total = [(home.parallel, s) for home, s in spent.values()]
        usd = self.usd(seconds)
        return Batch(
            questions,
            seconds,
            Seconds(sum(n * s.low for n, s in total), sum(n * s.high for n, s in total)),
            Seconds(usd.low / questions, usd.high / questions) if usd else None,
        )

    def _spent(self, questions: int) -> dict[tuple[str, str], tuple[Placed, Seconds]] | None:
        """Seconds of a question by step and engine."""
        spent: dict[tuple[str, str], tuple[Placed, Seconds]] = {}
        for name, found in self.asked.items():
            for load in found:
                home = self.placement.of(load.calls.model)
                if home is None:
                    return None
                draws = max(1, min(home.draws, questions * load.calls.count.high))
                before = spent.get((name, home.engine.name), (home, _NOTHING))[1]
                more = busy(load, home.speed, draws)
                both = Seconds(before.low + more.low, before.high + more.high)
                spent[name, home.engine.name] = (home, both)
        return spent


def _longest(
    spent: Mapping[tuple[str, str], tuple[Placed, Seconds]], asks: frozenset[tuple[str, str]]
) -> Seconds:
    """The seconds of the busiest GPU in a turn, for one question."""
    low: dict[int, float] = {}
    high: dict[int, float] = {}
    for ask, (home, seconds) in spent.items():
        for gpu in home.gpus if ask in asks else ():
            low[gpu] = low.get(gpu, 0.0) + seconds.low
            high[gpu] = high.get(gpu, 0.0) + seconds.high
    return Seconds(max(low.values(), default=0.0), max(high.values(), default=0.0))
