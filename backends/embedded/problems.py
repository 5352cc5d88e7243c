"""Fresh multi-step arithmetic stories with known answers.

A story is a chain of two to four sentences, each one step of the sum. The splits ``train``,
``heldout`` and ``demo`` are disjoint by construction: a hash of the question decides which
split a story belongs to.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "CONTAINERS",
    "HIGHEST",
    "NAMES",
    "OBJECTS",
    "Number",
    "Operation",
    "Problem",
    "Result",
    "Split",
    "Step",
    "apply",
    "misread",
    "operand",
    "problems",
    "split_of",
    "stream",
    "write_solution",
]

Split = Literal["train", "heldout", "demo"]
Operation = Literal["+", "-", "*", "/"]

NAMES = (
    "Tom",
    "Ann",
    "Ben",
    "Eva",
    "Max",
    "Lily",
    "Sam",
    "Mia",
    "Leo",
    "Zoe",
    "Jack",
    "Nina",
    "Omar",
    "Ruth",
    "Ivan",
    "Kate",
)
OBJECTS = (
    "apples",
    "books",
    "coins",
    "stamps",
    "pens",
    "cards",
    "shells",
    "marbles",
    "cups",
    "eggs",
    "nuts",
    "pins",
)
CONTAINERS = ("boxes", "bags", "packs")
HIGHEST = 150
"""Largest number that a right solution meets."""
_HIGHEST_MISREAD = 220


@dataclass(frozen=True, slots=True)
class Number:
    """A number written in the story."""

    value: int


@dataclass(frozen=True, slots=True)
class Result:
    """The result of an earlier step; index 0 is the first number of the story."""

    index: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a solution: an operation on story numbers and earlier results."""

    phrase: str
    """The wording that the step was read from, such as ``twice`` or ``fewer``."""
    operation: Operation
    left: Number | Result
    right: Number | Result


@dataclass(frozen=True, slots=True)
class Problem:
    """A story, its steps read rightly, and its answer."""

    question: str
    answer: int
    start: int
    steps: tuple[Step, ...]
    kind: str
    """The wordings of the story, joined by ``+``."""

    @property
    def solution(self) -> str:
        """The right solution, one line a step and a last line ``answer: N``."""
        return write_solution(self.start, self.steps)


def apply(operation: Operation, left: int, right: int) -> int:
    """Compute one step; division rounds down, division by zero gives zero."""
    match operation:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left // right if right else 0


def write_solution(start: int, steps: tuple[Step, ...]) -> str:
    """Write steps as lines ``17*2=34`` and a last line ``answer: 34``."""
    values = [start]
    lines = []
    for step in steps:
        left, right = operand(step.left, values), operand(step.right, values)
        values.append(apply(step.operation, left, right))
        lines.append(f"{left}{step.operation}{right}={values[-1]}")
    lines.append(f"answer: {values[-1]}")
    return "\n".join(lines)


def operand(source: Number | Result, values: list[int]) -> int:
    """Look up an operand among the results so far (``values[0]`` is the start)."""
    return source.value if isinstance(source, Number) else values[source.index]


def misread(step: Step) -> Step | None:
    """The tempting wrong reading of a step, or None where its wording has none."""
    other: Operation
    match step.phrase:
        case "fewer" | "other-more":
            other = "+"
        case "other-fewer":
            other = "-"
        case "half" | "other-twice":
            other = "*"
        case "twice" | "boxes" | "each-friend":
            other = "+"
        case "share":
            other = "-"
        case _:
            return None
    return Step(step.phrase, other, step.left, step.right)


def split_of(question: str) -> Split:
    """Decide the split of a question by its hash: 80% train, 10% heldout, 10% demo."""
    bucket = hashlib.sha256(question.encode()).digest()[0] * 100 // 256
    return "train" if bucket < 80 else "heldout" if bucket < 90 else "demo"


def problems(split: Split, n: int, seed: int) -> list[Problem]:
    """Draw ``n`` different problems of a split; the same arguments give the same list."""
    found: dict[str, Problem] = {}
    for problem in stream(split, random.Random(f"{split}:{seed}")):
        found.setdefault(problem.question, problem)
        if len(found) == n:
            break
    return list(found.values())


def stream(split: Split, rng: random.Random) -> Iterator[Problem]:
    """Yield problems of a split without end; repeats are possible."""
    while True:
        problem = _draw(rng)
        if problem is not None and split_of(problem.question) == split:
            yield problem


_OWN = ("find", "buy", "get", "give", "lose", "sell", "boxes", "each-friend")
_RELATIONS = ("more", "fewer", "twice", "half", "times")
_OTHERS = ("other-more", "other-fewer", "other-twice")


class _Story:
    """A story being told: sentences, steps, and the numbers reached so far."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.names = rng.sample(NAMES, 4)
        self.thing = rng.choice(OBJECTS)
        self.holder = self.names.pop()
        self.values = [rng.randint(6, 60)]
        self.sentences = [f"{self.holder} has {self.values[0]} {self.thing}."]
        self.steps: list[Step] = []
        self.previous: tuple[str, int] | None = None
        """Holder before the last comparison, and the index of what they have."""

    @property
    def last(self) -> Result:
        return Result(len(self.values) - 1)

    def step(
        self, phrase: str, operation: Operation, left: Number | Result, right: Number | Result
    ) -> None:
        self.steps.append(Step(phrase, operation, left, right))
        left_value, right_value = operand(left, self.values), operand(right, self.values)
        exact = operation != "/" or left_value % right_value == 0
        self.values.append(apply(operation, left_value, right_value) if exact else -1)

    def own(self) -> None:
        """Add a sentence in which the holder gains or loses some."""
        rng, holder = self.rng, self.holder
        phrase = rng.choice(_OWN)
        b, c = rng.randint(2, 20), rng.randint(2, 9)
        match phrase:
            case "find" | "buy" | "get":
                verb = {"find": "finds", "buy": "buys", "get": "gets"}[phrase]
                self.sentences.append(f"{holder} {verb} {b} more.")
                self.step(phrase, "+", self.last, Number(b))
            case "give" | "lose" | "sell":
                verb = {"give": "gives away", "lose": "loses", "sell": "sells"}[phrase]
                self.sentences.append(f"{holder} {verb} {b}.")
                self.step(phrase, "-", self.last, Number(b))
            case "boxes":
                a, before = rng.randint(2, 9), self.last
                container = rng.choice(CONTAINERS)
                self.sentences.append(f"{holder} buys {a} {container} of {c} each.")
                self.step(phrase, "*", Number(a), Number(c))
                self.step("add", "+", before, self.last)
            case _:
                a, before = rng.randint(2, 5), self.last
                self.sentences.append(f"{holder} gives {a} to each of {c} friends.")
                self.step(phrase, "*", Number(a), Number(c))
                self.step("remove", "-", before, self.last)

    def relate(self, phrase: str) -> None:
        """Add a sentence that compares a new person with the holder."""
        rng, old = self.rng, self.holder
        new = self.names.pop()
        self.previous = (old, len(self.values) - 1)
        self.holder = new
        b = rng.randint(2, 20)
        match phrase:
            case "more":
                self.sentences.append(f"{new} has {b} more than {old}.")
                self.step(phrase, "+", self.last, Number(b))
            case "fewer":
                self.sentences.append(f"{new} has {b} fewer than {old}.")
                self.step(phrase, "-", self.last, Number(b))
            case "twice":
                self.sentences.append(f"{new} has twice as many as {old}.")
                self.step(phrase, "*", self.last, Number(2))
            case "half":
                self.sentences.append(f"{new} has half as many as {old}.")
                self.step(phrase, "/", self.last, Number(2))
            case "times":
                k = rng.randint(3, 4)
                self.sentences.append(f"{new} has {k} times as many as {old}.")
                self.step(phrase, "*", self.last, Number(k))
            case "other-more":
                self.sentences.append(f"That is {b} more than {new} has.")
                self.step(phrase, "-", self.last, Number(b))
            case "other-fewer":
                self.sentences.append(f"That is {b} fewer than {new} has.")
                self.step(phrase, "+", self.last, Number(b))
            case _:
                self.sentences.append(f"That is twice as many as {new} has.")
                self.step(phrase, "/", self.last, Number(2))

    def ask(self) -> None:
        """Add the question, at times with a last step of its own."""
        rng = self.rng
        ending = rng.random()
        if ending < 0.15 and len(self.steps) < 4:
            k = rng.randint(2, 5)
            self.sentences.append(f"{self.holder} shares them equally among {k} friends.")
            self.sentences.append(f"How many {self.thing} does each friend get?")
            self.step("share", "/", self.last, Number(k))
        elif ending < 0.35 and self.previous is not None and len(self.steps) < 4:
            name, index = self.previous
            self.sentences.append(
                f"How many {self.thing} do {name} and {self.holder} have together?"
            )
            self.step("together", "+", Result(index), self.last)
        else:
            self.sentences.append(f"How many {self.thing} does {self.holder} have?")


def _draw(rng: random.Random) -> Problem | None:
    """Draw one story, or None where its numbers leave the range."""
    story = _Story(rng)
    sentences = rng.choice((2, 2, 3))
    other_at = rng.randrange(sentences) if rng.random() < 0.24 else -1
    for position in range(sentences):
        if position == other_at:
            story.relate(rng.choice(_OTHERS))
        elif rng.random() < 0.5 and len(story.names) > 1:
            story.relate(rng.choice(_RELATIONS))
        else:
            story.own()
        if not 1 <= min(story.values) <= max(story.values) <= HIGHEST:
            return None
    story.ask()
    steps = tuple(story.steps)
    if not 1 <= min(story.values) <= max(story.values) <= HIGHEST:
        return None
    if not 2 <= len(steps) <= 5 or not _misreadings_in_range(story.values[0], steps):
        return None
    return Problem(
        question=" ".join(story.sentences),
        answer=story.values[-1],
        start=story.values[0],
        steps=steps,
        kind="+".join(step.phrase for step in steps),
    )


def _misreadings_in_range(start: int, steps: tuple[Step, ...]) -> bool:
    """Whether every way of misreading keeps all numbers between 0 and 220."""
    paths = [[start]]
    for step in steps:
        wrong = misread(step)
        readings = (step,) if wrong is None else (step, wrong)
        paths = [
            [
                *path,
                apply(reading.operation, operand(reading.left, path), operand(reading.right, path)),
            ]
            for path in paths
            for reading in readings
        ]
        if any(not 0 <= path[-1] <= _HIGHEST_MISREAD for path in paths):
            return False
    return True
