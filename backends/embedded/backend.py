"""The adapter: requests of the runtime to work for the engine, and pieces back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from ...compiler.errors import BadRequest, TooLong
from ..base import Backend, Piece, Request, refuse_unoffered
from . import OFFERS
from .engine import Engine, Work
from .model import Model
from .roles import PLAIN, embedded, read, render, role_of
from .sampler import Sampling
from .tokenizer import StoryTokenizer

__all__ = ["WEIGHTS", "EmbeddedBackend"]

WEIGHTS = Path(__file__).parent / "weights"


class EmbeddedBackend(Backend):
    """The small model that ships with the package; it is loaded by the first request."""

    def __init__(self, folder: Path = WEIGHTS, batch: int = 64) -> None:
        self._folder = folder
        self._batch = batch
        self._tokenizer: StoryTokenizer | None = None
        self._loading: asyncio.Lock | None = None
        self._loaded: tuple[Engine, StoryTokenizer, int] | None = None

    @property
    def live(self) -> int:
        """How many draws are being made now."""
        return self._loaded[0].live if self._loaded is not None else 0

    @cached_property
    def revision(self) -> str:
        """A digest of the weights: what other weights said is not kept for these."""
        return sha256((self._folder / "model.safetensors").read_bytes()).hexdigest()[:16]

    def prompt_tokens(self, request: Request) -> int:
        """The tokens of the prompt, counted. Raises BadRequest for an unknown role."""
        if self._tokenizer is None:
            self._tokenizer = StoryTokenizer(self._folder / "tokenizer.json")
        if request.wants == "embedding":
            return len(self._tokenizer.encode(embedded(request.messages)))
        return len(self._tokenizer.encode_parts((*render(request.purpose), request.prefix)))

    async def generate(self, request: Request) -> AsyncGenerator[Piece, None]:
        """Answer piece by piece; replies that are read into JSON come whole, with the last piece,
        and so does an embedding.

        Raises BadRequest for an unknown role and for what the model does not offer, TooLong for a
        prompt that leaves no room.
        """
        refuse_unoffered("embedded/abacus", OFFERS, request)
        if request.wants == "embedding":
            yield await self._embedding(request)
            return
        purpose = request.purpose
        role = role_of(purpose)
        prompt = render(purpose)
        if request.prefix:
            if role not in PLAIN:
                raise BadRequest(f"embedded/abacus cannot continue a reply of role {role!r}")
            prompt = (*prompt, request.prefix)
        engine, tokenizer, context = await self._load()
        tokens = tuple(tokenizer.encode_parts(prompt))
        _check_length(tokens, context)
        work = Work(
            prompt=tokens,
            draws=request.draws,
            max_tokens=request.max_tokens,
            sampling=Sampling(request.temperature, request.top_p, request.top_k),
            stop=request.stop if role in PLAIN else (),
            logprobs=request.logprobs,
            prompt_logprobs=request.prompt_logprobs,
        )
        raw = {draw.index: "" for draw in request.draws}
        async with aclosing(engine.generate(work)) as pieces:
            async for piece in pieces:
                if role in PLAIN:
                    yield piece
                    continue
                raw[piece.draw] += piece.text
                text = read(purpose, raw[piece.draw]) if piece.finish else ""
                yield replace(piece, text=text)

    async def _embedding(self, request: Request) -> Piece:
        """The mean of the states that the model has over the text of the messages."""
        engine, tokenizer, context = await self._load()
        tokens = tuple(tokenizer.encode(embedded(request.messages)))
        if not tokens:
            raise BadRequest("embedded/abacus embeds no empty text")
        _check_length(tokens, context)
        values = await asyncio.to_thread(engine.embed, tokens)
        (draw,) = request.draws
        return Piece(draw.index, prompt_tokens=len(tokens), finish="stop", values=values)

    async def _load(self) -> tuple[Engine, StoryTokenizer, int]:
        if self._loaded is None:
            if self._loading is None:
                self._loading = asyncio.Lock()
            async with self._loading:
                if self._loaded is None:
                    self._loaded = await asyncio.to_thread(self._open)
        return self._loaded

    def _open(self) -> tuple[Engine, StoryTokenizer, int]:
        model = Model.load(self._folder)
        tokenizer = StoryTokenizer(self._folder / "tokenizer.json")
        return Engine(model, tokenizer, self._batch), tokenizer, model.shape.context

    async def aclose(self) -> None:
        """Stop the engine's thread. Idempotent."""
        if self._loaded is not None:
            await self._loaded[0].aclose()


def _check_length(tokens: Sequence[int], context: int) -> None:
    if len(tokens) >= context:
        raise TooLong(
            f"the prompt has {len(tokens)} tokens, and embedded/abacus holds {context} "
            "tokens of prompt and reply together"
        )
