"""The outcome: which model runs where, with which share of the memory, and who takes turns."""

from __future__ import annotations

from dataclasses import dataclass

from ..price import Seconds
from .assumed import RESIDUE
from .engine import Engine
from .fleet import Fleet
from .gpu import GB, Gpu
from .memory import Need
from .roofline import Speed

__all__ = ["Batch", "Placed", "Placement", "Turn"]


@dataclass(frozen=True)
class Placed:
    """An engine at its home: `gpus` number the GPUs of the fleet, `need` is in bytes on each,
    `share` in thousandths of its memory, and `draws` may be under way at once."""

    engine: Engine
    gpu: Gpu
    gpus: tuple[int, ...]
    need: Need
    share: int
    draws: int

    @property
    def parallel(self) -> int:
        """Over how many GPUs it is spread."""
        return len(self.gpus)

    @property
    def utilization(self) -> float:
        """vLLM's `gpu_memory_utilization`."""
        return self.share / 1000

    @property
    def speed(self) -> Speed:
        """How fast it is there."""
        return Speed(self.engine.shape, self.gpu, self.parallel)


@dataclass(frozen=True)
class Turn:
    """A part of a batch, run for all its questions: steps with the engine each `asks` in it, the
    engines that are awake, those woken for it, and the seconds that swapping takes before it."""

    asks: tuple[tuple[str, str], ...]
    awake: tuple[str, ...]
    woken: tuple[str, ...]
    seconds: float

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that are run, at least in part."""
        return tuple(dict.fromkeys(step for step, _ in self.asks))


@dataclass(frozen=True)
class Batch:
    """What a batch of `questions` takes, estimated: seconds in all, seconds of busy GPUs a
    question, and dollars a question for all GPUs as long as it runs, None without a price."""

    questions: int
    seconds: Seconds
    gpu_seconds: Seconds
    usd: Seconds | None

    @property
    def per_second(self) -> Seconds:
        """Questions a second."""
        return Seconds(
            self.questions / self.seconds.high if self.seconds.high else 0.0,
            self.questions / self.seconds.low if self.seconds.low else 0.0,
        )


@dataclass(frozen=True)
class Placement:
    """Where the models of a plan run. `elsewhere` are those that need no GPU of the fleet;
    `questions` may be under way at once. Without turns all engines are awake together; with them,
    `sleep` is vLLM's level and `host` the bytes of host memory that the sleeping need.
    `seconds` and `usd` are of one question, None where not all of it runs here."""

    fleet: Fleet
    placed: tuple[Placed, ...]
    elsewhere: tuple[str, ...]
    questions: int
    turns: tuple[Turn, ...] = ()
    sleep: int = 1
    host: float = 0.0
    seconds: Seconds | None = None
    usd: Seconds | None = None
    batch: Batch | None = None
    notes: tuple[str, ...] = ()

    @property
    def swaps(self) -> int:
        """How often an engine is woken after the first turn."""
        return sum(len(turn.woken) for turn in self.turns)

    def of(self, entry: str) -> Placed | None:
        """Where an entry of `models:` runs."""
        return next((p for p in self.placed if entry in p.engine.entries), None)

    def used(self, gpu: int, awake: tuple[str, ...] | None = None) -> float:
        """Bytes of a GPU that are in use while these engines are awake, all of them if None."""
        there = [p for p in self.placed if gpu in p.gpus]
        up = {p.engine.name for p in there} if awake is None else set(awake)
        return sum(
            p.utilization * p.gpu.memory * GB if p.engine.name in up else RESIDUE for p in there
        )
