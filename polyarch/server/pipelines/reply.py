"""What a run gives, as pieces of a reply."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ...backends.base import Piece
from ...compiler.values import Candidate, Json
from ...runtime.result import Result
from ..served import Closing, Said
from .asked import Asked
from .text import Text

__all__ = ["Telling"]

_PART = re.compile(r".{1,60}(?:\s+|\Z)|.{1,60}", re.DOTALL)
"""A text decided at once is told in lines of about so many characters."""


class Telling:
    """What one request is told of its answer: parts while they are written, and the rest."""

    def __init__(self, wanted: Asked) -> None:
        self._wanted = wanted
        self._texts = [Text(wanted.stop) for _ in range(wanted.shape.choices)]

    def written(self, place: int, part: str) -> Piece | None:
        """The last step has written this for a candidate; what can be told of it by now."""
        if place >= len(self._texts):
            return None
        told = self._texts[place].more(part)
        return Piece(place, told) if told else None

    def end(self, result: Result) -> Iterator[Said]:
        """Everything that is left to tell once the result is there. A pipeline that abstained has
        one choice without a text."""
        shown = result.candidates[: self._wanted.shape.choices]
        spent = result.usage
        yield Piece(
            0,
            prompt_tokens=spent.prompt_tokens,
            cached_tokens=spent.cached_tokens,
            completion_tokens=spent.completion_tokens,
        )
        closing = Closing(_closing(self._wanted, result, shown))
        if not shown:
            yield closing
            yield Piece(0, finish="length" if self._texts[0].told else "stop")
        for index, candidate in enumerate(shown):
            left, finish = self._texts[index].rest(candidate)
            for part in _PART.findall(left) if self._wanted.shape.stream else (left,):
                yield Piece(index, part)
            if index == len(shown) - 1:
                yield closing
            yield Piece(index, finish=finish)


def _closing(wanted: Asked, result: Result, shown: tuple[Candidate, ...]) -> Mapping[str, Json]:
    spent = result.usage
    return {
        "answer": result.answer,
        "usd": round(spent.usd, 9),
        "calls": spent.calls,
        "hits": spent.hits,
        "seconds": round(result.seconds, 6),
        "seed": wanted.seed,
        "stopped": result.stopped,
        "lost": [{"step": one.step, "place": one.place, "why": one.why} for one in result.lost],
        "candidates": [_candidate(candidate) for candidate in shown],
        "ignored": list(wanted.ignored),
    }


def _candidate(candidate: Candidate) -> Json:
    return {
        "key": candidate.origin.key,
        "model": candidate.origin.model,
        "parents": list(candidate.origin.parents),
        "answer": candidate.answer.text if candidate.answer else None,
        "scores": dict(candidate.scores),
    }
