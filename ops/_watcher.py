"""Who reads an answer while it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ..compiler.model import Capability
from ..compiler.op import Asking, Flow
from ._asks import PARSED

__all__ = ["WATCH", "Watcher"]

WATCH = """\
Here are a question and the beginning of someone's thought about it.

### Question
{question}

### Thought
{candidate}

Is the answer found there, so that going on could only repeat it? Reply with one JSON object and \
nothing else: {"reason": "what is missing, or repeated", "verdict": "right" if it is found, else \
"wrong"}"""
"""Asks whether a thought has come to its answer."""


class Watcher(Asking):
    """The arguments of whoever reads along; each that is left out is the writer's own."""

    variables: ClassVar[frozenset[str]] = frozenset({"question", "candidate"})
    required: ClassVar[frozenset[str]] = frozenset({"candidate"})
    default_prompt: ClassVar[str] = WATCH

    def flow(self, given: Flow) -> Flow:
        return given

    def prefers(self) -> Mapping[Capability, str]:
        return PARSED
