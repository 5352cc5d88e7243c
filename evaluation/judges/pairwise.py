"""A judge of two answers: any model, or any pipeline that is asked for a verdict."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...compiler.build import build, build_file
from ...compiler.errors import InputError
from ...compiler.plan import Plan, plan
from ...compiler.source import parse
from ...compiler.values import Usage
from ...runtime.ledger import Ledger
from ...runtime.session import Session

__all__ = ["PROMPT", "Judge", "Verdict", "judge_plan"]

PROMPT = """\
Here are a question and two answers to it.

### Question
{question}

### First answer
{first}

### Second answer
{second}

Which answer serves the one who asked better? A correct answer is better than a wrong one; among
equally correct ones, the one that follows the question more exactly and is more useful. Neither
its length nor which one is shown first means anything.

Reason briefly, and end with one word of first, second and tie: Answer: <word>"""
"""Asks for a verdict of two answers."""

_FIELDS = ("question", "first", "second")
_POINTS = {"first": 1.0, "tie": 0.5, "second": 0.0}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge said of one answer against another. `value` is 1 for a win in both orders, 0 for
    a loss in both, else between; None where neither order gave a verdict that could be read.
    `orders` are the points of the answer shown first, and shown second."""

    value: float | None
    orders: tuple[float | None, float | None]
    usage: Usage


class Judge:
    """Compares two answers in both orders. Belongs to one event loop; close its session after."""

    def __init__(self, session: Session, account: Ledger | None = None) -> None:
        self._session = session
        self._account = account

    async def compare(self, question: str, one: str, other: str, *, id: str) -> Verdict:
        """What the judge says of `one` against `other`. A conflict between the orders is a tie.

        Raises what asking raises.
        """
        (first, spent), (second, spent_too) = await asyncio.gather(
            self._asked(question, one, other, f"{id}/12"),
            self._asked(question, other, one, f"{id}/21"),
        )
        swapped = None if second is None else 1.0 - second
        told = [points for points in (first, swapped) if points is not None]
        value = sum(told) / len(told) if told else None
        return Verdict(value, (first, swapped), spent + spent_too)

    async def _asked(
        self, question: str, first: str, second: str, id: str
    ) -> tuple[float | None, Usage]:
        from ...runtime.questions import as_question

        posed = as_question(
            {"question": question, "first": first, "second": second},
            self._session.plan.graph.question,
            id,
        )
        result = await self._session.ask(posed, batch=self._account)
        return _POINTS.get((result.answer or "").casefold()), result.usage


def judge_plan(judge: str, options: Mapping[str, Any]) -> Plan:
    """The plan of a judge: a pipeline file that asks for the record question, first, second and
    answers first, second or tie; or a model, backend/name, that is asked with `PROMPT`.

    Raises `InputError` for a pipeline that asks for anything else, and `SpecError`.
    """
    if Path(judge).is_file():
        made = plan(build_file(Path(judge)))
        spec = made.graph.question
        if spec.kind != "record" or not set(spec.fields) <= set(_FIELDS):
            raise InputError(f"{judge}: a judge asks for a record of {', '.join(_FIELDS)}")
        return made
    if "/" not in judge:
        raise InputError(f"a judge is a pipeline file or backend/model, not {judge!r}")
    told = {
        "name": "judge",
        "question": {"kind": "record", "fields": list(_FIELDS), "text": "{question}"},
        "models": {"judge": {"model": judge, "temperature": 0, "options": dict(options)}},
        "answer": {"choice": list(_POINTS)},
        "steps": {"verdict": {"op": "generate", "prompt": PROMPT}},
    }
    return plan(build(parse(json.dumps(told)), Path()))
