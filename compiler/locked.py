"""What a compiled pipeline is written down as: plain values, held against a lock.

Light on purpose: a compiled module imports this and nothing else of the compiler.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .values import Json

__all__ = ["Lock", "Source", "Step", "step"]


class Lock(NamedTuple):
    """What a compiled pipeline was when it was compiled; two versions can be compared by it.

    Bounds are of one question, low and high.
    """

    format: int
    polyarch: str
    """The version that compiled it."""
    digest: str
    """`Plan.digest`, of everything that decides what is asked."""
    models: Mapping[str, str]
    """backend/model, by the name that steps use."""
    prompts: Mapping[str, Sequence[str]]
    """The sha256 of each prompt, by step."""
    steps: Mapping[str, str]
    """A short digest of each step."""
    calls: tuple[int, int]
    prompt_tokens: tuple[int, int]
    completion_tokens: tuple[int, int]
    usd: tuple[float, float]


class Step(NamedTuple):
    """A step in its final form, all defaults settled."""

    name: str
    op: str
    arguments: Mapping[str, Json]
    inputs: tuple[str, ...]
    chunk: int
    window: int | None
    answer: str | Mapping[str, Json] | None
    """None is the pipeline's own."""
    scope: str
    at_least: int | None
    """How many candidates must come when some fail; None fails with the first."""
    gate: str = ""
    """The step that lets this one run by giving a candidate."""
    topic: str = ""
    """The step whose candidate is this one's question."""


class Source(NamedTuple):
    """A compiled pipeline as its module tells it."""

    lock: Lock
    name: str
    about: str
    source: str
    question: Mapping[str, Json]
    question_tokens: tuple[int, int]
    models: Mapping[str, Mapping[str, Json]]
    answer: str | Mapping[str, Json]
    budgets: Mapping[str, Mapping[str, Json]]
    steps: Sequence[Step]
    output: str
    keep: int
    notes: tuple[str, ...]
    tools: Mapping[str, Mapping[str, Json]] = MappingProxyType({})


def step(
    name: str,
    *,
    op: str,
    arguments: Mapping[str, Json] | None = None,
    inputs: Sequence[str] = (),
    chunk: int = 1,
    window: int | None = None,
    answer: str | Mapping[str, Json] | None = None,
    scope: str = "",
    at_least: int | None = None,
    gate: str = "",
    topic: str = "",
) -> Step:
    """A step of a compiled pipeline."""
    given = arguments or {}
    return Step(name, op, given, tuple(inputs), chunk, window, answer, scope, at_least, gate, topic)
