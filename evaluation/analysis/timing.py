"""How long calls took, and how long they were: of a trace, or of a folder of recordings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...compiler.errors import InputError
from ...runtime.trace.outline import outline
from ...runtime.trace.read import read
from .source import recorded

__all__ = ["Calls", "read_calls"]

_SAMPLES = ("samples.jsonl.gz", "samples.jsonl")


@dataclass(frozen=True, slots=True)
class Calls:
    """The requests of one model: seconds, prompt tokens, and completion tokens of the longest draw,
    which the others are written beside."""

    model: str
    seconds: tuple[float, ...]
    prompt: tuple[int, ...]
    completion: tuple[int, ...]


def read_calls(where: Path) -> tuple[Calls, ...]:
    """The timed requests of a trace or a folder of recordings, by model. Raises `InputError`."""
    found = _recorded(where) if where.is_dir() else _traced(where)
    by: dict[str, list[tuple[float, int, int]]] = {}
    for model, call in found:
        by.setdefault(model, []).append(call)
    if not by:
        raise InputError(f"{where} holds no call whose time is known")
    return tuple(_calls(model, own) for model, own in by.items())


def _calls(model: str, own: list[tuple[float, int, int]]) -> Calls:
    seconds, prompt, completion = zip(*own, strict=True)
    return Calls(model, tuple(seconds), tuple(prompt), tuple(completion))


_Found = Iterable[tuple[str, tuple[float, int, int]]]


def _traced(where: Path) -> _Found:
    trace = read(where)
    for run in outline(trace.events):
        for asked in run.asked:
            if asked.state == "answered" and asked.ended > asked.at:
                longest = max(drawn.tokens for drawn in asked.drawn)
                name = trace.header.models.get(asked.model, asked.model)
                yield name, (asked.ended - asked.at, asked.prompt, longest)


def _recorded(where: Path) -> _Found:
    for row in recorded(where, _SAMPLES):
        told: Mapping[str, object] = row.fields
        seconds, prompt, tokens = (
            told.get(name) for name in ("latency_s", "prompt_tokens", "completion_tokens")
        )
        if not isinstance(prompt, int) or not isinstance(tokens, int):
            continue
        if isinstance(seconds, int | float):
            yield str(told.get("model", "")), (float(seconds), prompt, tokens)
