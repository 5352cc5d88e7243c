"""What a run gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..compiler.errors import PolyarchError
from ..compiler.values import Candidate, Json, Question, Usage
from .events import Event, Happening, canonical

__all__ = ["Lost", "Result"]


@dataclass(frozen=True, slots=True)
class Lost:
    """A candidate that failed, or that the budget did not reach, and that was gone on without."""

    step: str
    place: int
    why: str


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a pipeline on one question. Prints as its answer.

    `usage` is all that was charged, `unread` the part of it spent on draws that no step read
    because a decision came first (it depends on timing; nothing else does). `stopped` says in one
    line why a step stopped early, "" if none did; `lost` what failed and was gone on without.
    `seconds` is wall time. `error` is what the run ended with, of a batch that goes on after
    questions that fail; there are no candidates then.
    """

    question: Question
    candidates: tuple[Candidate, ...]
    usage: Usage
    unread: Usage
    stopped: str
    lost: tuple[Lost, ...]
    seconds: float
    happened: Sequence[Happening] = field(repr=False)
    """The trace as the run kept it."""
    error: PolyarchError | None = None

    @property
    def trace(self) -> tuple[Event, ...]:
        """Everything that happened, in order."""
        id = self.question.id
        return tuple(
            Event(what, id, step, place, at, data) for what, step, place, at, data in self.happened
        )

    @property
    def best(self) -> Candidate | None:
        """The first candidate, or None if the pipeline abstained."""
        return self.candidates[0] if self.candidates else None

    @property
    def answer(self) -> str | None:
        """The answer in canonical form; None is *no answer*."""
        best = self.best
        return best.answer.text if best is not None and best.answer is not None else None

    @property
    def text(self) -> str:
        """The text of the first candidate."""
        return self.best.text if self.best is not None else ""

    def __str__(self) -> str:
        return self.answer if self.answer is not None else self.text

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from .notebook import html

        return html(self)

    def record(self) -> Mapping[str, Json]:
        """The result as JSON: equal for equal seeds and replies but for `timing`."""
        read = _usage(self.usage, self.unread)
        return {
            "id": self.question.id,
            "answer": self.answer,
            "text": self.text,
            "candidates": [_candidate(candidate) for candidate in self.candidates],
            "stopped": self.stopped,
            "lost": [{"step": one.step, "place": one.place, "why": one.why} for one in self.lost],
            **self._failed(),
            "usage": read,
            "timing": {
                "seconds": round(self.seconds, 6),
                "unread": _usage(self.unread, Usage()),
            },
        }

    def _failed(self) -> dict[str, Json]:
        if self.error is None:
            return {}
        return {"error": {"code": self.error.code, "message": str(self.error)}}

    def canonical(self) -> list[Json]:
        """The trace without what depends on timing."""
        return canonical(self.trace)


def _candidate(candidate: Candidate) -> Json:
    return {
        "key": candidate.origin.key,
        "model": candidate.origin.model,
        "parents": list(candidate.origin.parents),
        "text": candidate.text,
        "answer": candidate.answer.text if candidate.answer else None,
        "scores": dict(candidate.scores),
        "notes": dict(candidate.notes),
        "finish": candidate.finish,
    }


def _usage(usage: Usage, less: Usage) -> Json:
    return {
        "calls": usage.calls - less.calls,
        "prompt_tokens": usage.prompt_tokens - less.prompt_tokens,
        "cached_tokens": usage.cached_tokens - less.cached_tokens,
        "completion_tokens": usage.completion_tokens - less.completion_tokens,
        "usd": round(usage.usd - less.usd, 9),
        "hits": usage.hits - less.hits,
    }
