"""Continuous batching: one thread steps all live draws together, requests come and go.

What a draw says depends on its prompt, seed and settings alone, never on its neighbours.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..base import Draw, Piece, TokenLogprob
from .decoding import TextStream
from .model import Cache, Floats, Model
from .sampler import Choice, Sampling, choose, log_probabilities, uniforms
from .tokenizer import Mark, StoryTokenizer

__all__ = ["Engine", "Work"]

_PREFILLS = 8
"""Most prompts that join in one step, so that draws under way are not held up for long."""

_Delivery: TypeAlias = "tuple[_Job, Piece | Exception | None]"


@dataclass(frozen=True, slots=True)
class Work:
    """One prompt and the draws wanted of it. ``logprobs`` counts alternatives, None for none;
    ``prompt_logprobs`` the same for the prompt's own tokens."""

    prompt: tuple[int, ...]
    draws: tuple[Draw, ...]
    max_tokens: int
    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    prompt_logprobs: int | None = None


class _Job:
    """A piece of work under way, and where its pieces go; None ends them."""

    def __init__(self, work: Work, loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.loop = loop
        self.pieces: asyncio.Queue[Piece | Exception | None] = asyncio.Queue()
        self.waiting = deque(work.draws)
        self.unfinished = len(work.draws)
        self.counted = False
        """Whether the tokens of the prompt were reported."""
        self.cancelled = False


class _Live:
    """A draw in the batch: its cache, its random numbers, its text so far."""

    def __init__(self, job: _Job, draw: Draw, cache: Cache, logits: Floats, limit: int) -> None:
        self.job = job
        self.draw = draw
        self.cache = cache
        self.logits: Floats | None = logits
        self.token = -1
        self.numbers = uniforms(draw.seed, limit)
        self.made = 0
        self.text = TextStream(job.work.stop)


class Engine:
    """Runs a model for any number of concurrent requests; its thread starts with the first.

    ``batch`` is the most draws stepped together, ``remembered`` how many prompts keep their
    prefill for the next request that asks with the same prompt.
    """

    def __init__(
        self, model: Model, tokenizer: StoryTokenizer, batch: int = 64, remembered: int = 32
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._batch = batch
        self._remembered = remembered
        self._end = tokenizer.mark(Mark.END)
        marks = [tokenizer.mark(mark) for mark in Mark if mark is not Mark.END]
        self._allowed = np.ones(model.shape.vocabulary, np.bool_)
        self._allowed[tokenizer.size :] = False
        self._allowed[marks] = False
        self._prefills: OrderedDict[tuple[int, ...], tuple[Cache, Floats]] = OrderedDict()
        self._changed = threading.Condition()
        self._incoming: deque[_Job] = deque()
        self._live: list[_Live] = []
        self._closing = False
        self._thread: threading.Thread | None = None

    async def generate(self, work: Work) -> AsyncGenerator[Piece, None]:
        """Yield pieces of all draws as they are made; closing takes the draws out of the batch."""
        if not work.draws:
            return
        job = _Job(work, asyncio.get_running_loop())
        with self._changed:
            if self._closing:
                raise RuntimeError("the embedded engine is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="embedded", daemon=True)
                self._thread.start()
            self._incoming.append(job)
            self._changed.notify()
        try:
            while (piece := await job.pieces.get()) is not None:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            job.cancelled = True

    def embed(self, tokens: Sequence[int]) -> tuple[float, ...]:
        """The model's embedding of a text, made in the calling thread beside the batch."""
        return tuple(self._model.embed(tokens).tolist())

    async def aclose(self) -> None:
        """Stop the thread; requests under way end with an error. Idempotent."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    @property
    def live(self) -> int:
        """How many draws are in the batch now."""
        return len(self._live)

    def _run(self) -> None:
        error = RuntimeError("the embedded engine was closed")
        try:
            while self._wait():
                _deliver(self._step())
        except Exception as failure:  # noqa: BLE001  (whoever waits for a piece must hear of it)
            error = RuntimeError(f"the embedded engine failed: {failure!r}")
            error.__cause__ = failure
        finally:
            with self._changed:
                self._closing = True
                jobs = {live.job for live in self._live} | set(self._incoming)
                self._live.clear()
                self._incoming.clear()
            _deliver([(job, error) for job in jobs])

    def _wait(self) -> bool:
        """Wait for work, admit what fits; False once closing."""
        with self._changed:
            while not (self._closing or self._incoming or self._live):
                self._changed.wait()
            if self._closing:
                return False
            self._live = [live for live in self._live if not live.job.cancelled]
            admitted = self._admitted()
        for job, draw in admitted:
            self._live.append(self._admit(job, draw))
        return True

    def _admitted(self) -> list[tuple[_Job, Draw]]:
        """The draws that join now: as many as there is room for, of a few prompts."""
        admitted: list[tuple[_Job, Draw]] = []
        room, prompts = self._batch - len(self._live), _PREFILLS
        while self._incoming and room > 0 and prompts > 0:
            job = self._incoming[0]
            prompts -= 1
            while job.waiting and room > 0 and not job.cancelled:
                admitted.append((job, job.waiting.popleft()))
                room -= 1
            if job.cancelled or not job.waiting:
                self._incoming.popleft()
        return admitted

    def _admit(self, job: _Job, draw: Draw) -> _Live:
        prompt = job.work.prompt
        limit = min(job.work.max_tokens, self._model.shape.context - len(prompt))
        wanted = None if job.counted else job.work.prompt_logprobs
        told: tuple[TokenLogprob, ...] = ()
        found = self._prefills.get(prompt) if wanted is None else None
        if found is None:
            cache, logits = self._model.prefill(prompt)
            if wanted is not None:
                told = self._prompt_logprobs(prompt, logits, wanted)
            found = self._prefills[prompt] = (cache, logits[-1].copy())
            if len(self._prefills) > self._remembered:
                self._prefills.popitem(last=False)
            cached = 0
        else:
            self._prefills.move_to_end(prompt)
            cached = len(prompt)
        if not job.counted:
            job.counted = True
            piece = Piece(
                draw.index,
                prompt_tokens=len(prompt),
                cached_tokens=cached,
                prompt_logprobs=told,
            )
            _deliver([(job, piece)])
        cache, last = found
        return _Live(job, draw, cache.copy(len(prompt) + limit), last, limit)

    def _step(self) -> list[_Delivery]:
        """Give every live draw one token; what there is to say of it."""
        fresh = [live for live in self._live if live.logits is not None]
        running = [live for live in self._live if live.logits is None]
        rows = [live.logits for live in fresh if live.logits is not None]
        logits = np.stack(rows) if rows else np.empty((0, self._model.shape.vocabulary), np.float32)
        if running:
            decoded = self._model.decode(
                [live.cache for live in running], [live.token for live in running]
            )
            logits = np.concatenate([logits, decoded])
        self._live = fresh + running
        if not self._live:
            return []
        choice = choose(
            logits,
            self._allowed,
            [live.job.work.sampling for live in self._live],
            [live.numbers[live.made] for live in self._live],
        )
        deliveries: list[_Delivery] = []
        kept = []
        for row, live in enumerate(self._live):
            piece = self._advance(live, int(choice.tokens[row]), choice, row)
            deliveries.append((live.job, piece))
            if not piece.finish:
                kept.append(live)
                continue
            live.job.unfinished -= 1
            if not live.job.unfinished:
                deliveries.append((live.job, None))
        self._live = kept
        return deliveries

    def _advance(self, live: _Live, token: int, choice: Choice, row: int) -> Piece:
        live.logits = None
        live.token = token
        live.made += 1
        ended = token == self._end
        last = ended or live.made == len(live.numbers)
        text = live.text.feed(self._tokenizer.token_bytes(token), final=last)
        finish = "stop" if ended or live.text.stopped else "length" if last else ""
        wanted = live.job.work.logprobs
        logprobs: tuple[TokenLogprob, ...] = ()
        if wanted is not None and not ended:
            logprobs = (self._logprob(choice.logprobs[row], token, wanted),)
        return Piece(live.draw.index, text, completion_tokens=1, finish=finish, logprobs=logprobs)

    def _prompt_logprobs(
        self, prompt: Sequence[int], logits: Floats, wanted: int
    ) -> tuple[TokenLogprob, ...]:
        """Of every token of the prompt but the first. A mark, which is never sampled, has
        probability zero and no text."""
        rows = log_probabilities(logits[:-1], self._allowed)
        following = zip(rows, prompt[1:], strict=True)
        return tuple(self._logprob(row, token, wanted) for row, token in following)

    def _logprob(self, logprobs: NDArray[np.float64], token: int, wanted: int) -> TokenLogprob:
        likeliest = np.argsort(-logprobs, kind="stable")[:wanted].tolist()
        top = tuple((self._tokenizer.decode([t]), float(logprobs[t])) for t in likeliest)
        return TokenLogprob(self._tokenizer.decode([token]), float(logprobs[token]), top)


def _deliver(deliveries: Sequence[_Delivery]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Delivery]] = {}
    for job, piece in deliveries:
        if not job.cancelled:
            by_loop.setdefault(job.loop, []).append((job, piece))
    for loop, own in by_loop.items():
        try:
            loop.call_soon_threadsafe(partial(_put, own))
        except RuntimeError:  # that loop was closed: nobody waits there any more
            for job, _ in own:
                job.cancelled = True


def _put(deliveries: Sequence[_Delivery]) -> None:
    for job, piece in deliveries:
        job.pieces.put_nowait(piece)
