"""What operators share when they ask a model: how candidates are shown, how requests are numbered,
what a repair turn can cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict

from ..compiler.model import Capability
from ..compiler.op import Amount, Asking, Calls, Context, Flow
from ..compiler.values import Candidate, Image, Message, Question

__all__ = [
    "PARSED",
    "REPAIR",
    "Form",
    "Said",
    "answering",
    "chat",
    "completion",
    "framed",
    "like",
    "nth",
    "numbered",
    "with_repair",
]

AskingT = TypeVar("AskingT", bound=Asking)

PARSED: Mapping[Capability, str] = MappingProxyType(
    {Capability.GUIDED_JSON: "replies are parsed, with one repair turn"}
)
"""What operators prefer that ask for a form: a reply bound to its schema."""

_FRAME = 24
"""Tokens that `numbered` adds around one candidate and its critique, at most."""

REPAIR = 256
"""Tokens that a repair turn adds to the prompt beside the reply it repairs, at most."""


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


# A pattern would say the same, but guided decoders disagree on what it anchors to.
Said = Annotated[str, AfterValidator(_not_blank)]
"""Text that says something."""


class Form(BaseModel):
    """What a model is asked to fill in. A key too many makes it unreadable."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def numbered(candidates: Sequence[Candidate], *, critiques: bool = False) -> str:
    """The candidates' texts under their numbers, from 1; with their critiques, where they have
    one."""
    parts = []
    for number, candidate in enumerate(candidates, start=1):
        parts.append(f"### Candidate {number}\n{candidate.text}")
        critique = candidate.notes.get("critique") if critiques else None
        if critique is not None:
            parts.append(f"### Critique of candidate {number}\n{critique}")
    return "\n\n".join(parts)


def framed(given: Flow) -> Flow:
    """The flow, for pricing candidates as `numbered` shows them."""
    return replace(given, tokens=given.tokens + Amount(0, _FRAME))


def answering(question: Question, text: str) -> tuple[Message, ...]:
    """The chat that asks for an answer by way of `text`: the question's system messages and
    images go along."""
    images = tuple(
        part
        for message in question.messages
        if message.role != "system" and not isinstance(message.content, str)
        for part in message.content
        if isinstance(part, Image)
    )
    return (*question.system, Message("user", (text, *images) if images else text))


def chat(asking: Asking, ctx: Context) -> tuple[Message, ...]:
    """The question's own chat, or with a prompt of the pipeline's the one that asks by it."""
    if asking.prompt is None:
        return ctx.question.messages
    return answering(ctx.question, ctx.fill(asking))


def like(other: Asking, own: AskingT) -> AskingT:
    """An asking with the arguments of another, its prompt aside, where it gives none of its own."""
    told = {name: getattr(other, name) for name in Asking.model_fields if name != "prompt"}
    left = {name: value for name, value in told.items() if name not in own.model_fields_set}
    return own.model_copy(update=left)


def nth(one: int, other: int) -> int:
    """A number of its own for each ordered pair (Cantor's pairing), so that asking about more
    candidates, or more often, keeps the numbers of what was asked before."""
    return (one + other) * (one + other + 1) // 2 + other


def completion(asking: Asking) -> Amount:
    """Tokens of one completion. Only valid on a settled operator."""
    return Amount(1, asking.max_tokens or 1)


def with_repair(calls: Calls) -> Calls:
    """The bounds when every reply may need a repair turn, which shows the reply again."""
    return replace(
        calls,
        count=Amount(calls.count.low, 2 * calls.count.high),
        prompt=Amount(calls.prompt.low, calls.prompt.high + calls.completion.high + REPAIR),
        depth=Amount(calls.depth.low, 2 * calls.depth.high),
    )
