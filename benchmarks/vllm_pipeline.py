"""What a pipeline costs on top of vLLM: tokens per second against the bare engine.

    python benchmarks/vllm_pipeline.py [--questions 60] [--rounds 5]

A pipeline of three layers (draw, revise each draw, fuse) runs over the questions on vLLM in this
process. The very same messages and sampling parameters, recorded on the way, then go to the
same engine all at once, without polyarch. The two take turns, the first round is left out, and the
engine's prefix cache is emptied before each run.

Told of each run: tokens per second, and what a busy machine does not change: the engine's steps,
the mean number of draws in one, and the processor time of this process (the engine has its own). As
many draws in a step as the bare engine has means that the engine was kept as busy. The bare engine
is favoured: it knows every request from the start, where a pipeline learns the second layer's from
the first.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import local_vllm

from polyarch import loads
from polyarch.backends.base import Backend, Piece, Request
from polyarch.backends.embedded.problems import problems
from polyarch.backends.vllm import open_backend
from polyarch.backends.vllm.backend import VLLM
from polyarch.backends.vllm.engine import Running
from polyarch.compiler.plan import Plan
from polyarch.runtime.session import Session

BATCH = 64
"""Draws in a step at most: there are many times as many, so that the ends of runs weigh little."""

PIPELINE = """
name: three_layers
answer: number
models: {{m: {{model: vllm/abacus, concurrency: 1024, options: {options}}}}}
steps:
  drafts: {{op: generate, n: 4, temperature: 0.8, max_tokens: 96}}
  better:
    op: refine
    temperature: 0.8
    max_tokens: 96
    prompt: "<fuse> {{question}}<given>{{candidate}}"
  answer:
    op: fuse
    temperature: 0.8
    max_tokens: 96
    prompt: "<fuse> {{question}}{{candidates}}"
"""


@dataclass(frozen=True)
class Run:
    """What was measured of one run."""

    tokens: int
    seconds: float
    processor: float
    steps: int

    @property
    def rate(self) -> float:
        """Tokens per second."""
        return self.tokens / self.seconds

    @property
    def batch(self) -> float:
        """Draws in a step of the engine, on average."""
        return self.tokens / self.steps

    @property
    def cost(self) -> float:
        """Microseconds of this process's processor time for a token."""
        return 1e6 * self.processor / self.tokens


class Meter:
    """Counts the engine's steps and tokens between two looks, by its own statistics."""

    def __init__(self, running: Running) -> None:
        self._llm = running.llm
        self._record = running.queue.record
        self._steps = self._tokens = 0
        running.queue.record = self._count  # type: ignore[method-assign]

    def _count(self, scheduler: Any, iteration: Any, *others: Any, **more: Any) -> None:
        self._record(scheduler, iteration, *others, **more)
        if iteration is not None and iteration.num_generation_tokens:
            self._steps += 1
            self._tokens += iteration.num_generation_tokens

    async def begin(self) -> Callable[[], Run]:
        """Begin a run with an empty cache; call what comes back at its end."""
        assert await self._llm.reset_prefix_cache()
        self._steps = self._tokens = 0
        seconds, processor = time.perf_counter(), time.process_time()
        return lambda: Run(
            self._tokens,
            time.perf_counter() - seconds,
            time.process_time() - processor,
            self._steps,
        )


class Recorded(Backend):
    """Hands requests on, and keeps them."""

    def __init__(self, inner: VLLM) -> None:
        self.inner = inner
        self.requests: list[Request] = []

    def generate(self, request: Request) -> AsyncGenerator[Piece, None]:
        self.requests.append(request)
        return self.inner.generate(request)

    def prompt_tokens(self, request: Request) -> int:
        return self.inner.prompt_tokens(request)

    async def aclose(self) -> None:
        """The engine stays."""


async def piped(plan: Plan, recorded: Recorded, stories: list[str], seed: int) -> int:
    """The questions through the pipeline, all at once; how many were answered."""
    session = Session(plan, backends={"m": recorded})
    async with aclosing(session.map(stories, seed=seed, concurrency=len(stories))) as results:
        answered = [result async for result in results]
    await session.aclose()
    return len(answered)


async def bare(engine: VLLM, requests: Sequence[Request]) -> None:
    """The requests to vLLM itself, all at once; it makes its prompts out of the messages, too."""
    from vllm import SamplingParams
    from vllm.renderers import ChatParams
    from vllm.sampling_params import RequestOutputKind

    running = await engine._engine.started()
    params = ChatParams(chat_template_kwargs={"add_generation_prompt": True})

    async def one(number: int, request: Request) -> None:
        messages = [{"role": m.role, "content": m.text} for m in request.messages]
        _, (prompt,) = await running.llm.renderer.render_chat_async([messages], params)
        parameters = SamplingParams(
            n=len(request.draws),
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            top_p=request.top_p,
            output_kind=RequestOutputKind.DELTA,
        )
        name = f"bare-{time.monotonic_ns()}-{number}"
        async for _ in running.llm.generate(prompt, parameters, name):
            pass

    await asyncio.gather(*[one(number, each) for number, each in enumerate(requests)])


async def measure(questions: int, rounds: int, folder: Path) -> None:
    options = local_vllm.options(folder, engine={"max_num_seqs": BATCH})
    plan = loads(PIPELINE.format(options=json.dumps(options))).plan
    stories = [problem.question for problem in problems("demo", questions, seed=11)]
    engine = open_backend("abacus", options)
    assert isinstance(engine, VLLM)
    running = await engine._engine.started()
    meter = Meter(running)
    ours, theirs = [], []
    for number in range(rounds + 1):
        recorded = Recorded(engine)
        end = await meter.begin()
        assert await piped(plan, recorded, stories, number) == questions
        ours.append(end())
        end = await meter.begin()
        await bare(engine, recorded.requests)
        theirs.append(end())
        told(f"round {number}" if number else "warm-up", ours[-1], theirs[-1])
    await engine.aclose()
    print(f"median of {rounds} rounds, least and most:")
    for what in ("rate", "batch", "cost", "steps"):
        ratios = [
            getattr(a, what) / getattr(b, what) for a, b in zip(ours[1:], theirs[1:], strict=True)
        ]
        print(
            f"  pipeline / bare, {what}: {statistics.median(ratios):.3f} "
            f"({min(ratios):.3f} to {max(ratios):.3f})"
        )


def told(name: str, *runs: Run) -> None:
    """Print a round."""
    shown = " | ".join(
        f"{run.rate:,.0f} tokens/s, {run.steps} steps of {run.batch:.1f}, {run.cost:.0f} us/token"
        for run in runs
    )
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    print(f"{name}: pipeline {shown} bare ({load})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="A pipeline on vLLM against the bare engine.")
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    local_vllm.prepare()
    with local_vllm.checkpoint() as folder:
        asyncio.run(measure(given.questions, given.rounds, folder))


if __name__ == "__main__":
    main()
