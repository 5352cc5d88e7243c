"""The contract of a backend: a request in, pieces of completions out.

A backend streams. It yields a `Piece` whenever it knows more, and the caller sums what the pieces
say was spent; when the caller closes the iterator, the backend aborts the work at its source.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from ..compiler.errors import BadRequest
from ..compiler.model import Capability, ModelInfo
from ..compiler.values import Image, Json, Message, Purpose, TokenLogprob, Tool, ToolCall
from ..compiler.wishes import Wanted

__all__ = [
    "Backend",
    "Capability",
    "Draw",
    "ModelInfo",
    "Piece",
    "Request",
    "TokenLogprob",
    "needs",
    "refuse_unoffered",
]


@dataclass(frozen=True, slots=True)
class Draw:
    """One of the completions that a request asks for.

    `index` is the asking step's number for it; `number` says the how-manyth draw of this very
    prompt, model and parameters it is, over the whole pipeline.
    """

    index: int
    number: int
    seed: int


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt and the draws wanted of it.

    `step` and `question` (an id) name who asks; `prefix` is assistant text to be continued;
    `schema` a JSON Schema that the reply should meet (guided where the backend can; the operator
    checks it all the same), `regex`, `grammar` and `choice` what it must meet, one of the four at
    most; `logprobs` how many alternatives a token to report, None for none, and `prompt_logprobs`
    the same of the prompt's own tokens, `prefix` included; `thinking` the most tokens of reasoning
    before the answer, on top of `max_tokens`.

    `wants` says what is asked for: a text; a reward model's score of the messages; or an embedding
    of their text. The latter two have one draw and no completion tokens.
    """

    model: str
    messages: tuple[Message, ...]
    purpose: Purpose
    draws: tuple[Draw, ...]
    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    stop: tuple[str, ...] = ()
    prefix: str = ""
    schema: Mapping[str, Json] | None = None
    regex: str = ""
    grammar: str = ""
    choice: tuple[str, ...] = ()
    logprobs: int | None = None
    prompt_logprobs: int | None = None
    tools: tuple[Tool, ...] = ()
    thinking: int | None = None
    wants: Wanted = "text"
    step: str = ""
    question: str = ""
    turn: int = 0
    """0 for the first asking, 1 for the repair turn."""

    @property
    def most(self) -> int:
        """The most tokens of one completion, its reasoning included."""
        return self.max_tokens + (self.thinking or 0) if self.wants == "text" else 0


@dataclass(frozen=True, slots=True)
class Piece:
    """What a backend learnt since the last piece, of one draw.

    Token counts are increments; `completion_tokens` may be negative once, where a count kept so far
    turns out to be too high. `prompt_tokens` are counted once a request, in whichever piece
    comes first. `finish` is empty while the draw goes on, then stop or length (or content for a
    refused content, tools for calls to be made); a draw ends with exactly one piece that has a
    finish. Tool calls come whole. `prompt_logprobs` come once a request, before or with the end of
    its first draw to end, without the first token, which nothing predicts. `values` are a reward
    (one number) or an embedding. `usd` is what the source itself charged for the draw, with the
    piece that has the finish; None has the model's price decide.
    """

    draw: int
    text: str = ""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    finish: str = ""
    reasoning: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()
    prompt_logprobs: tuple[TokenLogprob, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    values: tuple[float, ...] = ()
    usd: float | None = None


class Backend(ABC):
    """Where a family of models is. One file a backend, found by its file name.

    The module holds `def open_backend(model: str, options: Mapping[str, Json]) -> Backend` and
    `def info(model: str, options: Mapping[str, Json]) -> ModelInfo`; `info` starts nothing.
    """

    repeatable: ClassVar[bool] = True
    """Whether an equal request may be answered by the reply to an earlier one. Not where replies
    depend on who asks."""

    @property
    def revision(self) -> str:
        """What tells this state of the model from another under the same name, if anything does."""
        return ""

    def join(self, others: Iterable[Backend]) -> None:  # noqa: B027 -- most have nothing to share
        """Hear, before the first request, which backends the same run has open.

        What several can use together, like an engine, may be shared with them; closing one must
        leave the others working.
        """

    @abstractmethod
    def generate(self, request: Request) -> AsyncGenerator[Piece, None]:
        """Answer a request piece by piece; pieces of several draws may interleave.

        Closing the generator aborts the request. Raises the subclasses of `BackendError`.
        """

    def prompt_tokens(self, request: Request) -> int:
        """An upper bound on the tokens of the prompt, for reserving a budget.

        No byte-level tokenizer makes more tokens than the text has bytes.
        """
        told = sum(len(m.text.encode()) + _PER_MESSAGE for m in request.messages)
        if request.tools:
            tools = [[tool.name, tool.about, tool.parameters] for tool in request.tools]
            told += len(json.dumps(tools, default=dict)) + _PER_MESSAGE * len(tools)
        for message in request.messages:
            for call in message.calls:
                told += len(f"{call.id}{call.name}{call.arguments}".encode()) + _PER_MESSAGE
        return told + len(request.prefix.encode())

    async def waiting(self) -> int | None:
        """How many requests wait in the backend's own queue; None where it does not tell."""
        return None

    @abstractmethod
    async def aclose(self) -> None:
        """Release connections, engines and threads. Idempotent."""


_PER_MESSAGE = 8
"""Tokens that a chat template may add to a message, a tool or a call."""


def refuse_unoffered(name: str, offered: frozenset[Capability], request: Request) -> None:
    """Refuse a request for more than a model offers, which would else be ignored.

    Seeds and several draws, which every request has, are not refused. Raises `BadRequest`, naming
    all that is missing.
    """
    missing = [need.value for need in needs(request) if need not in offered]
    if missing:
        raise BadRequest(f"{name} does not offer {', '.join(missing)}")


def needs(request: Request) -> Iterator[Capability]:
    """What a request asks for beyond the reply to a chat."""
    if request.stop:
        yield Capability.STOP
    if request.prefix:
        yield Capability.CONTINUATION
    if request.schema is not None:
        yield Capability.GUIDED_JSON
    if request.regex:
        yield Capability.GUIDED_REGEX
    if request.grammar:
        yield Capability.GUIDED_GRAMMAR
    if request.choice:
        yield Capability.GUIDED_CHOICE
    if request.logprobs is not None:
        yield Capability.LOGPROBS
    if request.prompt_logprobs is not None:
        yield Capability.PROMPT_LOGPROBS
    if request.tools:
        yield Capability.TOOLS
    if request.thinking is not None:
        yield Capability.THINKING
    if request.wants == "embedding":
        yield Capability.EMBEDDINGS
    elif request.wants == "reward":
        yield Capability.REWARD
    if any(_shows_images(message) for message in request.messages):
        yield Capability.IMAGES


def _shows_images(message: Message) -> bool:
    return not isinstance(message.content, str) and any(
        isinstance(part, Image) for part in message.content
    )
