"""Small searches on scripted models, in real and in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.space import Space, parse_space
from polyarch.evaluation.data import Item, dataset
from polyarch.search.found import Found
from polyarch.search.questions import Questions, questions
from polyarch.search.record import Limits
from polyarch.search.search import search_space
from polyarch.search.wanted import Wanted

SPACE = """\
name: small
answer: number
models: {m: {model: scripted/x, max_draws: 1, price: {prompt: 1, completion: 1}}}
%s
steps:
  drafts: {op: generate, n: {choose: [3, 1, 5]}, temperature: {choose: [0.5, 0.9]}}
  answer: {op: vote}
"""
VOTES = SPACE.replace("n: {choose: [3, 1, 5]}", "n: {choose: [3, 2, 5]}") % ""


def said(request: Request, draw: Draw) -> str:
    """Right seven times in ten, or half the time where it is warm; it depends on prompt, parameters
    and number of the draw alone."""
    question = request.purpose.question
    dice = Random(f"{question} {request.temperature} {draw.number}").random()
    right = dice < (0.7 if request.temperature < 0.7 else 0.5)
    answer = int(question.split()[-1])
    return f"answer: {answer if right else answer + 1 + int(dice * 10)}"


def voted(item: Item, warm: float, n: int) -> float:
    """The score of the plurality of the first `n` draws of `said`."""
    counts: dict[int, int] = {}
    for number in range(n):
        dice = Random(f"{item.question} {warm} {number}").random()
        right = dice < (0.7 if warm < 0.7 else 0.5)
        answer = int(item.reference) + (0 if right else 1 + int(dice * 10))
        counts[answer] = counts.get(answer, 0) + 1
    return float(max(counts, key=lambda one: counts[one]) == int(item.reference))


def asked(count: int = 120) -> Questions:
    """Questions whose answer is their last word."""
    items = [Item(f"q{n}", f"What is the number {n}", str(n), "numeric") for n in range(count)]
    return questions(dataset("numbers", items))


class Counting:
    """A backend that counts the draws that it was asked for, by prompt."""

    def __init__(self, reply: Callable[[Request, Draw], str | Script] = said) -> None:
        self.drawn: list[tuple[object, ...]] = []
        self._reply = reply
        self.backend = Scripted(self._said, repeatable=True)

    def _said(self, request: Request, draw: Draw) -> str | Script:
        told = self._reply(request, draw)
        if isinstance(told, str) or told.fault is None:
            told_to = (request.purpose, request.messages, request.temperature, request.turn)
            self.drawn.append((*told_to, draw.number))
        return told


def space(text: str = VOTES) -> Space:
    return parse_space(text, Path())


def search(
    out: Path,
    backend: Scripted,
    *,
    text: str = VOTES,
    limits: Limits | None = None,
    given: Questions | None = None,
    run: Callable[[Any], Any] = asyncio.run,
    **wanted: Any,
) -> Found:
    """Search the space of a text."""
    told: Mapping[str, Any] = {"trials": 6, **wanted}
    settled = Wanted(out, limits or Limits(), **told)
    found: Found = run(
        search_space(space(text), given or asked(), settled, backends={"m": backend})
    )
    return found
