"""Regret of search strategies on recorded outputs, against the model calls that they pay for.

    python benchmarks/search.py RECORDINGS [--seeds 20] [--only frugal,gp]

Two spaces small enough to enumerate, so that the best point is known:

- gsm8k-zeroeval: which of twelve models vote, and whether two that agree end it. 8,190 points; the
  value is the share right less 0.002 for each call of a question.
- humaneval-codet: how many programs and tests are drawn, which tests count, and who decides. 4,000
  points; the value is the share right less 0.001 for each call.

Points are chosen by the items of `dev`, and regret is that on those of `test`: how much better the
best point is there than the one chosen. `all of dev` is what choosing by all points and all
questions of `dev` gives, so nothing can be expected to be better. Strategies other than `frugal`
work as they were published: every trial asks all questions and pays for them. `frugal` races over
the same questions and pays for a draw once.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyarch.compiler.errors import BudgetExhausted
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

PLAIN = ("random", "grid", "greedy", "gp", "tpe", "nsga2")
OURS = "frugal"
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


@dataclass(frozen=True)
class Task:
    """A space with the score and the calls of every point on every item."""

    name: str
    holes: tuple[Hole, ...]
    scores: Table
    calls: Table
    draws: Mapping[str, Any]
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
        return next(self.points())

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

    def __init__(self, task: Task, order: Sequence[int], budget: int, *, bank: bool) -> None:
        self.paid = 0
        self._task = task
        self._order = list(order)
        self._budget = budget
        self._bank = bank
        self._there: set[tuple[int, str, int]] = set()

    def prepare(self, text: str, plan: object) -> Prepared:
        raise NotImplementedError

    async def ask(self, prepared: Prepared, places: Sequence[int]) -> list[Mark]:
        row, marks = int(prepared.text), []
        for place in places:
            item = self._order[place]
            calls = int(self._task.calls[row, item])
            new = self._new(row, item) if self._bank else calls
            if self.paid + new > self._budget:
                raise BudgetExhausted("the budget is spent")
            self.paid += new
            marks.append(Mark(float(self._task.scores[row, item]), calls, paid=new))
        return marks

    def _new(self, row: int, item: int) -> int:
        draws = {(item, kind, n) for kind, n in self._task.draws["of"](row, item)}
        new = draws - self._there
        self._there |= new
        return len(new)


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

    def draws(row: int, item: int) -> Iterator[tuple[str, int]]:
        bits = [row >> (len(holes) - 1 - place) & 1 for place in range(len(MODELS))]
        members = [place for place, bit in enumerate(bits) if bit]
        yield from (("model", member) for member in members[: int(calls[row, item])])

    return Task(folder.name, holes, scores, calls, {"of": draws}, *split(ids), 0.002)


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

    def draws(row: int, item: int) -> Iterator[tuple[str, int]]:
        values = np.unravel_index(row, shape)
        yield from (("program", n) for n in range(PROGRAMS[int(values[0])]))
        if METHODS[int(values[2])] != "first":
            yield from (("test", n) for n in range(TESTS[int(values[1])]))

    return Task(folder.name, holes, scores, calls, {"of": draws}, *split(ids), 0.001)


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


async def search(task: Task, name: str, seed: int, trials: int) -> list[tuple[int, list[float]]]:
    """After how many calls which regret was reached, on the held-out items and on those it sees."""
    space, ours = Points(task), name == OURS
    order = [int(item) for item in task.dev]
    Random(seed).shuffle(order)
    tables = Tables(task, order, 1 << 40, bank=ours)
    tables_ = [task.values(task.test), task.values(task.dev)]
    points = [space.row(choice) for choice in space.points()]
    best = [float(values[points].max()) for values in tables_]
    aim = Aim((("calls", task.price),))
    history = History((aim,))
    reached: list[tuple[int, list[float]]] = []

    def opening(choice: Choice) -> Prepared:
        row = space.row(choice)
        calls = float(task.calls[row, task.dev].mean())
        return Prepared(Lineage(dict(_origins(task, row, calls))), None, str(row))

    def changed(trial: Trial) -> None:
        asked = history.asked
        chosen = history.leader if ours else max(asked, key=lambda t: t.value(aim), default=None)
        if chosen is not None:
            row = space.row(chosen.choice)
            left = [float(b - v[row]) for b, v in zip(best, tables_, strict=True)]
            reached.append((tables.paid, left))

    least = min(8, len(order)) if ours else len(order)
    engine = Engine(
        space,
        tables,
        opening,
        Record(database(":memory:"), task.name, {}),
        history,
        Race((aim,), 0.1, least=least),
        rng=Random(seed),
        most=len(order),
        trials=trials,
        changed=changed,
    )
    chosen = strategy(name, Setting(space, (aim,), Random(seed), engine.price))
    await engine.explore(chosen)
    if ours:
        await engine.confirm(len(order))
    return reached


def _origins(task: Task, row: int, calls: float) -> Iterator[tuple[str, tuple[str, float]]]:
    """Where the calls of a point come from, for its price."""
    kinds: dict[str, int] = {}
    for kind, number in task.draws["of"](row, int(task.dev[0])):
        name = f"{kind} {number}" if kind == "model" else kind
        kinds[name] = kinds.get(name, 0) + 1
    yield from ((name, (name, float(count))) for name, count in kinds.items())


def regret(reached: Sequence[tuple[int, list[float]]], budget: float) -> list[float] | None:
    """What was reached within so many calls."""
    within = [told for paid, told in reached if paid <= budget]
    return within[-1] if within else None


def report(task: Task, names: Sequence[str], seeds: int, trials: int) -> None:
    space = Points(task)
    dev, test = task.values(task.dev), task.values(task.test)
    rows_ = [space.row(choice) for choice in space.points()]
    best = max(test[row] for row in rows_)
    chosen = max(rows_, key=lambda row: dev[row])
    print(f"\n{task.name}: {space.size:,} points, {len(task.dev)} dev and {len(task.test)} test")
    print(f"best point on test {best:.4f}; all of dev: regret {100 * (best - test[chosen]):.2f}")
    budgets = [300, 1_000, 2_000, 4_000, 8_000, 20_000, 50_000, 100_000, 200_000, 400_000]
    print("mean regret in points on test, and below it on dev, after so many calls")
    print(f"{'':10}" + "".join(f"{budget:>9,}" for budget in budgets) + "   last ± 95%")
    for name in names:
        runs = [asyncio.run(search(task, name, seed, trials)) for seed in range(seeds)]
        for place, label in enumerate((name, "")):
            cells = []
            for budget in budgets:
                told = [regret(run, budget) for run in runs]
                known = [100 * value[place] for value in told if value is not None]
                full = len(known) == seeds
                cells.append(f"{float(np.mean(known)):9.2f}" if full else f"{'—':>9}")
            ends = [100 * run[-1][1][place] for run in runs]
            spread = 1.96 * float(np.std(ends)) / len(ends) ** 0.5
            last = f"{float(np.mean(ends)):7.2f} ± {spread:.2f}"
            print(f"{label:10}" + "".join(cells) + last, flush=True)
        paid = float(np.mean([run[-1][0] for run in runs]))
        print(f"{'':10}{paid:,.0f} calls in all")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--only", default=",".join((*PLAIN, OURS)))
    told = parser.parse_args()
    names = told.only.split(",")
    for load, folder in ((zeroeval, "gsm8k-zeroeval"), (codet, "humaneval-codet")):
        report(load(told.recordings / folder), names, told.seeds, told.trials)


if __name__ == "__main__":
    main()
