"""What is known while one question is on its way: of the run, and of each of its steps."""

from __future__ import annotations

from asyncio import TaskGroup, get_running_loop
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, TypeAlias

from ..compiler.values import NOTHING, Json, Question, Usage, total
from .events import Bus, Event, Happening
from .executors import Executors
from .ledger import Ledger
from .models import Models
from .once import Once
from .paths import Paths
from .result import Lost
from .seeds import derive
from .store import Store
from .wiring import Wiring

if TYPE_CHECKING:
    from .tools.calling import Caller
    from .tools.toolbox import Toolbox

__all__ = ["Run", "StepState", "Watching", "Writing"]

Watching: TypeAlias = "Callable[[str, int, str], None]"
"""Told the step, the place and the next part of a text, while it is written. It changes nothing:
what was told of an attempt that failed is told again."""


@dataclass(frozen=True, slots=True)
class Writing:
    """A reader of what one step writes: told the place and the next part of its text."""

    step: str
    tell: Callable[[int, str], None]


class Run:
    """One question on its way through a program."""

    def __init__(
        self,
        question: Question,
        models: Models,
        paths: Paths,
        seed: int,
        bus: Bus,
        stores: tuple[Store, ...],
        tools: Toolbox | Caller,
        executors: Executors,
        writing: Writing | None = None,
        watching: Watching | None = None,
    ) -> None:
        self.question = question
        self.models = models
        self.paths = paths
        """What is known of how long steps take, over all questions."""
        self.seed = seed
        self.stores = stores
        """Where replies may be that need not be asked for."""
        self.tools = tools
        """What may be called, or what a trace holds of that."""
        self.executors = executors
        """Where programs run."""
        self.writing = writing
        """Who reads texts of the result while they are written."""
        self.watching = watching
        """Who looks on while texts of any step are written."""
        self.group = TaskGroup()
        """Everything of this run happens in it."""
        self.now = get_running_loop().time
        """The event loop's clock, in seconds."""
        self.happened: list[Happening] = []
        """The trace."""
        self.stopped: dict[str, str] = {}
        """Why steps stopped early, one line each, by step."""
        self.lost: list[Lost] = []
        """What failed, or the budget did not reach, and was gone on without."""
        self.closed: list[tuple[StepState, int]] = []
        """The steps that were closed before everything was read, and how much of them was."""
        self.bus = bus

    @cached_property
    def jitter(self) -> Random:
        """Randomness of waits between attempts; it decides no answer."""
        return Random(derive(self.seed, self.question.id, "jitter"))

    def emit(self, what: str, step: str, place: int, data: Mapping[str, Json] = NOTHING) -> None:
        """Something happened."""
        at = self.now()
        self.happened.append((what, step, place, at, data))
        if self.bus.listened:
            self.bus.emit(Event(what, self.question.id, step, place, at, data))

    @property
    def unread(self) -> Usage:
        """What was spent on places that nobody read."""
        return total(
            usage
            for state, read in self.closed
            for place, usage in state.charged.items()
            if place >= read
        )


class StepState:
    """A step of one run: its wiring, its seed, its account, and what its places cost so far."""

    __slots__ = ("charged", "failed", "ledger", "name", "once", "question", "run", "seed", "wiring")

    def __init__(self, run: Run, wiring: Wiring, seed: int, ledger: Ledger) -> None:
        self.run = run
        self.question = run.question
        """What the step is asked: in a region over items, one of them."""
        self.wiring = wiring
        self.name = wiring.node.name
        self.seed = seed
        self.ledger = ledger
        self.charged: dict[int, Usage] = {}
        """By place."""
        self.failed = 0
        """How many of its places were lost to failures."""
        self.once = Once()
        """What its places share."""

    def charge(self, place: int, usage: Usage) -> None:
        """A place cost so much more."""
        known = self.charged.get(place)
        self.charged[place] = usage if known is None else known + usage

    def emit(self, what: str, place: int, data: Mapping[str, Json] = NOTHING) -> None:
        """Something happened at this step."""
        # As `Run.emit`, written out: this is where every request passes thrice.
        run = self.run
        at = run.now()
        run.happened.append((what, self.name, place, at, data))
        if run.bus.listened:
            run.bus.emit(Event(what, run.question.id, self.name, place, at, data))
