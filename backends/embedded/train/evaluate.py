"""Measure the weights on held-out problems.

``python -m polyarch.backends.embedded.train.evaluate`` prints every figure of the model card.
Everything is asked through the backend, as a pipeline would. Intervals are 95% of a bootstrap
over problems; differences are paired.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ....compiler.values import Message, Purpose
from ...base import Draw, Request
from ..backend import WEIGHTS, EmbeddedBackend
from ..problems import Problem, problems, stream
from .recipe import RECIPE

DRAWS = 16
VERDICTS = (("one", 1, 0.8), ("four", 4, 0.8), ("greedy", 1, 0.0))
"""Ways to ask the verifier: name, verdicts an answer, temperature."""
_ANSWER = re.compile(r"answer: (\d+)$")


def answer_of(text: str) -> int | None:
    """The number of a solution's last line, None where there is none."""
    found = _ANSWER.search(text)
    return int(found[1]) if found else None


class Asker:
    """Asks the backend and collects whole replies; seeds derive from what is asked."""

    def __init__(self, backend: EmbeddedBackend) -> None:
        self._backend = backend

    async def ask(
        self,
        role: str,
        question: str,
        shown: tuple[str, ...] = (),
        n: int = 1,
        temperature: float = 0.8,
        seed: int = 0,
    ) -> list[str]:
        """The replies of ``n`` draws, in order."""
        purpose = Purpose(role, question, shown)
        rng = random.Random(f"{role}:{question}:{shown}:{seed}")
        request = Request(
            model="abacus",
            messages=(Message("user", question),),
            purpose=purpose,
            draws=tuple(Draw(i, i, rng.getrandbits(63)) for i in range(n)),
            max_tokens=384,
            temperature=temperature,
        )
        texts = [""] * n
        async for piece in self._backend.generate(request):
            texts[piece.draw] += piece.text
        return texts

    def tokens(self, text: str) -> int:
        """How many tokens a reply took, its end included."""
        empty = Request("abacus", (), Purpose("solve", ""), (), 1)
        before = self._backend.prompt_tokens(empty)
        return self._backend.prompt_tokens(replace(empty, prefix=text)) - before + 1

    async def verdict(self, question: str, answer: str, n: int, temperature: float) -> float:
        """Share of ``n`` verdicts that say right; an unreadable one counts half."""
        replies = await self.ask("verify", question, (answer,), n, temperature)
        return sum(_verdict(reply) for reply in replies) / n

    async def better(self, question: str, a: str, b: str, temperature: float) -> float:
        """1 where ``a`` wins in both orders, 0 where ``b`` does, else a half."""
        one, two = await asyncio.gather(
            self.ask("compare", question, (a, b), 1, temperature),
            self.ask("compare", question, (b, a), 1, temperature),
        )
        wins = (_field(one[0], "better"), _field(two[0], "better"))
        return {("first", "second"): 1.0, ("second", "first"): 0.0}.get(wins, 0.5)


def _field(reply: str, name: str) -> str:
    try:
        return str(json.loads(reply)[name])
    except (json.JSONDecodeError, KeyError, TypeError):
        return ""


def _verdict(reply: str) -> float:
    return {"right": 1.0, "wrong": 0.0}.get(_field(reply, "verdict"), 0.5)


def vote(answers: Sequence[int | None], weights: Sequence[float], gold: int) -> float:
    """Whether the heaviest answer is the right one; ties count their share."""
    heaps: dict[int, float] = defaultdict(float)
    for answer, weight in zip(answers, weights, strict=True):
        if answer is not None:
            heaps[answer] += weight
    if not heaps:
        return 0.0
    most = max(heaps.values())
    best = [answer for answer, heap in heaps.items() if heap >= most - 1e-9]
    return (gold in best) / len(best)


def auc(scores: Sequence[float], right: Sequence[bool]) -> float:
    """Chance that a right answer scores above a wrong one, ties counting half."""
    values, marks = np.array(scores), np.array(right)
    high, low = values[marks], values[~marks]
    low = np.sort(low)
    below = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
    return float(below.sum() / (2 * len(high) * len(low)))


def interval(values: Sequence[float], seed: int = 1) -> tuple[float, float, float]:
    """Mean and the 95% bootstrap interval of it."""
    array = np.array(values)
    picks = np.random.default_rng(seed).integers(0, len(array), (4000, len(array)))
    low, high = np.quantile(array[picks].mean(-1), (0.025, 0.975))
    return float(array.mean()), float(low), float(high)


async def measure(folder: Path, count: int, seed: int) -> dict[str, tuple[float, float, float]]:
    """All figures, each with its interval, by name."""
    asker = Asker(backend := EmbeddedBackend(folder))
    held = problems("heldout", count, seed)
    began = time.monotonic()
    drawn = await asyncio.gather(*(asker.ask("solve", p.question, n=DRAWS) for p in held))
    print(f"solve: {time.monotonic() - began:.0f} s", flush=True)
    greedy = await asyncio.gather(*(asker.ask("solve", p.question, temperature=0) for p in held))
    answers = [[answer_of(text) for text in texts] for texts in drawn]
    golds = [p.answer for p in held]
    right = [[a == g for a in row] for row, g in zip(answers, golds, strict=True)]
    equal = [1.0] * DRAWS
    figures: dict[str, list[float]] = {
        "single answer": [float(np.mean(row)) for row in right],
        "greedy answer": [float(answer_of(t[0]) == g) for t, g in zip(greedy, golds, strict=True)],
        "majority of 16": [vote(a, equal, g) for a, g in zip(answers, golds, strict=True)],
        "any of 16": [float(any(row)) for row in right],
    }
    summary: dict[str, tuple[float, float, float]] = {}
    for name, n, temperature in VERDICTS:
        scores = await _verify_all(asker, held, drawn, n, temperature)
        flat = [s for row in scores for s in row]
        marks = [m for row in right for m in row]
        summary[f"verifier AUC, {name} verdict(s)"] = _clustered_auc(scores, right)
        summary[f"verifier accuracy, {name} verdict(s)"] = interval(
            [
                float(np.mean([(s > 0.5) == m for s, m in zip(ss, ms, strict=True)]))
                for ss, ms in zip(scores, right, strict=True)
            ]
        )
        print(f"verify {name}: {auc(flat, marks):.3f} {time.monotonic() - began:.0f} s", flush=True)
        figures[f"verified vote of 16, {name} verdict(s)"] = [
            vote(a, [s + 1e-3 for s in w], g)
            for a, w, g in zip(answers, scores, golds, strict=True)
        ]
    pairs = [
        (p, *found)
        for p, t, m in zip(held, drawn, right, strict=True)
        if (found := _pair(t, m)) is not None
    ]
    for name, temperature in (("sampled", 0.8), ("greedy", 0.0)):
        figures[f"compare, both orders, {name}"] = await asyncio.gather(
            *(asker.better(p.question, a, b, temperature) for p, a, b in pairs)
        )
    critiques = await asyncio.gather(
        *(asker.ask("critique", p.question, (t[0],)) for p, t in zip(held, drawn, strict=True))
    )
    revised = await asyncio.gather(
        *(
            asker.ask("revise", p.question, (t[0], _field(c[0], "critique")))
            for p, t, c in zip(held, drawn, critiques, strict=True)
        )
    )
    figures["before revision"] = [float(row[0]) for row in right]
    figures["after one critique and revision"] = [
        float(answer_of(r[0]) == g) for r, g in zip(revised, golds, strict=True)
    ]
    fused = await asyncio.gather(
        *(asker.ask("fuse", p.question, tuple(t[:4])) for p, t in zip(held, drawn, strict=True))
    )
    figures["average of four"] = [float(np.mean(row[:4])) for row in right]
    figures["majority of four"] = [
        vote(a[:4], equal[:4], g) for a, g in zip(answers, golds, strict=True)
    ]
    figures["best of four"] = [float(any(row[:4])) for row in right]
    figures["fused four"] = [float(answer_of(f[0]) == g) for f, g in zip(fused, golds, strict=True)]
    print(f"all: {time.monotonic() - began:.0f} s", flush=True)
    for upper, lower in (
        ("majority of 16", "single answer"),
        *((f"verified vote of 16, {way[0]} verdict(s)", "majority of 16") for way in VERDICTS),
        ("after one critique and revision", "before revision"),
        ("fused four", "average of four"),
        ("fused four", "majority of four"),
    ):
        gains = [a - b for a, b in zip(figures[upper], figures[lower], strict=True)]
        summary[f"{upper} minus {lower}"] = interval(gains)
    await backend.aclose()
    return {**{name: interval(values) for name, values in figures.items()}, **summary}


async def _verify_all(
    asker: Asker,
    held: Sequence[Problem],
    drawn: Sequence[Sequence[str]],
    n: int,
    temperature: float,
) -> list[list[float]]:
    wanted = [(p.question, text) for p, texts in zip(held, drawn, strict=True) for text in texts]
    distinct = list(dict.fromkeys(wanted))
    found = await asyncio.gather(*(asker.verdict(q, t, n, temperature) for q, t in distinct))
    scores = dict(zip(distinct, found, strict=True))
    return [[scores[p.question, t] for t in texts] for p, texts in zip(held, drawn, strict=True)]


def _clustered_auc(
    scores: Sequence[Sequence[float]], right: Sequence[Sequence[bool]]
) -> tuple[float, float, float]:
    rng = np.random.default_rng(1)
    values, marks = np.array(scores), np.array(right)
    whole = auc(values.ravel().tolist(), marks.ravel().tolist())
    again = []
    for _ in range(300):
        pick = rng.integers(0, len(values), len(values))
        again.append(auc(values[pick].ravel().tolist(), marks[pick].ravel().tolist()))
    low, high = np.quantile(again, (0.025, 0.975))
    return whole, float(low), float(high)


def _pair(texts: Sequence[str], marks: Sequence[bool]) -> tuple[str, str] | None:
    """The first right and the first wrong text, None where all agree."""
    if all(marks) or not any(marks):
        return None
    return texts[marks.index(True)], texts[marks.index(False)]


def overlap(count: int, seed: int, examples: int) -> tuple[int, float]:
    """Held-out questions met in training, and the share whose numbers and steps were met."""
    held = problems("heldout", count, seed)
    questions = {p.question for p in held}
    traces = Counter(p.solution for p in held)
    met = 0
    seen: set[str] = set()
    source = stream("train", random.Random(RECIPE.seed))
    for _ in range(examples):
        problem = next(source)
        met += problem.question in questions
        if problem.solution in traces:
            seen.add(problem.solution)
    return met, sum(traces[trace] for trace in seen) / count


async def speed(folder: Path, rows: int) -> float:
    """Generated tokens a second with ``rows`` draws of one prompt, its prefill included."""
    backend = EmbeddedBackend(folder)
    asker = Asker(backend)
    (problem,) = problems("demo", 1, 3)
    await asker.ask("solve", problem.question, n=rows)
    best = 0.0
    for attempt in range(8):
        began = time.monotonic()
        texts = await asker.ask("solve", problem.question, n=rows, seed=attempt)
        spent = time.monotonic() - began
        best = max(best, sum(asker.tokens(text) for text in texts) / spent)
    await backend.aclose()
    return best


def main() -> None:
    """Measure and print a table; write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=WEIGHTS)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    met, share = overlap(arguments.count, arguments.seed, 200_000)
    print(f"held-out questions met in 200000 training problems: {met}")
    print(f"held-out solutions (numbers and steps) met there: {share:.3f}")
    figures = asyncio.run(measure(arguments.folder, arguments.count, arguments.seed))
    for name, (mean, low, high) in figures.items():
        print(f"{name:60s} {mean:7.3f} [{low:.3f}, {high:.3f}]")
    for rows in (1, 16, 64):
        rate = asyncio.run(speed(arguments.folder, rows))
        print(f"tokens a second, batch {rows}: {rate:.0f}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
