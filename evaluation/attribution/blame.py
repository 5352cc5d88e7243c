"""One call on a whole trace: which reply made it go wrong, how it should have read, what then."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...compiler.build import build
from ...compiler.errors import InputError
from ...compiler.plan import Plan, plan
from ...compiler.source import parse
from ...compiler.values import Usage
from ...runtime.ledger import Ledger
from ...runtime.questions import as_question
from ...runtime.session import Session
from ...runtime.trace.outline import Drawn, Run
from ...runtime.trace.replay import Edit

__all__ = ["PROMPT", "Blame", "blame", "blaming_plan", "replies"]

PROMPT = """\
A pipeline of language models answered a question, and the answer is wrong. Below are its steps, and
every reply that they were given, in order, each with its name in brackets.

### Question
{question}

### Steps
{steps}

### Replies
{replies}

### Answer, which is wrong
{answer}

Find the one reply that decided it: the earliest one that would have made the answer right, had it
been right itself.
1. Cause: what went wrong in it, in a sentence.
2. Fix: that reply as it should have read, whole, with as little changed as will do.
3. Prediction: the answer that the pipeline gives once that reply is changed so.

Reply with JSON alone:
{"cause": "…", "reply": "name of the reply", "fix": "…", "prediction": "…"}"""
"""Asks for the decisive reply of a failed run."""

_FIELDS = ("question", "steps", "replies", "answer")


@dataclass(frozen=True, slots=True)
class Blame:
    """What a model blames. `edit` is the decisive reply with its fix, `cause` and `prediction` in
    the model's words."""

    edit: Edit
    cause: str
    prediction: str


def blaming_plan(model: str, options: Mapping[str, Any], prompt: str = PROMPT) -> Plan:
    """The pipeline that asks a model, backend/name, for the decisive reply. Raises `SpecError`."""
    told = {
        "name": "blame",
        "question": {"kind": "record", "fields": list(_FIELDS), "text": "{question}"},
        "models": {"analyst": {"model": model, "temperature": 0, "options": dict(options)}},
        "answer": "json",
        "steps": {"blame": {"op": "generate", "prompt": prompt}},
    }
    return plan(build(parse(json.dumps(told)), Path()))


async def blame(
    session: Session, run: Run, steps: str, answer: str, account: Ledger
) -> tuple[Blame, Usage]:
    """Ask for the decisive reply of a run that answered wrongly; `steps` is its graph, printed.

    Failure attribution by abduction, action, prediction: Abduct, Act, Predict (2025). The form is
    ours. Raises `InputError` for a reply that cannot be read or names no reply of the
    run, and what asking raises.
    """
    named = dict(replies(run))
    posed = {
        "question": run.text,
        "steps": steps,
        "replies": "\n\n".join(f"[{name}]\n{drawn.text}" for name, drawn in named.items()),
        "answer": answer,
    }
    asked = as_question(posed, session.plan.graph.question, run.id)
    result = await session.ask(asked, batch=account)
    return _read(result.answer, named), result.usage


def replies(run: Run) -> Iterator[tuple[str, Drawn]]:
    """The replies of a run in the order they came, by names that tell them apart."""
    found = [(step, drawn) for step, stage in run.stages.items() for drawn in stage.drawn]
    found += [(n, kept.drawn) for n, stage in run.stages.items() for kept in stage.recalled]
    for step, drawn in sorted(found, key=lambda one: one[1].at):
        yield f"{step}[{drawn.place}:{drawn.ask}:{drawn.turn}]", drawn


def _read(answer: str | None, named: Mapping[str, Drawn]) -> Blame:
    told = json.loads(answer) if answer is not None else None
    if not isinstance(told, dict) or not all(
        isinstance(told.get(key), str) for key in ("cause", "reply", "fix", "prediction")
    ):
        raise InputError("the reply is not the JSON asked for")
    said = told["reply"].strip()
    found = next((name for name in named if said in (name, f"[{name}]")), None)
    if found is None:
        raise InputError(f"it blames {said!r}, and there is no such reply")
    step, _, place = found.removesuffix("]").rpartition("[")
    numbers = tuple(int(number) for number in place.split(":"))
    return Blame(Edit(step, numbers, told["fix"]), told["cause"], told["prediction"])
