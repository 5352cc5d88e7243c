"""Regret of search strategies on recorded outputs, against the model calls that they pay for.

    python benchmarks/search.py RECORDINGS [--seeds 20] [--only frugal,gp] [--halves] [--page PAGE]

Two spaces small enough to enumerate, so that the best point is known:

- gsm8k-zeroeval: which of twelve models vote, and whether two that agree end it. 8,190 points; the
  value is the share right less 0.002 for each call of a question.
- humaneval-codet: how many programs and tests are drawn, which tests count, and who decides. 4,000
  points; the value is the share right less 0.001 for each call.

Points are chosen by the items of `dev`, and regret is that on those of `test`: how much better the
best point is there than the one chosen. Which point is best on `test` is luck in part; so `all of
dev` is told as well, what choosing by all points and all questions of `dev` comes to, and the
regret on `dev` itself, where the best point can be found. `--halves` divides the items anew at
random for each seed instead of by the fixed rule, which takes the luck of one division out.

Strategies by their own names work as they were published: every trial asks all questions and pays
for them, and the best mean is chosen. `+ bank` pays for a draw once; `+ race` asks few questions
first, as the engine does, and chooses by what all trials tell of one another. `frugal` has both.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from random import Random
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyarch.compiler.space import Choice, Hole
from polyarch.search.aim import Aim
from polyarch.search.database import database
from polyarch.search.engine import Engine
from polyarch.search.examiner import Prepared
from polyarch.search.history import History
from polyarch.search.lineage import Lineage
from polyarch.search.mark import Mark
from polyarch.search.race import Race
from polyarch.search.record import Record
from polyarch.search.strategy import Setting, strategy
from polyarch.search.trial import Trial

OURS = "frugal"
CONTESTANTS = (
    "random",
    "grid",
    "greedy",
    "gp",
    "tpe",
    "nsga2",
    "random + bank",
    "gp + bank",
    "random + bank + race",
    "gp + bank + race",
    OURS,
)
BUDGETS = tuple(round(10 ** (k / 4)) for k in range(8, 23))
MODELS = (
    "Meta-Llama-3-70B-Instruct",
    "gemma-2-27b-it",
    "claude-3-haiku-20240307",
    "gemma-2-9b-it",
    "Athene-70B",
    "Yi-1.5-34B-Chat",
    "Meta-Llama-3.1-8B-Instruct",
    "Mistral-Nemo-Instruct-2407",
    "Phi-3.5-mini-instruct",
    "Qwen2-7B-Instruct",
    "Meta-Llama-3-8B-Instruct",
    "Yi-1.5-9B-Chat",
)
PROGRAMS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64)
TESTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
METHODS = ("first", "most tests", "cluster", "dual", "dual, root")

Table = NDArray[np.float32]


Needs = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Of a point: how many draws of each kind every item needs, and how many are planned."""


@dataclass(frozen=True)
class Task:
    """A space with the score and the calls of every point on every item."""

    name: str
    holes: tuple[Hole, ...]
    scores: Table
    calls: Table
    needs: Callable[[int], Needs]
    dev: NDArray[np.int64]
    test: NDArray[np.int64]
    price: float

    def values(self, items: NDArray[np.int64]) -> NDArray[np.float64]:
        """The value of every point on some items."""
        scores, calls = self.scores[:, items], self.calls[:, items]
        return (scores - self.price * calls).mean(axis=1).astype(np.float64)


class Points:
    """A space out of a table: a point's row is its place among all combinations."""

    def __init__(self, task: Task) -> None:
        self.holes = task.holes
        self.name = task.name
        self._sizes = [len(hole.options) for hole in task.holes]
        self._subset = task.name.startswith("gsm8k")

    @property
    def first(self) -> Choice:
        """All models vote; or the first program as it comes."""
        models = {hole.name: 1 for hole in self.holes[:-1]}
        return {**models, self.holes[-1].name: 0} if self._subset else next(self.points())

    @property
    def size(self) -> int:
        whole = int(np.prod(self._sizes))
        return whole - 2 if self._subset else whole

    def valid(self, choice: Choice) -> str:
        empty = self._subset and not any(choice[h.name] for h in self.holes[:-1])
        return "no model votes" if empty else ""

    def random(self, rng: Random) -> Choice:
        while True:
            choice = {hole.name: rng.randrange(len(hole.options)) for hole in self.holes}
            if not self.valid(choice):
                return choice

    def points(self) -> Iterator[Choice]:
        for values in itertools.product(*map(range, self._sizes)):
            choice = dict(zip((hole.name for hole in self.holes), values, strict=True))
            if not self.valid(choice):
                yield choice

    def row(self, choice: Choice) -> int:
        return int(np.ravel_multi_index([int(choice[h.name]) for h in self.holes], self._sizes))

    def close(self, choice: Choice) -> Any:
        raise NotImplementedError


class Tables:
    """Looks marks up, and counts the calls that are paid for: each draw once, or every time."""

    def __init__(self, task: Task, order: NDArray[np.int64], *, bank: bool) -> None:
        self.paid = 0
        self._task = task
        self._order = order
        self._bank = bank
        self._there: NDArray[np.float32] | None = None

    def prepare(self, text: str, plan: object) -> Prepared:
        raise NotImplementedError

    async def ask(self, prepared: Prepared, places: Sequence[int]) -> list[Mark]:
        row, items = int(prepared.text), self._order[list(places)]
        calls = self._task.calls[row, items]
        new = self._new(row, items) if self._bank else calls
        self.paid += int(new.sum())
        told = zip(self._task.scores[row, items], calls, new, strict=True)
        return [Mark(float(score), int(own), paid=int(fresh)) for score, own, fresh in told]

    def _new(self, row: int, items: NDArray[np.int64]) -> NDArray[np.float32]:
        wanted, _ = self._task.needs(row)
        if self._there is None:
            self._there = np.zeros_like(wanted)
        fresh = np.maximum(0, wanted[items] - self._there[items])
        self._there[items] += fresh
        return fresh.sum(axis=1)


def rows(path: Path) -> Iterator[Mapping[str, Any]]:
    with gzip.open(path, "rt") as lines:
        yield from map(json.loads, lines)


def split(ids: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    odd = np.array([int(sha256(id.encode()).hexdigest()[:8], 16) % 2 for id in ids])
    return np.flatnonzero(odd == 0), np.flatnonzero(odd == 1)


def zeroeval(folder: Path) -> Task:
    """Votes of models, the earlier one where two answers have as many; or the first two alone where
    they agree."""
    ids = [item["id"] for item in rows(folder / "items.jsonl.gz")]
    places = {id: place for place, id in enumerate(ids)}
    answers = np.full((len(MODELS), len(ids)), -1)
    right = np.zeros((len(MODELS), len(ids)), dtype=bool)
    known: dict[tuple[int, str], int] = {}
    for sample in rows(folder / "samples.jsonl.gz"):
        if sample["model"] in MODELS:
            model, item = MODELS.index(sample["model"]), places[sample["item"]]
            if sample["answer"] is not None:
                answers[model, item] = known.setdefault((item, sample["answer"]), len(known))
            right[model, item] = sample["correct"]
    holes = tuple(Hole(name, (False, True)) for name in MODELS)
    holes = (*holes, Hole("two agree", (False, True)))
    scores = np.zeros((2 ** len(holes), len(ids)), dtype=np.float32)
    calls = np.zeros_like(scores)
    same = (answers[:, None] == answers[None]) & (answers >= 0)[:, None]
    for row, chosen in enumerate(itertools.product((False, True), repeat=len(holes))):
        members = np.flatnonzero(chosen[:-1])
        if not len(members):
            continue
        votes = same[np.ix_(members, members)].sum(axis=1)
        best = members[votes.argmax(axis=0)]
        scores[row] = right[best, np.arange(len(ids))]
        calls[row] = len(members)
        if chosen[-1] and len(members) > 2:
            agree = same[members[0], members[1]]
            scores[row] = np.where(agree, right[members[0]], scores[row])
            calls[row] = np.where(agree, 2, calls[row])

    def needs(row: int) -> Needs:
        bits = np.array([row >> (len(holes) - 1 - place) & 1 for place in range(len(holes))])
        wanted = np.tile(bits[:-1].astype(np.float32), (len(ids), 1))
        members = np.flatnonzero(bits[:-1])
        planned = wanted[0].copy()
        if bits[-1] and len(members) > 2:
            wanted[np.ix_(calls[row] == 2, members[2:])] = 0
            planned[members[2:]] = 0.5
        return wanted, planned

    return Task(folder.name, holes, scores, calls, needs, *split(ids), 0.002)


def codet(folder: Path) -> Task:
    """Programs chosen by tests that the same model wrote, some of them."""
    items = list(rows(folder / "items.jsonl.gz"))
    ids = [item["id"] for item in items]
    right: dict[str, list[bool]] = {id: [] for id in ids}
    for sample in rows(folder / "samples.jsonl.gz"):
        right[sample["item"]].append(sample["correct"])
    written: dict[str, list[str]] = {id: [] for id in ids}
    for sample in rows(folder / "tests.jsonl.gz"):
        written[sample["item"]].append(re.sub(r"\s+", "", "assert " + sample["text"]))
    ran = {told["item"]: told for told in rows(folder / "exec.jsonl.gz")}
    holes = (
        Hole("programs", PROGRAMS),
        Hole("tests", TESTS),
        Hole("method", METHODS),
        Hole("counted", (False, True)),
        Hole("likely", (False, True)),
    )
    shape = [len(hole.options) for hole in holes]
    scores = np.zeros((int(np.prod(shape)), len(ids)), dtype=np.float32)
    calls = np.zeros_like(scores)
    for place, id in enumerate(ids):
        told, good = ran[id], np.array(right[id])
        passed = np.array([[c == "1" for c in line] for line in told["passed"]], dtype=bool)
        passed = passed.reshape(len(good), -1)
        asserts = [re.sub(r"\s+", "", text) for text in told["asserts"]]
        wrote = np.array([[a in text for a in asserts] for text in written[id]], dtype=bool)
        wrote = wrote.reshape(len(written[id]), -1)
        for row, values in enumerate(itertools.product(*map(range, shape))):
            programs, tests = PROGRAMS[values[0]], TESTS[values[1]]
            method = METHODS[values[2]]
            calls[row, place] = programs + (0 if method == "first" else tests)
            scores[row, place] = good[
                _chosen(passed[:programs], wrote[:tests], method, values[3], values[4])
            ]

    def needs(row: int) -> Needs:
        values = np.unravel_index(row, shape)
        tests = 0 if METHODS[int(values[2])] == "first" else TESTS[int(values[1])]
        planned = np.array([PROGRAMS[int(values[0])], tests], dtype=np.float32)
        return np.tile(planned, (len(ids), 1)), planned

    return Task(folder.name, holes, scores, calls, needs, *split(ids), 0.001)


def _chosen(passed: Any, wrote: Any, method: str, counted: int, likely: int) -> int:
    """The program that is chosen: the first of the best."""
    times = wrote.sum(axis=0)
    if likely and times.size:
        times = np.where(times * 2 >= times.max(), times, 0)
    used = np.flatnonzero(times)
    if method == "first" or not used.size:
        return 0
    seen = passed[:, used]
    tests = seen @ (times[used] if counted else np.ones(len(used)))
    _, group = np.unique(seen, axis=0, return_inverse=True)
    size = np.bincount(group.ravel())[group.ravel()]
    if method == "most tests":
        return int(tests.argmax())
    if method == "cluster":
        return int(size.argmax())
    return int((tests * (np.sqrt(size) if method == "dual, root" else size)).argmax())


@dataclass(frozen=True)
class Run:
    """After how many calls which regret was reached on `test` and on `dev`, and what a trial took
    beside being asked, in seconds of a
    processor."""

    paid: NDArray[np.int64]
    left: NDArray[np.float64]
    seconds: float
    trials: int

    @property
    def end(self) -> int:
        """How many calls were paid for in all."""
        return int(self.paid[-1])

    @property
    def milliseconds(self) -> float:
        """What a trial took beside being asked."""
        return 1000 * self.seconds

    def within(self, budget: float, start: float) -> float:
        """The regret on `test` within so many calls; before the first trial that of any point."""
        place = int(np.searchsorted(self.paid, budget, side="right"))
        return float(self.left[0, place - 1]) if place else start


def halves(task: Task, seed: int) -> Task:
    """The task with its items divided anew at random."""
    whole = np.concatenate([task.dev, task.test])
    dealt = np.random.default_rng(seed).permutation(whole)
    return replace(task, dev=dealt[: len(task.dev)], test=dealt[len(task.dev) :])


async def search(task: Task, contestant: str, seed: int, trials: int) -> Run:
    """One search."""
    name, *shared = contestant.split(" + ")
    ours = name == OURS
    bank, race = ours or "bank" in shared, ours or "race" in shared
    space = Points(task)
    order = np.random.default_rng(seed).permutation(task.dev)
    tables = Tables(task, order, bank=bank)
    valued = [task.values(task.test), task.values(task.dev)]
    points = [space.row(choice) for choice in space.points()]
    best = [float(values[points].max()) for values in valued]
    aim = Aim((("calls", task.price),))
    history = History((aim,), holes=task.holes if race else ())
    reached: list[tuple[int, list[float]]] = []
    seen: list[int] = []

    def opening(choice: Choice) -> Prepared:
        row = space.row(choice)
        _, planned = task.needs(row)
        steps = {str(kind): (str(kind), float(n)) for kind, n in enumerate(planned) if n}
        return Prepared(Lineage(steps), None, str(row))

    def changed(trial: Trial) -> None:
        if trial.state == "running" or [tables.paid, len(history)] == seen:
            return
        seen[:] = tables.paid, len(history)
        plain = max(history.asked, key=lambda t: history.mean(t, aim)) if not race else None
        chosen = plain or history.leader
        if chosen is not None:
            row = space.row(chosen.choice)
            left = [100 * float(b - v[row]) for b, v in zip(best, valued, strict=True)]
            reached.append((tables.paid, left))

    engine = Engine(
        space,
        tables,
        opening,
        Record(database(":memory:"), task.name, {}),
        history,
        Race((aim,), 0.1, least=min(8, len(order)) if race else len(order)),
        rng=Random(seed),
        most=len(order),
        trials=trials,
        over=lambda: tables.paid >= BUDGETS[-1],
        changed=changed,
    )
    chosen = strategy(name, Setting(space, (aim,), Random(seed), engine))
    began = process_time()
    await engine.explore(chosen)
    seconds = process_time() - began
    if race:
        await engine.confirm(len(order))
    return Run(
        np.array([paid for paid, _ in reached]),
        np.array([left for _, left in reached]).T,
        seconds / len(history),
        len(history),
    )


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The mean over seeds, and half of its 95% interval by Student's t."""
    from scipy.stats import t

    told = np.asarray(values)
    half = t.ppf(0.975, len(told) - 1) * told.std(ddof=1) / len(told) ** 0.5
    return float(told.mean()), float(half)


def report(
    task: Task, names: Sequence[str], seeds: int, trials: int, divided: bool
) -> dict[str, dict[int, float]]:
    """Print the figures of a task; the curves, by name and budget."""
    space = Points(task)
    rows_ = np.array([space.row(choice) for choice in space.points()])
    tasks = [halves(task, seed) if divided else task for seed in range(seeds)]
    floors, starts = [], []
    for one in tasks if divided else tasks[:1]:
        dev, test = one.values(one.dev)[rows_], one.values(one.test)[rows_]
        floors.append(100 * float(test.max() - test[dev.argmax()]))
        starts.append(100 * float(test.max() - test.mean()))
    start = float(np.mean(starts))
    divided_by = "random halves" if divided else "the fixed rule"
    print(f"\n{task.name}: {space.size:,} points, {len(task.dev)} dev and {len(task.test)} test")
    print(f"items divided by {divided_by}; a point at random: regret {start:.2f}")
    print(f"chosen by all points and all of dev: regret {np.mean(floors):.2f}")
    print(f"mean regret in points on test within so many calls, {seeds} seeds")
    print(f"{'':21}" + "".join(f"{budget:>8,}" for budget in BUDGETS))
    runs, curves = {}, {}
    for name in names:
        runs[name] = [
            asyncio.run(search(one, name, seed, trials)) for seed, one in enumerate(tasks)
        ]
        curves[name] = {
            budget: float(np.mean([run.within(budget, start) for run in runs[name]]))
            for budget in BUDGETS
            if budget <= max(run.paid[-1] for run in runs[name])
        }
        cells = "".join(
            f"{curves[name][budget]:8.2f}" if budget in curves[name] else f"{'':8}"
            for budget in BUDGETS
        )
        print(f"{name:21}{cells}", flush=True)
    print("\nat the end: regret on test and on dev ± 95%, calls, trials, ms a trial")
    for name, own in runs.items():
        ends = [interval([float(run.left[part, -1]) for run in own]) for part in (0, 1)]
        told = "  ".join(f"{mean:5.2f} ± {half:4.2f}" for mean, half in ends)
        paid, tried, ms = (
            float(np.mean([getattr(run, what) for run in own]))
            for what in ("end", "trials", "milliseconds")
        )
        print(f"{name:21}{told}  {paid:10,.0f} {tried:6.0f} {ms:7.1f}")
    if OURS in runs:
        _held_against(runs, start)
    return curves


def _held_against(runs: Mapping[str, Sequence[Run]], start: float) -> None:
    """How much more regret others have than ours, by pairs of equal seeds, budget by budget."""
    print(f"\nmore regret than {OURS} has at the same calls ± 95%, paired by seed")
    print(f"{'':21}" + "".join(f"{budget:>14,}" for budget in BUDGETS[1::2]))
    for name, others in runs.items():
        if name == OURS:
            continue
        cells = ""
        for budget in BUDGETS[1::2]:
            mean, half = interval(
                [
                    other.within(budget, start) - own.within(budget, start)
                    for own, other in zip(runs[OURS], others, strict=True)
                ]
            )
            cells += f"{mean:7.2f} ± {half:4.2f}"
        print(f"{name:21}{cells}")


def page(curves: Mapping[str, Mapping[str, Mapping[int, float]]]) -> str:
    """The curves as a page."""
    from polyarch.evaluation.report.svg import curves as drawn

    label = "regret on held-out items over calls that were paid for"
    shares = {name: {k: _shares(v) for k, v in told.items()} for name, told in curves.items()}
    plots = "".join(
        f"<section><h2>{name}</h2>{drawn(told, label)}</section>" for name, told in shares.items()
    )
    made = files("polyarch.evaluation.report").joinpath("page.html").read_text(encoding="utf-8")
    parts = {"title": "Regret", "data": ", ".join(curves), "what": label, "body": plots}
    for name, text in parts.items():
        made = made.replace("{{" + name + "}}", text)
    return made


def _shares(line: Mapping[int, float]) -> dict[int, float]:
    return {budget: value / 100 for budget, value in line.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=250)
    parser.add_argument("--only", default=",".join(CONTESTANTS))
    parser.add_argument("--sets", default="gsm8k-zeroeval,humaneval-codet")
    parser.add_argument("--halves", action="store_true")
    parser.add_argument("--page", type=Path)
    told = parser.parse_args()
    loads = {"gsm8k-zeroeval": zeroeval, "humaneval-codet": codet}
    curves = {}
    for name in told.sets.split(","):
        task = loads[name](told.recordings / name)
        curves[name] = report(task, told.only.split(","), told.seeds, told.trials, told.halves)
    if told.page is not None:
        told.page.write_text(page(curves), encoding="utf-8")


if __name__ == "__main__":
    main()
