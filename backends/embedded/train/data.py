"""Training examples of every role, without end, from one random generator.

Only the solver's traces are wrong at times, and by design: independent slips, and misreadings
that belong to a wording and so repeat from draw to draw.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..problems import (
    Number,
    Operation,
    Problem,
    Step,
    apply,
    misread,
    operand,
    stream,
)
from ..tokenizer import Mark

SLIP = 0.14
"""Chance that a step of a trace is off by one or ten."""
MISREADING: Mapping[str, float] = {
    "fewer": 0.3,
    "twice": 0.3,
    "half": 0.3,
    "boxes": 0.3,
    "each-friend": 0.3,
    "share": 0.3,
    "other-more": 0.65,
    "other-fewer": 0.65,
    "other-twice": 0.65,
}
"""Chance that a wording is misread: a vote repairs the mild ones, not the last three."""

ALL_RIGHT = "all steps right"


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and the reply to learn; the loss counts the reply only."""

    role: str
    prompt: tuple[Mark | str, ...]
    reply: str


def trace(problem: Problem, rng: random.Random) -> str:
    """Write a solution the way the imperfect solver does."""
    steps = tuple(_read(step, rng) for step in problem.steps)
    return _write(problem.start, steps, [rng.random() < SLIP for _ in steps], rng)


def _read(step: Step, rng: random.Random) -> Step:
    chance = MISREADING.get(step.phrase, 0.0)
    if chance and rng.random() < chance:
        wrong = misread(step)
        assert wrong is not None
        return wrong
    return step


def _write(start: int, steps: tuple[Step, ...], slips: list[bool], rng: random.Random) -> str:
    values = [start]
    lines = []
    for step, slip in zip(steps, slips, strict=True):
        left, right = operand(step.left, values), operand(step.right, values)
        value = apply(step.operation, left, right)
        if slip:
            value = _slipped(value, rng)
        value = max(value, 0)
        values.append(value)
        lines.append(f"{left}{step.operation}{right}={value}")
    return "\n".join([*lines, f"answer: {values[-1]}"])


def _slipped(value: int, rng: random.Random) -> int:
    return value + rng.choice([d for d in (-10, -1, 1, 10) if value + d >= 0])


def corrupted(problem: Problem, rng: random.Random) -> str:
    """Write a solution with one fault of any kind, seen in traces or not."""
    steps = list(problem.steps)
    slips = [False] * len(steps)
    at = rng.randrange(len(steps))
    step = steps[at]
    kind = rng.random()
    if kind < 0.45:
        others: tuple[Operation, ...] = ("+", "-", "*") if step.operation == "/" else ("+", "-")
        other = rng.choice([o for o in others if o != step.operation])
        wrong = misread(step)
        if wrong is not None and rng.random() < 0.7:
            steps[at] = wrong
        else:
            steps[at] = Step(step.phrase, other, step.left, step.right)
    elif kind < 0.75:
        slips[at] = True
    elif kind < 0.9 and isinstance(step.right, Number):
        number = Number(max(2, step.right.value + rng.choice((-2, -1, 1, 2, 10))))
        steps[at] = Step(step.phrase, step.operation, step.left, number)
    elif kind < 0.95 and len(steps) > 2:
        cut = rng.randrange(1, len(steps))
        return _write(problem.start, tuple(steps[:cut]), slips[:cut], rng)
    else:
        lines = problem.solution.split("\n")
        return "\n".join([*lines[:-1], f"answer: {_slipped(problem.answer, rng)}"])
    return _write(problem.start, tuple(steps), slips, rng)


def check(problem: Problem, candidate: str) -> tuple[list[str], bool]:
    """Echo each line beside the right one up to the first that differs."""
    lines: list[str] = []
    for given, right in zip(candidate.split("\n"), problem.solution.split("\n"), strict=False):
        if given != right:
            return [*lines, f"{given} {right} wrong"], False
        lines.append(f"{given} {right} ok")
    return lines, True


def solve(problem: Problem, rng: random.Random) -> Example:
    """Story to trace, faults included."""
    return Example("solve", (Mark.SOLVE, " " + problem.question, Mark.REPLY), trace(problem, rng))


def verify(problem: Problem, rng: random.Random) -> Example:
    """Story and candidate to a check of its lines and a verdict."""
    candidate = _candidate(problem, rng)
    return Example(
        "verify",
        (Mark.CHECK, " " + problem.question, Mark.GIVEN, candidate, Mark.REPLY),
        _verdict(problem, candidate)[0],
    )


def _candidate(problem: Problem, rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.5:
        return trace(problem, rng)
    return corrupted(problem, rng) if kind < 0.8 else problem.solution


def _verdict(problem: Problem, candidate: str) -> tuple[str, bool, int]:
    lines, right = check(problem, candidate)
    return "\n".join([*lines, "right" if right else "wrong"]), right, len(lines)


def compare(problem: Problem, rng: random.Random) -> Example:
    """Story and two candidates to two checks and which is better."""
    pair = [
        trace(problem, rng) if rng.random() < 0.6 else corrupted(problem, rng),
        problem.solution if rng.random() < 0.75 else trace(problem, rng),
    ]
    rng.shuffle(pair)
    checks = [_verdict(problem, candidate) for candidate in pair]
    ranks = [(right, length) for _, right, length in checks]
    better = "first" if ranks[0] > ranks[1] else "second" if ranks[1] > ranks[0] else "tie"
    return Example(
        "compare",
        (
            Mark.COMPARE,
            " " + problem.question,
            Mark.GIVEN,
            pair[0],
            Mark.GIVEN,
            pair[1],
            Mark.REPLY,
        ),
        f"first\n{checks[0][0]}\nsecond\n{checks[1][0]}\nbetter {better}",
    )


def revise(problem: Problem, rng: random.Random) -> Example:
    """Story, candidate and critique to a solution that follows the critique."""
    candidate = trace(problem, rng) if rng.random() < 0.7 else corrupted(problem, rng)
    given, right = candidate.split("\n"), problem.solution.split("\n")
    at = next(
        (i for i, pair in enumerate(zip(given, right, strict=False)) if pair[0] != pair[1]), None
    )
    if at is None or rng.random() < 0.05:
        note, reply = ALL_RIGHT, candidate
    else:
        note, reply = f"{given[at]} is wrong, it should be {right[at]}", problem.solution
    return Example(
        "revise",
        (
            Mark.REVISE,
            " " + problem.question,
            Mark.GIVEN,
            candidate,
            Mark.NOTE,
            note,
            Mark.REPLY,
        ),
        reply,
    )


def fuse(problem: Problem, rng: random.Random) -> Example:
    """Story and two to five candidates to the right one, else to the most frequent."""
    count = rng.choices((2, 3, 4, 5), (15, 25, 45, 15))[0]
    candidates = [trace(problem, rng) for _ in range(count)]
    if problem.solution in candidates:
        reply = problem.solution
    else:
        reply = Counter(candidates).most_common(1)[0][0]
    parts: list[Mark | str] = [Mark.FUSE, " " + problem.question]
    for candidate in candidates:
        parts += [Mark.GIVEN, candidate]
    return Example("fuse", (*parts, Mark.REPLY), reply)


def drill(problem: Problem, rng: random.Random) -> Example:
    """Bare sums of the kinds that the stories need."""
    return Example("drill", (Mark.SUM,), "\n".join(_sum(rng) for _ in range(12)))


def _sum(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.35:
        left, right = rng.randint(1, 150), rng.randint(2, 20)
        operation: Operation = "+"
    elif kind < 0.45:
        left, right = rng.randint(1, 120), rng.randint(2, 100)
        operation = "+"
    elif kind < 0.75:
        left = rng.randint(3, 150)
        operation, right = "-", rng.randint(2, min(left, 20 if rng.random() < 0.7 else 45))
    elif kind < 0.85:
        operation, left, right = "*", rng.randint(2, 60), rng.randint(2, 4)
    elif kind < 0.9:
        operation, left, right = "*", rng.randint(2, 9), rng.randint(2, 9)
    else:
        right = 2 if rng.random() < 0.5 else rng.randint(3, 5)
        operation, left = "/", right * rng.randint(1, 150 // right)
    return f"{left}{operation}{right}={apply(operation, left, right)}"


Role = Callable[[Problem, random.Random], Example]
ROLES: Mapping[str, Role] = {
    "drill": drill,
    "solve": solve,
    "verify": verify,
    "compare": compare,
    "revise": revise,
    "fuse": fuse,
}


def examples(shares: Mapping[str, float], rng: random.Random) -> Iterator[Example]:
    """Yield examples of the train split, each role as often as its share says."""
    roles, weights = list(shares), list(shares.values())
    for problem in stream("train", rng):
        yield ROLES[rng.choices(roles, weights)[0]](problem, rng)
