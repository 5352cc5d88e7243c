"""The search itself: ask, close, compile, price, race, tell."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol

from ..compiler.errors import BudgetExhausted, PlanRefused, PolyarchError
from ..compiler.plan import plan
from ..compiler.price import Cost
from ..compiler.space import Choice, Closed
from ..runtime.context import first_error
from .aim import Unit
from .examiner import Examines, Prepared
from .history import History
from .lineage import Banked, Lineage
from .race import Race
from .record import Amounts, Record
from .strategy.base import Searched, Strategy
from .trial import Trial, key_of

__all__ = ["Closes", "Engine", "Openings", "rungs"]

_TRIES = 16
"""How often a strategy is asked again for a point that was not tried."""
_THROUGH = 3
"""So many trials must have come through before the next ones are asked more."""
_RAISED = 3
"""So many of the best are asked more then, whatever that costs."""
_FOLLOWING = 48
"""So many of the next best are as well, as far as it costs nothing."""
_GLANCE = 2
"""After so many questions a trial is left that costs far more than it may."""
_FAR = 1.3
_IDLE = 12
"""So many trials in a row that cost nothing make the next ones be asked more."""
_REFUSED = 500
"""Points refused with none that could run between them, after which no other is expected."""


class Closes(Searched, Protocol):
    """A space whose points can be made pipelines."""

    def close(self, choice: Choice) -> Closed:
        """The pipeline of a point."""


def rungs(first: int, last: int) -> list[int]:
    """After how many questions trials are compared: twice as many each time, up to all."""
    made = []
    while first < last:
        made.append(first)
        first *= 2
    return [*made, last]


class Openings:
    """Points of a space made ready, each once; those that cannot run, with the reason."""

    def __init__(
        self, space: Closes, examiner: Examines, caps: Sequence[tuple[Unit, float]] = ()
    ) -> None:
        """`caps` is what a question may cost: a pipeline that needs more is refused."""
        self._space = space
        self._examiner = examiner
        self._caps = tuple(caps)
        self._made: dict[str, Prepared | PolyarchError] = {}

    def __call__(self, choice: Choice) -> Prepared:
        """The pipeline of a point. Raises `SpecError` or `PlanRefused`; nothing is asked."""
        key = key_of(choice)
        if key not in self._made:
            try:
                closed = self._space.close(choice)
                planned = plan(closed.graph)
                self._refuse(planned.total)
                self._made[key] = self._examiner.prepare(closed.text, planned)
            except PolyarchError as error:
                self._made[key] = error
        made = self._made[key]
        if isinstance(made, PolyarchError):
            raise made
        return made

    def _refuse(self, cost: Cost) -> None:
        for unit, cap in self._caps:
            least = getattr(cost, unit).low if unit != "seconds" else 0
            if least > cap:
                raise PlanRefused(
                    f"a question costs at least {least:,g} {unit}, and may cost {cap:,g}"
                )


class Engine:
    """Tries points until the budget is spent, the trials are over, or nothing is left to try."""

    def __init__(
        self,
        space: Closes,
        examiner: Examines,
        openings: Callable[[Choice], Prepared],
        record: Record,
        history: History,
        race: Race,
        *,
        rng: Random,
        most: int,
        trials: int | None = None,
        caps: Sequence[tuple[Unit, float]] = (),
        no_dearer: bool = False,
        spent: Callable[[], Amounts | None] = lambda: None,
        over: Callable[[], bool] = lambda: False,
        changed: Callable[[Trial], None] = lambda trial: None,
    ) -> None:
        """`most` is how many questions a trial is asked at most, `trials` how many points are
        tried; `caps` is what a question may cost on average, with `no_dearer` also what the
        space's first point costs on the same questions in calls and tokens; `spent` says what this
        process spent when nothing is under way, `over` whether the time is; `changed` is told of
        every step of a trial."""
        self.history = history
        self.banked = Banked()
        self._space = space
        self._examiner = examiner
        self._openings = openings
        self._record = record
        self._race = race
        self._rng = rng
        self._rungs = rungs(race.least, most)
        self._level = self._rungs[0]
        self._trials = trials
        self._caps = tuple(caps)
        self._no_dearer = no_dearer
        self._spent = spent
        self._over = over
        self._changed = changed
        self._asking = asyncio.Lock()
        self._left: list[Trial] = []
        self._refused: Counter[str] = Counter()
        self._refused_in_row = 0
        self._paid_wide = 0
        self._idle = 0

    def lineage(self, choice: Choice) -> Lineage | None:
        """Where the draws of a point come from; None for one that cannot run."""
        try:
            return self._openings(choice).lineage
        except PolyarchError:
            return None

    def held(self, origin: str) -> float:
        """How many draws of an origin the bank holds of a question, on average over those that
        points are asked at present."""
        return self.banked.held(origin, self._level)

    async def explore(
        self, strategy: Strategy, *, workers: int = 1, warm: Sequence[Choice] = ()
    ) -> str:
        """Try points, `workers` at once; why it ended. `warm` are tried before the strategy is
        asked. Raises `PlanRefused` if no point can run, and `Outage`."""
        self._catch_up()
        reached = max((len(trial.marks) for trial in self.history), default=0)
        self._level = max([self._level, *(rung for rung in self._rungs if rung <= reached)])
        self._left = self._record.abandoned()
        first = [self._space.first] if self._no_dearer else []
        coming = [choice for choice in (*first, *warm) if choice not in self.history]
        why = ""

        async def work() -> None:
            nonlocal why
            while not why:
                try:
                    async with self._asking:
                        trial, ended = await self._next(strategy, coming)
                        if trial is not None and self._is_measure(trial):
                            # What others cost is held against it, so it is asked before them.
                            await self._follow(trial, strategy)
                            continue
                    why = why or ended
                    if trial is not None:
                        await self._follow(trial, strategy)
                except BudgetExhausted as error:
                    why = why or ("the time of the search is over" if self._over() else str(error))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(work())
        except BaseExceptionGroup as errors:
            raise first_error(errors) from None
        self.settle()
        self._refuse_if_nothing_ran()
        return why

    async def confirm(self, count: int, finalists: int = 8) -> None:
        """Ask the likely best more questions, up to so many: twice as many each time, and fewer
        trials. Who looks best after that was asked more, not only luckier.

        Where the budget is spent on the way, it ends with what there is.
        """
        alone = len(self.history.aims) == 1
        self._leave_dear()
        entered = self._entered(finalists)
        reached = max((len(trial.marks) for trial in entered), default=count)
        try:
            while True:
                for trial in entered:
                    if len(trial.marks) < reached:
                        self.keep(await self.extend(trial, min(reached, count)))
                self._leave_dear()
                if reached >= count:
                    return
                reached = min(count, 2 * reached)
                finalists = max(2 if alone else 4, finalists * 3 // 4)
                entered = self._entered(finalists)
        except BudgetExhausted:
            self.settle()
            self._leave_dear()

    def _entered(self, count: int) -> list[Trial]:
        alone = len(self.history.aims) == 1
        return (self.history.ranked() if alone else self.history.front)[:count]

    async def extend(self, trial: Trial, count: int) -> Trial:
        """Ask a trial more questions, up to so many in all."""
        first = len(trial.marks)
        if first >= count:
            return trial
        prepared = self._openings(trial.choice)
        marks = await self._examiner.ask(prepared, range(first, count))
        self.banked.note(prepared.lineage, first, count)
        return trial.with_marks(marks)

    def keep(self, trial: Trial) -> None:
        """Write a trial down, and whatever was spent."""
        self.history.add(trial)
        self._record.save(trial, self._spent())
        self._changed(trial)

    def settle(self) -> None:
        """Write down what was spent."""
        if (spent := self._spent()) is not None:
            self._record.settle(spent)

    def _looks(self) -> list[int]:
        """After how many questions a new trial is looked at."""
        limited = bool(self._caps) and self._rungs[0] > _GLANCE
        looks = [rung for rung in self._rungs if rung <= self._level]
        return [_GLANCE, *looks] if limited else looks

    def _too_dear(self, trial: Trial, slack: float) -> str:
        """Which cost of a question is more than so many times what it may be."""
        for unit, cap in self._caps:
            if (cost := trial.cost(unit)) > cap * slack * (1 + 1e-9):
                return f"a question costs {cost:,.4g} {unit}, and may cost {cap:,g}"
        default = self.history.get(self._space.first) if self._no_dearer else None
        return "" if default is None else _dearer(trial, default, slack)

    def _is_measure(self, trial: Trial) -> bool:
        """Whether a trial is the one that no other may be dearer than."""
        return self._no_dearer and trial.key == key_of(self._space.first)

    def _leave_dear(self) -> None:
        """Leave the trials that more questions, of theirs or of the default, show to cost too
        much."""
        for trial in self.history.asked:
            if trial.state in ("done", "dropped") and (told := self._too_dear(trial, 1.0)):
                self.keep(trial.ended("costly", told))

    async def _next(self, strategy: Strategy, coming: list[Choice]) -> tuple[Trial | None, str]:
        """The next trial, or why there is none."""
        self._catch_up()
        if self._over():
            return None, "the time of the search is over"
        if self._left:
            left = self._left.pop(0)
            return self._record.claim(left.choice), ""
        tried = sum(trial.state != "refused" for trial in self.history)
        if self._trials is not None and tried >= self._trials:
            return None, f"{tried:,} points were tried"
        if self._refused_in_row >= _REFUSED:
            return None, f"{self._refused_in_row:,} points in a row cannot run"
        choice = coming.pop(0) if coming else await self._asked(strategy)
        if choice is None:
            return None, "no point is left to try"
        return self._record.claim(choice), ""

    async def _asked(self, strategy: Strategy) -> Choice | None:
        """A point that was not tried: of the strategy, or else at random."""
        for _ in range(_TRIES):
            choice = await strategy.ask(self.history)
            if choice is None:
                break
            if self._space.valid(choice):
                strategy.tell(Trial(0, choice, state="refused", why=self._space.valid(choice)))
            elif choice not in self.history:
                return choice
        else:
            return strategy.unseen(self.history, 256)
        return None

    async def _follow(self, trial: Trial, strategy: Strategy) -> None:
        """Ask a trial until it is through, has lost, or nothing may be spent any more."""
        try:
            self._openings(trial.choice)
        except PolyarchError as error:
            self._refused[error.code if error.code != "plan-refused" else str(error)] += 1
            self._refused_in_row += 1
            ended = trial.ended("refused", str(error))
            self.keep(ended)
            strategy.tell(ended)
            return
        self._refused_in_row = 0
        self.history.add(trial)
        rivals, paid = self.history.front, trial.paid
        for rung in self._looks():
            trial = await self.extend(trial, rung)
            self.history.add(trial)
            if told := self._too_dear(trial, 1.0 if rung > _GLANCE else _FAR):
                trial = trial.ended("costly", told)
                break
            winner = self._race.lost_to(trial, rivals)
            if winner is not None:
                told = f"behind trial {winner.number} after {len(trial.marks)} questions"
                trial = trial.ended("dropped", told)
                break
            self.keep(trial)
        if trial.state == "running":
            trial = trial.ended("done")
        self.keep(trial)
        strategy.tell(trial)
        self._paid_wide += trial.paid - paid
        self._idle = 0 if trial.paid > paid else self._idle + 1
        await self._raise()

    async def _raise(self) -> None:
        """Ask the best trials more, and all from now on, once trying points has cost as much as
        that will, or costs nothing any more.

        Early trials are so compared on few questions, and only those among whom few cannot tell
        are asked many. (Hutter et al., 2011, call it intensification.) Whatever the budget is,
        half of it goes into more points and half into more questions.
        """
        through = [t for t in self.history if t.state == "done" and len(t.marks) >= self._level]
        if len(through) < _THROUGH or self._level >= self._rungs[-1]:
            return
        level = self._rungs[self._rungs.index(self._level) + 1]
        ranked = self.history.ranked()
        price = sum(self._marginal(trial, level) for trial in ranked[:_RAISED])
        if self._paid_wide < price and self._idle < _IDLE:
            return
        self._level, self._paid_wide, self._idle = level, 0, 0
        for place, trial in enumerate(ranked[: _RAISED + _FOLLOWING]):
            if place < _RAISED or self._marginal(trial, level) < 1:
                self.keep(await self.extend(trial, level))
        self._leave_dear()

    def _marginal(self, trial: Trial, count: int) -> float:
        """About how many calls it costs to ask a trial so many questions in all."""
        return self.banked.marginal(
            self._openings(trial.choice).lineage, len(trial.marks), max(count, len(trial.marks))
        )

    def _catch_up(self) -> None:
        """Take in what others have done."""
        for trial in self._record.news():
            known = self.history.get(trial.choice)
            if known is None or len(trial.marks) >= len(known.marks):
                self.history.add(trial)

    def _refuse_if_nothing_ran(self) -> None:
        refused = [trial for trial in self.history if trial.state == "refused"]
        if refused and len(refused) == len(self.history):
            told = Counter(trial.why for trial in refused).most_common(1)[0][0]
            raise PlanRefused(
                f"none of {len(refused):,} points tried can run, so nothing was asked; for one: "
                f"{told}"
            )


def _dearer(trial: Trial, default: Trial, slack: float) -> str:
    """In what a trial costs more than so many times what the default does on the questions that
    both were asked."""
    for unit in ("calls", "tokens"):
        both = list(zip(trial.marks, default.marks, strict=False))
        own, other = (sum(getattr(pair[side], unit) for pair in both) for side in (0, 1))
        if own > slack * other:
            count = len(both)
            told = f"{own / count:,.4g} {unit}, and the default {other / count:,.4g}"
            return f"a question costs {told}"
    return ""
