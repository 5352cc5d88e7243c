"""Prompt tokens sent and computed for critique, rank and fuse over 8 candidates, by layout.

    python benchmarks/prefix.py [--questions 20] [--question-chars 600] [--answer-chars 800]
    python benchmarks/prefix.py --url http://127.0.0.1:8000/v1 --model NAME

Replies are scripted, so both layouts send the same texts. What would be computed is counted by an
exact prefix cache of unlimited size, in blocks of 16 tokens, a token being a byte. With `--url`
every request also goes to a vLLM server, at the same time as the pipeline sends it and for one
token, and the counters at its /metrics tell what it found in its cache. Each layout asks other
questions, so that neither finds what the other left.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import re
import urllib.request
from collections.abc import AsyncGenerator
from dataclasses import replace
from random import Random

import polyarch
from polyarch.backends.base import Backend, Draw, Piece, Request
from polyarch.backends.openai import open_backend
from polyarch.backends.scripted import Scripted
from polyarch.pipeline import Pipeline

BLOCK = 16
LAYOUTS = ("written", "prefix")
COUNTERS = ("prompt_tokens_total", "prefix_cache_queries_total", "prefix_cache_hits_total")

PIPELINES = {
    "critique, rank, fuse": """
  drafts: {op: generate, n: 8}
  criticised: {op: critique}
  best: {op: rank, keep: 4}
  answer: {op: fuse}""",
    "critique, verify, rank, fuse": """
  drafts: {op: generate, n: 8}
  criticised: {op: critique}
  checked: {op: verify}
  best: {op: rank, keep: 4}
  answer: {op: fuse}""",
    "two rankers of all pairs": """
  drafts: {op: generate, n: 8}
  best: {op: rank, method: pairwise, keep: 4}
  answer: {op: rank, method: pairwise}""",
}


class Cache:
    """A prefix cache without end: a block is known by everything up to its last token."""

    def __init__(self) -> None:
        self.blocks: set[bytes] = set()
        self.sent = 0
        self.computed = 0

    def ask(self, prompt: bytes) -> None:
        """Count one prompt. Its last token is always computed, as it gives the next one."""
        found, known, digest = 0, True, hashlib.sha256()
        for start in range(0, len(prompt) - BLOCK + 1, BLOCK):
            digest.update(prompt[start : start + BLOCK])
            key = digest.digest()
            known = known and key in self.blocks
            found += BLOCK * known
            self.blocks.add(key)
        self.sent += len(prompt)
        self.computed += len(prompt) - min(found, (len(prompt) - 1) // BLOCK * BLOCK)


class Asked(Backend):
    """Scripted replies; every request is counted, or sent to a server for one token."""

    def __init__(self, scripted: Backend, cache: Cache, server: Backend | None) -> None:
        self.scripted, self.cache, self.server = scripted, cache, server

    async def generate(self, request: Request) -> AsyncGenerator[Piece, None]:
        """The scripted replies, after the server has answered."""
        turns = [f"<|{message.role}|>\n{message.text}\n" for message in request.messages]
        self.cache.ask(("".join(turns) + "<|assistant|>\n").encode())
        if self.server is not None:
            async for _ in self.server.generate(replace(request, max_tokens=1, schema=None)):
                pass
        async for piece in self.scripted.generate(request):
            yield piece

    async def aclose(self) -> None:
        """Close the server's connections."""
        if self.server is not None:
            await self.server.aclose()


def words(random: Random, length: int) -> str:
    return " ".join(f"{random.getrandbits(32):x}" for _ in range(length // 8 + 1))[:length]


def replies(request: Request, draw: Draw, answer: int) -> str:
    """A reply that can be read, its length decided by the request."""
    text = words(Random(f"{request.purpose} {draw.number}"), answer)
    match request.purpose.role:
        case "critique":
            return json.dumps({"critique": text[: answer // 2]})
        case "verify":
            return json.dumps({"reason": text[: answer // 2], "verdict": "right"})
        case "rank":
            return json.dumps({"ranking": list(range(1, len(request.purpose.shown) + 1))})
        case "compare":
            return json.dumps({"reason": text[: answer // 2], "better": "first"})
    return text


def metrics(url: str) -> dict[str, float]:
    """vLLM's counters, summed over its engines."""
    with urllib.request.urlopen(f"{url.removesuffix('/v1')}/metrics", timeout=10) as told:
        text = told.read().decode()
    return {
        name: sum(float(v) for v in re.findall(rf"^vllm:{name}(?:{{.*}})? (\S+)$", text, re.M))
        for name in COUNTERS
    }


async def measure(steps: str, layout: str, options: argparse.Namespace) -> dict[str, float]:
    text = f"name: bench\nlayout: {layout}\nmodels: {{m: {{model: scripted/m, max_tokens: 1000}}}}"
    plan = polyarch.loads(f"{text}\nsteps:{steps}").plan
    cache = Cache()
    scripted = Scripted(lambda request, draw: replies(request, draw, options.answer_chars))
    server = None
    if options.url:
        server = open_backend(options.model, {"base_url": options.url})
    backend = Asked(scripted, cache, server)
    random = Random(f"{layout} {steps}")
    before = metrics(options.url) if options.url else {}
    pipeline = Pipeline(plan, backends={"m": backend})
    for _ in range(options.questions):
        await pipeline.acall(words(random, options.question_chars))
    await pipeline.aclose()
    await backend.aclose()
    told = {"sent": cache.sent, "computed": cache.computed}
    estimate = [
        sum(getattr(share, what) for share in plan.sharing.values())
        for what in ("sent", "computed")
    ]
    told["estimated share"] = estimate[1] / estimate[0]
    if options.url:
        after = metrics(options.url)
        sent, queried, hit = (after[name] - before[name] for name in COUNTERS)
        told |= {"vllm sent": sent, "vllm queried": queried, "vllm computed": queried - hit}
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--question-chars", type=int, default=600)
    parser.add_argument("--answer-chars", type=int, default=800)
    parser.add_argument("--url", help="a vLLM server, up to and with /v1")
    parser.add_argument("--model", default="model", help="the model's name there")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    told = {
        name: {layout: asyncio.run(measure(steps, layout, options)) for layout in LAYOUTS}
        for name, steps in PIPELINES.items()
    }
    if options.json:
        print(json.dumps(told))
        return
    for name, by_layout in told.items():
        print(name)
        for layout, row in by_layout.items():
            counts = (f"{what} {n:,.0f}" for what, n in row.items() if "share" not in what)
            share = row["computed"] / row["sent"]
            print(f"  {layout:8} computed {share:.1%} of what is sent:", *counts, sep="  ")


if __name__ == "__main__":
    main()
