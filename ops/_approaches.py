"""Several approaches to one question: who names them, and answers by all of them in one text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from ..compiler.op import Asking, Flow
from ._asks import Form, Said

__all__ = ["NAME", "Named", "Namer", "Section", "sections"]

NAME = """\
Here is a question.

### Question
{question}

Name {n} approaches to it that differ as much as they can: other methods, other representations, \
other points to start from. Each in a few words that tell a solver what to do; do not answer the \
question.

Reply with one JSON object and nothing else: {"approaches": ["…", …]}"""
"""Asks for approaches."""

_HEADING = re.compile(
    r"^[ \t]*(?:#+[ \t]*)?(?:\*\*)?[ \t]*approach[ \t]+(?P<number>\d{1,4})\b"
    r"[ \t]*[:.)–—-]*[ \t]*(?P<name>[^\n]*)$",
    re.IGNORECASE | re.MULTILINE,
)


class Named(Form):
    """Approaches to a question."""

    approaches: tuple[Said, ...]


class Namer(Asking):
    """The arguments of whoever names the approaches; each that is left out is the step's own."""

    variables: ClassVar[frozenset[str]] = frozenset({"question", "n"})
    default_prompt: ClassVar[str] = NAME

    def flow(self, given: Flow) -> Flow:
        return given


@dataclass(frozen=True, slots=True)
class Section:
    """What a text says under one heading: the approach's number, its name and the answer by it."""

    number: int
    name: str
    text: str


def sections(text: str, most: int) -> tuple[list[Section], int]:
    """The sections under headings "Approach 1: …" by their numbers from 1 to `most`, and how many
    were left out: those with another number, without a text, or of a number that came before."""
    headings = list(_HEADING.finditer(text))
    ends = [*(heading.start() for heading in headings), len(text)][1:]
    found: dict[int, Section] = {}
    for heading, end in zip(headings, ends, strict=True):
        number, body = int(heading["number"]), text[heading.end() : end].strip()
        if 1 <= number <= most and body and number not in found:
            found[number] = Section(number, heading["name"].strip(" \t*"), body)
    return [found[number] for number in sorted(found)], len(headings) - len(found)
