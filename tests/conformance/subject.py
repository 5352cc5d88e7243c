"""One suite over all backends, and how a backend becomes one of its subjects.

Every test of this folder runs on every subject that offers what the test is about, and asserts on
what comes back. What a subject does not offer, it must refuse. A new subject is a file in
`subjects/` with a tuple `SUBJECTS`; the smallest one is

    @asynccontextmanager
    async def opened() -> AsyncIterator[Opened]:
        backend = EmbeddedBackend()
        yield Opened(backend, busy=lambda: backend.live)

    SUBJECTS = (Subject("embedded", "abacus", info("abacus", {}), opened),)

The suite opens each subject once, asks it everything, closes it twice, and looks for tasks left.
`Subject` says what else can be told: prompts that suit the model, and what it cannot promise. A
subject whose package is not installed leaves `SUBJECTS` empty.
"""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polyarch.backends.base import Backend, Draw, ModelInfo, Piece, Request
from polyarch.compiler.model import Capability
from polyarch.compiler.values import Image, Message, Purpose, TokenLogprob, Tool, ToolCall

__all__ = [
    "ASKS",
    "DOT",
    "STORY",
    "WEATHER",
    "Heard",
    "Opened",
    "Subject",
    "ask",
    "nothing_left",
    "subjects",
    "until",
]

STORY = (
    "Tom has 12 apples. Ann has twice as many as Tom. Ann gives away 7. "
    "How many apples does Ann have?"
)
WEATHER = Tool(
    "weather",
    "Tells the weather of a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)

DOT = Image(
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA"
    "WjR9awAAAABJRU5ErkJggg=="
)
"""One pixel."""

ASKS: Mapping[Capability, Mapping[str, Any]] = {
    Capability.LOGPROBS: {"logprobs": 1},
    Capability.PROMPT_LOGPROBS: {"prompt_logprobs": 1},
    Capability.CONTINUATION: {"prefix": "12*2=24\n"},
    Capability.GUIDED_JSON: {"schema": {"type": "object"}},
    Capability.GUIDED_REGEX: {"regex": "[0-9]+"},
    Capability.GUIDED_GRAMMAR: {"grammar": 'root ::= "yes" | "no"'},
    Capability.GUIDED_CHOICE: {"choice": ("yes", "no")},
    Capability.STOP: {"stop": ("a", "e", "i", "o", "u", "1", "2")},
    Capability.TOOLS: {"tools": (WEATHER,)},
    Capability.IMAGES: {"messages": (Message("user", ("What is this?", DOT)),)},
    Capability.EMBEDDINGS: {"wants": "embedding"},
    Capability.REWARD: {"wants": "reward"},
    Capability.THINKING: {"thinking": 64},
}
"""The fields of a request that ask for what a model may not offer."""


@dataclass(frozen=True)
class Opened:
    """An open backend. `busy` counts the draws or requests that its source works on right now:
    the engine's own count, a server's gauge."""

    backend: Backend
    busy: Callable[[], int | Awaitable[int]]

    async def count(self) -> int:
        """How many the source works on."""
        told = self.busy()
        return told if isinstance(told, int) else await told


@dataclass(frozen=True)
class Subject:
    """A backend under test: how to open it, what it says it can do, and what to ask it."""

    name: str
    model: str
    info: ModelInfo
    open: Callable[[], AbstractAsyncContextManager[Opened]]
    prompt: str = STORY
    """Answered with more than ten tokens, more than one word, and plain ASCII."""
    question: str = ""
    """The id of the question, for recordings."""
    endless: str = STORY
    """A prompt whose draws, `endless_draws` of them at `endless_tokens`, take far longer together
    than five seconds or at least longer than it takes to notice."""
    endless_draws: int = 512
    endless_tokens: int = 256
    tool_prompt: str = "What is the weather in Oslo? Use the tool."
    temperature: float = 0.9
    """Where eight draws are not all the same."""
    max_tokens: int = 128
    exact: bool = True
    """Whether equal seeds, and temperature 0, give equal texts however busy the engine is."""
    cuts: bool = True
    """Whether `max_tokens` cuts a reply off."""
    bounded: bool = True
    """Whether a prompt longer than the declared context is refused."""
    own_seeds: bool = True
    """Whether the draws of one request have the texts that their seeds have alone."""
    streams: bool = True
    """Whether pieces come before the reply is whole."""
    counts_draws: bool = True
    """Whether it is known what each draw of several has spent, and not only their sum."""
    counts_prompt: bool = True
    """Whether `prompt_tokens` are the tokens that `prompt_logprobs` tell of."""
    undo: frozenset[Capability] = field(default_factory=frozenset)
    """Capabilities that cannot be shown with this model; say why beside it."""

    @property
    def refuses(self) -> bool:
        """Whether there is anything that it refuses."""
        return self.bounded or bool(ASKS.keys() - self.info.capabilities)

    def offers(self, capability: Capability) -> bool:
        """Whether the suite should show this capability."""
        return capability in self.info.capabilities and capability not in self.undo

    def request(self, draws: int = 1, *, text: str = "", seed: int = 100, **fields: Any) -> Request:
        """A request to solve; draw k has index 5 + k, number k and seed `seed` + k."""
        shown = text or self.prompt
        fields = {"temperature": self.temperature, "max_tokens": self.max_tokens, **fields}
        return Request(
            model=self.model,
            messages=fields.pop("messages", (Message("user", shown),)),
            purpose=Purpose("solve", shown),
            draws=tuple(Draw(5 + k, k, seed + k) for k in range(draws)),
            question=self.question,
            **fields,
        )

    def impossible(self) -> Request:
        """A request that this model refuses: the first thing that it does not offer, or else a
        prompt that is too long."""
        for capability, fields in ASKS.items():
            if capability not in self.info.capabilities:
                return self.request(**fields)
        return self.too_long()

    def too_long(self) -> Request:
        """A request whose prompt alone exceeds the declared context."""
        times = 1 + self.info.context // len(self.prompt.split())
        return self.request(text=f"{self.prompt} " * times)


@dataclass
class Heard:
    """Everything that was said of one draw."""

    text: str = ""
    reasoning: str = ""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    finish: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()
    prompt_logprobs: tuple[TokenLogprob, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    values: tuple[float, ...] = ()

    def hear(self, piece: Piece) -> None:
        """Add a piece. Nothing may follow the finish."""
        assert not self.finish, f"{piece} came after the end"
        for name in ("text", "reasoning", "logprobs", "prompt_logprobs", "calls", "values"):
            setattr(self, name, getattr(self, name) + getattr(piece, name))
        self.prompt_tokens += piece.prompt_tokens
        self.cached_tokens += piece.cached_tokens
        self.completion_tokens += piece.completion_tokens
        self.finish = piece.finish


async def ask(backend: Backend, request: Request) -> list[Heard]:
    """All draws of a request, in order; what holds for every reply is checked on the way."""
    heard = {draw.index: Heard() for draw in request.draws}
    async with aclosing(backend.generate(request)) as pieces:
        async for piece in pieces:
            assert piece.draw in heard, f"{piece} is of a draw that nobody asked for"
            heard[piece.draw].hear(piece)
    for one in heard.values():
        assert one.finish in {"stop", "length", "content", "tools"}
        assert min(one.prompt_tokens, one.cached_tokens, one.completion_tokens) >= 0
        assert one.cached_tokens <= one.prompt_tokens
        assert all(token.logprob <= 1e-6 for token in one.logprobs + one.prompt_logprobs)
    return [heard[draw.index] for draw in request.draws]


async def until(opened: Opened, *, busy: bool) -> None:
    """Wait until the source is at work, or idle; it is given five seconds, or thirty to begin."""
    by = time.monotonic() + (30.0 if busy else 5.0)
    while bool(now := await opened.count()) is not busy:
        assert time.monotonic() < by, f"at work on {now}"
        await asyncio.sleep(0.002)


async def nothing_left(before: set[asyncio.Task[Any]]) -> None:
    """Wait until no task is left beside those before, five seconds at most.

    The loop itself closes a vendor's generator that was dropped, in a task of its own.
    """
    by = time.monotonic() + 5.0
    while left := asyncio.all_tasks() - before:
        assert time.monotonic() < by, f"left: {left}"
        await asyncio.sleep(0.002)


def subjects() -> Mapping[str, Subject]:
    """Every subject of every file in `subjects/`, by name."""
    found: dict[str, Subject] = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent / "subjects")]):
        loaded = importlib.import_module(f"conformance.subjects.{module.name}")
        for subject in loaded.SUBJECTS:
            assert subject.name not in found, f"two subjects {subject.name}"
            found[subject.name] = subject
    return found
