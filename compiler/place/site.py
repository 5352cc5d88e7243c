"""Everything that placing the models of a plan depends on, and the ways to place them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import InputError
from ..op import Amount
from ..price import Load, loads
from . import turns
from .assumed import HOST, LIMIT
from .engine import Engine, engines
from .fleet import Fleet
from .gpu import GB
from .homes import Choice, Home, Tries, members
from .memory import need, residue, sizes, thousandths
from .placement import Placed, Placement, Turn
from .resolve import resolve
from .roofline import Speed
from .seconds import work
from .together import together
from .units import Unit, ready, units

if TYPE_CHECKING:
    from ..plan import Plan

__all__ = ["Site"]

_TRIES = 20_000
_ORDERS = 2_000


@dataclass(frozen=True)
class Site:
    """Everything that placing depends on."""

    plan: Plan
    fleet: Fleet
    engines: tuple[Engine, ...]
    elsewhere: tuple[str, ...]
    asked: Mapping[str, tuple[Load, ...]]
    batch: int | None

    @classmethod
    def of(cls, plan: Plan, fleet: Fleet, batch: int | None) -> Site:
        """What a plan needs of a fleet. Raises `InputError`."""
        asked = _perhaps(plan, loads(plan.graph, plan.question))
        shapes = {}
        for name, spec in plan.graph.models.items():
            if (shape := resolve(name, spec, fleet.shapes)) is not None:
                shapes[name] = shape
        found = engines(plan, shapes, asked)
        if not found:
            raise InputError(
                f"no model of {plan.graph.name} runs on GPUs here: those of `vllm`, those behind a "
                "`base_url`, and those with a `shape:` do"
            )
        here = {entry for engine in found for entry in engine.entries}
        elsewhere = tuple(name for name in plan.graph.models if name not in here)
        return cls(plan, fleet, found, elsewhere, asked, batch)

    def capped(self, draws: Sequence[int]) -> Site:
        """The same with so many draws of each model under way at most, but for those that say a
        number."""
        capped = tuple(
            e if isinstance(e.spec.concurrency, int) else replace(e, most=min(e.most, most))
            for e, most in zip(self.engines, draws, strict=True)
        )
        return replace(self, engines=capped)

    def all(self, questions: int) -> Placement | None:
        """All engines awake together with so many questions at once; None if they do not fit."""
        homes = together(self._groups, self.choices(questions), Tries(_TRIES))
        return None if homes is None else self._placement(homes, questions, None)

    def in_turns(self, questions: int) -> Placement | None:
        """Engines that take turns over the batch; None without one, and if one never fits."""
        if self.batch is None or len(self.engines) == 1:
            return None
        choices = self.choices(questions)
        if not all(choices):
            return None
        residues = [residue(group.gpu) for group in self.fleet.gpus]
        found = turns.in_turns(
            self._groups, choices, self._units, residues, self._moved, Tries(_ORDERS)
        )
        return None if found is None else self._placement(found[0], questions, found[1])

    def choices(self, questions: int) -> list[list[Choice]]:
        """The ways to serve each engine that fit a GPU with nobody else on it."""
        return [
            [
                Choice(
                    place,
                    size,
                    share,
                    work(self.asked, engine, Speed(engine.shape, group.gpu, size), draws),
                )
                for place, group in enumerate(self.fleet.gpus)
                for size in sizes(engine, group.count)
                if (share := thousandths(need(engine, size, draws).total, group.gpu)) <= LIMIT
            ]
            for engine in self.engines
            for draws in [engine.at_once(questions)]
        ]

    @property
    def _groups(self) -> list[list[int]]:
        groups: list[list[int]] = []
        start = 0
        for group in self.fleet.gpus:
            groups.append(list(range(start, start + group.count)))
            start += group.count
        return groups

    @property
    def _units(self) -> tuple[Unit, ...]:
        models = self.plan.graph.models
        own = {e: place for place, engine in enumerate(self.engines) for e in engine.entries}
        serving = {
            name: frozenset(own[n] for n in (name, *spec.fallback) if n in own)
            for name, spec in models.items()
        }
        return units(self.plan.graph, self.asked, serving)

    def _moved(self, homes: Sequence[Home], before: turns.Engines, after: turns.Engines) -> float:
        """Seconds from one set of engines awake to another: every GPU moves the weights of those
        that go, then of those that come, over its own link."""
        host = self._sleep() == 1
        seconds = [0.0]
        for gpu, there in members(homes).items():
            rate = self.fleet.each[gpu].gpu.pcie * GB * HOST
            gone = sum(self._part(h) for h in there if h.engine in before - after)
            come = sum(self._part(h) for h in there if h.engine in after - before)
            read = rate if host else self.fleet.disk * GB
            seconds.append((gone / rate if host else 0.0) + come / read)
        return max(seconds)

    def _part(self, home: Home) -> float:
        return self.engines[home.engine].shape.weights / home.choice.size

    def _sleep(self) -> int:
        """vLLM's level of sleep: 1 keeps the weights in the host's memory, 2 reads them again."""
        memory = self.fleet.memory
        return 1 if memory is None or self._asleep() <= memory * GB else 2

    def _asleep(self) -> float:
        """Bytes of all weights: vLLM keeps room for each engine that has ever slept."""
        return sum(engine.shape.weights for engine in self.engines)

    def _placement(
        self, homes: Sequence[Home], questions: int, order: turns.Order | None
    ) -> Placement:
        sets = order.awake if order else (frozenset(range(len(homes))),)
        found = tuple(self._placed(home, homes, sets, questions) for home in homes)
        placement = Placement(self.fleet, found, self.elsewhere, questions)
        if order is None:
            return placement
        level = self._sleep()
        return replace(
            placement,
            turns=tuple(self._told(homes, order)),
            sleep=level,
            host=self._asleep() if level == 1 else 0.0,
        )

    def _placed(
        self, home: Home, homes: Sequence[Home], sets: Sequence[turns.Engines], questions: int
    ) -> Placed:
        engine = self.engines[home.engine]
        gpu = self.fleet.gpus[home.choice.group].gpu
        draws = engine.at_once(questions)
        share = self._widened(home, homes, sets)
        return Placed(engine, gpu, home.gpus, need(engine, home.choice.size, draws), share, draws)

    def _widened(self, home: Home, homes: Sequence[Home], sets: Sequence[turns.Engines]) -> int:
        """The share with its part of what would be left empty, in every turn it is awake."""
        kept = residue(self.fleet.gpus[home.choice.group].gpu)
        on = members(homes)
        shares = []
        for awake in sets:
            for gpu in home.gpus if home.engine in awake else ():
                up = sum(h.choice.share for h in on[gpu] if h.engine in awake)
                asleep = sum(kept for h in on[gpu] if h.engine not in awake)
                shares.append(home.choice.share * (LIMIT - asleep) // up)
        return min(shares, default=home.choice.share)

    def _told(self, homes: Sequence[Home], order: turns.Order) -> list[Turn]:
        told: list[Turn] = []
        done, before = frozenset[int](), order.awake[0]
        for awake in order.awake:
            after = ready(self._units, done, awake)
            run = [self._units[place] for place in sorted(after - done)]
            told.append(
                Turn(
                    tuple((u.step, self.engines[e].name) for u in run for e in sorted(u.engines)),
                    self._names(awake),
                    self._names(awake - before),
                    self._moved(homes, before, awake),
                )
            )
            done, before = after, awake
        return told

    def _names(self, some: turns.Engines) -> tuple[str, ...]:
        return tuple(self.engines[place].name for place in sorted(some))


def _perhaps(plan: Plan, asked: Mapping[str, tuple[Load, ...]]) -> Mapping[str, tuple[Load, ...]]:
    """The loads, with nothing at least of a step that the plan says may not run at all."""
    made = {}
    for name, found in asked.items():
        if plan.costs[name].calls.low == 0:
            found = tuple(_optional(load) for load in found)
        made[name] = found
    return made


def _optional(load: Load) -> Load:
    calls = replace(load.calls, count=Amount(0, load.calls.count.high))
    return Load(calls, Amount(0, load.prompts.high))
