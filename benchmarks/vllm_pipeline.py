"""What a pipeline costs on top of vLLM: tokens per second against the bare engine.

    python benchmarks/vllm_pipeline.py [--questions 100] [--rounds 3]

A pipeline of three layers (draw, revise each draw, fuse) runs over the questions on vLLM in this
process. Then the very same prompts and sampling parameters, recorded on the way, go to the same
engine all at once, without polyarch. The engine runs the embedded model's weights; the two take
turns, and the median of the rounds' ratios is told, beside the load of the machine: on a busy one
single ratios say little. The bare engine is favoured: it knows every request from the start, where
a pipeline learns the second layer's from the first.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import local_vllm

from polyarch import loads
from polyarch.backends.base import Backend, Piece, Request
from polyarch.backends.embedded.problems import problems
from polyarch.backends.vllm import open_backend
from polyarch.backends.vllm.backend import VLLM
from polyarch.runtime.session import Session

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


class Recorded(Backend):
    """Hands requests on, keeps them, and counts the tokens of their replies."""

    def __init__(self, inner: VLLM) -> None:
        self.inner = inner
        self.requests: list[Request] = []
        self.tokens = 0

    async def generate(self, request: Request) -> AsyncGenerator[Piece, None]:
        self.requests.append(request)
        async with aclosing(self.inner.generate(request)) as pieces:
            async for piece in pieces:
                self.tokens += piece.completion_tokens
                yield piece

    def prompt_tokens(self, request: Request) -> int:
        return self.inner.prompt_tokens(request)

    async def aclose(self) -> None:
        await self.inner.aclose()


async def bare(engine: VLLM, requests: list[Request]) -> tuple[int, float]:
    """The requests to vLLM itself, all at once: tokens and seconds. Prompts are made before."""
    running = await engine._engine.started()
    made = [
        (await engine._prompts.of(running, r), engine._parameters(r, r.draws, False))
        for r in requests
    ]

    async def one(number: int, prompt: Any, parameters: Any) -> int:
        told = running.llm.generate(prompt, parameters, f"bare-{time.monotonic_ns()}-{number}")
        return sum([len(part.token_ids) async for output in told for part in output.outputs])

    begun = time.perf_counter()
    counts = await asyncio.gather(*[one(k, *ready) for k, ready in enumerate(made)])
    return sum(counts), time.perf_counter() - begun


async def measure(questions: int, rounds: int, folder: Path) -> None:
    options = local_vllm.options(folder)
    plan = loads(PIPELINE.format(options=json.dumps(options))).plan
    stories = [problem.question for problem in problems("demo", questions, seed=11)]
    engine = open_backend("abacus", options)
    assert isinstance(engine, VLLM)
    ratios = []
    for number in range(rounds + 1):
        recorded = Recorded(engine)
        session = Session(plan, backends={"m": recorded})
        begun = time.perf_counter()
        answered = [r async for r in session.map(stories, seed=number, concurrency=questions)]
        seconds = time.perf_counter() - begun
        tokens, least = await bare(engine, recorded.requests)
        if not number:
            continue  # the first round pays for the start
        ours, theirs = recorded.tokens / seconds, tokens / least
        ratios.append(ours / theirs)
        print(
            f"{len(answered)} questions, {len(recorded.requests)} requests: pipeline "
            f"{ours:,.0f} tokens/s, bare engine {theirs:,.0f}, ratio {ours / theirs:.3f} "
            f"(load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)",
            flush=True,
        )
    print(f"median ratio {statistics.median(ratios):.3f}")
    await engine.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description="A pipeline on vLLM against the bare engine.")
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    local_vllm.prepare()
    with local_vllm.checkpoint() as folder:
        asyncio.run(measure(given.questions, given.rounds, folder))


if __name__ == "__main__":
    main()
