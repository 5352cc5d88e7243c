"""What came of questions whose right answers are known."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from math import comb
from pathlib import Path
from typing import Any

from ..compiler.answers import Answer, AnswerKind
from ..compiler.errors import InputError
from ..compiler.fitted import Data
from ..compiler.op import Source
from ..compiler.plan import Plan
from ..compiler.values import Question
from ..evaluation.fitting import About, Seen
from ..runtime.questions import as_question
from ..runtime.result import Result
from ..runtime.session import Session
from .errors import of_file

__all__ = ["Known", "known", "results_of", "seen_in"]


@dataclass(frozen=True, slots=True)
class Known:
    """Questions with their right answers, and the file that they came from."""

    data: Data
    questions: Sequence[Question]
    answers: Sequence[Answer]

    @property
    def count(self) -> int:
        """How many."""
        return len(self.questions)

    def about(self, plan: Plan) -> About:
        """What an artefact fitted to them, today, says of its making."""
        models = {name: spec.model for name, spec in plan.graph.models.items()}
        today = datetime.now(UTC).date().isoformat()
        return About(today, plan.graph.name, self.data, models)


def known(source: str, plan: Plan) -> Known:
    """The questions of a file: one JSON object a line, with `reference` and what the pipeline asks
    for. Raises `InputError` with the line at fault."""
    with of_file(source):
        raw = Path(source).read_bytes()
    questions: list[Question] = []
    answers: list[Answer] = []
    for number, line in enumerate(raw.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            questions.append(_question(row, plan, str(len(questions))))
            answers.append(_reference(row, plan))
        except (InputError, json.JSONDecodeError, UnicodeDecodeError) as error:
            message = f"{source}:{number}: {error}"
            raise InputError(message, file=source, line=number) from error
    if not questions:
        raise InputError(f"{source}: no questions")
    digest = sha256(raw).hexdigest()
    return Known(
        Data(file=Path(source).name, sha256=digest, items=len(questions)), questions, answers
    )


def _question(row: Any, plan: Plan, number: str) -> Question:
    if not isinstance(row, Mapping) or "reference" not in row:
        raise InputError("a question to fit to is an object with its `reference`")
    spec = plan.graph.question
    given = {name: row[name] for name in spec.fields if name in row}
    asked = given if spec.kind == "record" else row.get("messages", row.get("question", ""))
    return as_question(asked, spec, str(row.get("id", number)))


def _reference(row: Mapping[str, Any], plan: Plan) -> Answer:
    answer = plan.graph.answer.read(str(row["reference"]))
    if answer is None:
        raise InputError(f"no {plan.graph.answer.name} can be read in {row['reference']!r}")
    return answer


async def results_of(plan: Plan, told: Known, seed: int, keys: Sequence[str]) -> list[Result]:
    """What a pipeline makes of them."""
    async with Session(plan, keys=keys) as session:
        return [result async for result in session.map(told.questions, seed=seed)]


def seen_in(results: Sequence[Result], told: Known, plan: Plan) -> list[Seen]:
    """Which draws were right, and the result."""
    sources = {n.name for n in plan.graph.nodes.values() if isinstance(n.op, Source)}
    pairs = zip(results, told.answers, strict=True)
    return [_seen(result, right, plan, sources) for result, right in pairs]


def _seen(result: Result, right: Answer, plan: Plan, sources: set[str]) -> Seen:
    kind = plan.graph.answer

    def same(answer: Answer | None) -> bool:
        return answer is not None and kind.same(answer, right)

    drawn: dict[str, list[bool]] = {}
    wrong: list[Answer] = []
    for event in result.trace:
        if event.what in ("drew", "recalled") and event.step in sources:
            answer = kind.read(str(event.data["text"]))
            drawn.setdefault(str(event.data["model"]), []).append(same(answer))
            if answer is not None and not same(answer):
                wrong.append(answer)
    first = result.candidates[0] if result.candidates else None
    scores = {} if first is None else first.scores
    right_in_the_end = first is not None and same(first.answer)
    kept = [(one.scores, same(one.answer)) for one in result.candidates]
    return Seen(result.question.text, drawn, scores, right_in_the_end, _alike(wrong, kind), kept)


def _alike(wrong: Sequence[Answer], kind: AnswerKind) -> tuple[int, int]:
    """How many pairs of wrong answers are the same, and how many there are."""
    counts = Counter(kind.group(wrong)).values()
    return sum(comb(count, 2) for count in counts), comb(len(wrong), 2)
