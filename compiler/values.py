"""What flows along the edges of a pipeline: questions in, candidates through, usage beside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from .answers import Answer

__all__ = [
    "CUT",
    "NOTHING",
    "Candidate",
    "Content",
    "Image",
    "Json",
    "Message",
    "Origin",
    "Purpose",
    "Question",
    "TokenLogprob",
    "Tool",
    "ToolCall",
    "Usage",
    "total",
]

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

CUT = "length"
"""The `finish` of a text that was cut short."""

NOTHING: Mapping[str, Json] = MappingProxyType({})
"""An empty mapping that nobody can fill."""

_NO_SCORES: Mapping[str, float] = MappingProxyType({})


def _nothing() -> Mapping[str, Json]:
    return NOTHING


def _no_scores() -> Mapping[str, float]:
    return _NO_SCORES


@dataclass(frozen=True, slots=True)
class Usage:
    """What was spent. Tokens are counts, `usd` dollars, `seconds` the summed time of requests, and
    of programs that were run.

    `completion_tokens` include those of requests that were cancelled on the way.
    """

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    seconds: float = 0.0
    hits: int = 0
    """Replies that were not asked for, since a cache had them."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.usd + other.usd,
            self.seconds + other.seconds,
            self.hits + other.hits,
        )

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens


def total(usages: Iterable[Usage]) -> Usage:
    """What was spent altogether."""
    calls = prompt = cached = completion = hits = 0
    usd = seconds = 0.0
    for usage in usages:
        calls += usage.calls
        prompt += usage.prompt_tokens
        cached += usage.cached_tokens
        completion += usage.completion_tokens
        usd += usage.usd
        seconds += usage.seconds
        hits += usage.hits
    return Usage(calls, prompt, cached, completion, usd, seconds, hits)


@dataclass(frozen=True, slots=True)
class Image:
    """An image inside a message, by URL or data URL."""

    url: str


Content: TypeAlias = "str | tuple[str | Image, ...]"


@dataclass(frozen=True, slots=True)
class Tool:
    """What a model is told of a tool that it may call: `parameters` is a JSON Schema."""

    name: str
    about: str
    parameters: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that a model wants made. `arguments` is its text as written, JSON if all is well."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token with its natural-log probability and the likeliest alternatives."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat. `role` is system, user, assistant or tool.

    `calls` are those an assistant wants made; `call` is the id of the one that a tool answers.
    """

    role: str
    content: Content
    calls: tuple[ToolCall, ...] = ()
    call: str = ""

    @property
    def text(self) -> str:
        """The text parts of the content, joined."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part for part in self.content if isinstance(part, str))


@dataclass(frozen=True, slots=True)
class Question:
    """What a pipeline is asked: a text, a chat or a record, in one shape.

    `text` is what operators show as the question; `messages` is the chat that a model answers
    (system messages included); `fields` are a record's fields, which prompts may name.
    """

    text: str
    messages: tuple[Message, ...]
    fields: Mapping[str, Json] = field(default_factory=_nothing)
    id: str = ""
    """Tells questions of a batch apart; seeds derive from it."""
    tokens: int | None = None
    """The most that a reply may have, where tokens were split over questions such as this."""

    @property
    def system(self) -> tuple[Message, ...]:
        """The system messages, which go to every step that answers the question."""
        return tuple(m for m in self.messages if m.role == "system")


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a request is for, beside its messages: the trace reads it, and a backend with a prompt
    format of its own renders from it.

    `role` is the kind of work (solve, verify, compare, rank, score, critique, revise, fuse);
    `shown` are the candidate texts the request is about, in the order shown.
    """

    role: str
    question: str
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a candidate comes from. `parents` are the keys of the candidates it was made from."""

    step: str
    index: int
    model: str = ""
    parents: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The name of the candidate made here, unique within one run: `step[index]`."""
        return f"{self.step}[{self.index}]"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One possible answer. Immutable; operators that judge return it with more scores and notes.

    `answer` is canonical; None is *no answer*, which never votes. `scores` are finite floats by
    the name of what gave them. `notes` hold critiques, verdicts, test outcomes. `finish` is stop,
    length, or another of `Piece`; a candidate cut off at its length votes only if a complete answer
    can be read. `usage` is what this candidate itself cost, its judging included.
    """

    text: str
    answer: Answer | None
    origin: Origin
    scores: Mapping[str, float] = field(default_factory=_no_scores)
    notes: Mapping[str, Json] = field(default_factory=_nothing)
    usage: Usage = Usage()
    finish: str = "stop"

    def scored(self, name: str, value: float) -> Candidate:
        """This candidate with one more score."""
        return self.but(scores={**self.scores, name: value})

    def noted(self, name: str, value: Json) -> Candidate:
        """This candidate with one more note."""
        return self.but(notes={**self.notes, name: value})

    def charged(self, usage: Usage) -> Candidate:
        """This candidate with what was spent on it added."""
        return self.but(usage=self.usage + usage)

    def but(
        self,
        *,
        scores: Mapping[str, float] | None = None,
        notes: Mapping[str, Json] | None = None,
        usage: Usage | None = None,
    ) -> Candidate:
        """This candidate with some fields replaced; text, answer and origin never change."""
        return Candidate(
            self.text,
            self.answer,
            self.origin,
            self.scores if scores is None else scores,
            self.notes if notes is None else notes,
            self.usage if usage is None else usage,
            self.finish,
        )
