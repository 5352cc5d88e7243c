"""The adapter: requests of the runtime to the engine, and its outputs back as pieces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from functools import cached_property
from pathlib import Path
from typing import Any

from ...compiler.errors import BackendError
from ..base import Backend, Draw, Piece, Request, refuse_unoffered
from .arguments import arguments
from .engine import Engine, Running
from .faults import Faults
from .files import state_of
from .options import Options
from .prompts import Prompts
from .reading import Reading, reward
from .sampling import guides, is_greedy, sampling

__all__ = ["VLLM"]


class VLLM(Backend):
    """A model in an engine of vLLM's inside this process.

    Closing the generator of a request takes its draws out of the batch.
    """

    def __init__(self, model: str, options: Options) -> None:
        self._model = model
        self._options = options
        self._faults = Faults(model)
        self._prompts = Prompts(options, self._faults)
        self._engine = Engine(model, arguments(model, options), tuple(options.engine))
        self._engine.enter()
        self._open = True

    def join(self, others: Iterable[Backend]) -> None:
        """Share the engine of the first that was made for an equal one."""
        for other in others:
            if isinstance(other, VLLM) and other._engine.arguments == self._engine.arguments:
                self._engine = other._engine
                self._engine.enter()
                return

    @cached_property
    def revision(self) -> str:
        """The state of the model's files and of the adapter's: what others said is not kept for
        these."""
        options = self._options
        states = [state_of(options.path or self._model, options.revision)]
        if options.adapter:
            states.append(state_of(options.loras[options.adapter]))
        return " ".join(filter(None, states))

    def generate(self, request: Request) -> AsyncGenerator[Piece, None]:
        """Answer piece by piece. Raises `BadRequest` for what the engine was not started for,
        `TooLong` for a prompt that leaves no room, and `Unreachable` if its process dies."""
        refuse_unoffered(f"vllm/{self._model}", self._options.offers, request)
        if request.wants == "text" and self._options.task != "generate":
            raise self._faults.refused(f"is started for task {self._options.task}, not for texts")
        return self._texts(request) if request.wants == "text" else self._values(request)

    def prompt_tokens(self, request: Request) -> int:
        """The tokens of the prompt, counted; an upper bound by bytes until the engine runs."""
        running = self._engine.running
        if running is None:
            return super().prompt_tokens(request) + len(request.prefix.encode()) + _TEMPLATE
        return self._prompts.count(running.llm, request)

    async def waiting(self) -> int | None:
        """How many draws wait for room in the batch; None before the engine runs."""
        running = self._engine.running
        return None if running is None else int(running.queue.waiting)

    async def aclose(self) -> None:
        """Leave the engine; its process ends with the last model that uses it. Idempotent."""
        if self._open:
            self._open = False
            await self._engine.leave()

    async def _texts(self, request: Request) -> AsyncGenerator[Piece, None]:
        running = await self._engine.started()
        prompt = await self._prompts.of(running, request)
        if len(request.draws) == 1 or not self._is_split(request):
            pieces = self._sampled(running, request, prompt, request.draws, billed=False)
        else:
            pieces = self._apart(running, request, prompt)
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece

    def _is_split(self, request: Request) -> bool:
        """Whether draws are asked for one by one: each with its own seed; or the likeliest, which
        vLLM gives once a request; or with the prompt's probabilities, which are wanted once."""
        own_seeds, prompt = self._options.seed, request.prompt_logprobs is not None
        return own_seeds or prompt or is_greedy(request)

    async def _sampled(
        self,
        running: Running,
        request: Request,
        prompt: Any,
        draws: tuple[Draw, ...],
        *,
        billed: bool,
    ) -> AsyncGenerator[Piece, None]:
        """One request to the engine."""
        reading = Reading(draws, request.logprobs, self._faults, billed=billed)
        try:
            outputs = running.llm.generate(
                prompt,
                self._parameters(request, draws, billed),
                self._engine.number(),
                lora_request=self._lora(),
            )
            async with aclosing(outputs):
                async for output in outputs:
                    for piece in reading.pieces(output, request.prompt_logprobs):
                        yield piece
        except BackendError:
            raise
        except Exception as error:
            raise self._faults.of(error) from error

    async def _apart(
        self, running: Running, request: Request, prompt: Any
    ) -> AsyncGenerator[Piece, None]:
        """A request to the engine for each draw, all at once; their prompt is charged once."""
        told: asyncio.Queue[Piece | asyncio.Task[None]] = asyncio.Queue()

        async def collect(draw: Draw, billed: bool) -> None:
            async with aclosing(
                self._sampled(running, request, prompt, (draw,), billed=billed)
            ) as pieces:
                async for piece in pieces:
                    told.put_nowait(piece)

        tasks = [asyncio.create_task(collect(d, i > 0)) for i, d in enumerate(request.draws)]
        for task in tasks:
            task.add_done_callback(told.put_nowait)
        left = len(tasks)
        try:
            while left:
                got = await told.get()
                if isinstance(got, asyncio.Task):
                    got.result()
                    left -= 1
                else:
                    yield got
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _values(self, request: Request) -> AsyncGenerator[Piece, None]:
        """A reward or an embedding."""
        running = await self._engine.started()
        prompt = await self._prompts.of(running, request)
        (draw,) = request.draws
        try:
            parameters = await self._pooling(running)
            outputs = running.llm.encode(prompt, parameters, self._engine.number())
            async with aclosing(outputs):
                async for output in outputs:
                    data = output.outputs.data.tolist()
                    tokens, cached = len(output.prompt_token_ids), output.num_cached_tokens or 0
        except BackendError:
            raise
        except Exception as error:
            raise self._faults.of(error) from error
        yield Piece(draw.index, "", tokens, cached, finish="stop", values=self._read(data))

    def _read(self, data: list[Any]) -> tuple[float, ...]:
        if self._options.task == "embedding":
            return tuple(map(float, data))
        score = reward(data)
        if score is None:
            raise self._faults.refused("gives several numbers where a reward is one")
        return (score,)

    async def _pooling(self, running: Running) -> Any:
        from vllm import PoolingParams

        if self._options.task == "embedding":
            return PoolingParams(task="embed")
        offered = await running.llm.get_supported_tasks()
        for task in ("classify", "token_classify"):
            if task in offered:
                return PoolingParams(task=task, use_activation=False)
        raise self._faults.refused(f"is no reward model: it can {', '.join(offered)}")

    def _parameters(self, request: Request, draws: tuple[Draw, ...], billed: bool) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        fields = sampling(request, draws, self._options.seed)
        if billed:
            fields.pop("prompt_logprobs", None)
        if guided := guides(request):
            fields["structured_outputs"] = StructuredOutputsParams(**guided)
        return SamplingParams(**fields, output_kind=RequestOutputKind.DELTA)

    def _lora(self) -> Any:
        options = self._options
        if not options.adapter:
            return None
        from vllm.lora.request import LoRARequest

        number = 1 + sorted(options.loras).index(options.adapter)
        folder = Path(options.loras[options.adapter]).expanduser()
        return LoRARequest(options.adapter, number, str(folder))


_TEMPLATE = 256
"""Tokens that a chat template may add by itself."""
