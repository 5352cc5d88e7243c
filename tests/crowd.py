"""Many clients at once, each asking again as soon as it has its answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

DRAFTS, PARTS = 3, 5
TEXT = "".join(f"part {number} of the answer; " for number in range(PARTS))


def pipeline(latency: float) -> str:
    """Three drafts, each after so many seconds, and a fused answer, written in as much time."""
    return f"""
name: crowd
models:
  m:
    model: scripted/x
    options:
      latency: {latency}
      replies:
        - {{role: fuse, texts: ["{TEXT}"], cycle: true}}
        - {{texts: [one, two, three], cycle: true}}
steps: {{drafts: {{op: generate, n: {DRAFTS}}}, fused: {{op: fuse}}}}
"""


@dataclass
class Crowd:
    """What became of the requests. Times are in seconds."""

    answered: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)


async def crowd(url: str, clients: int, more: Callable[[int], bool]) -> Crowd:
    """Have so many clients stream answers of the pipeline `crowd`; each asks once more as long as
    `more` of the requests so far says so."""
    outcome, asked = Crowd(), 0
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=120)

    async def one(session: aiohttp.ClientSession) -> None:
        nonlocal asked
        while more(asked):
            number, asked = asked, asked + 1
            began = time.perf_counter()
            try:
                wrong = await _ask(session, url, number)
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                wrong = f"{type(error).__name__}: {error}"
            outcome.took.append(time.perf_counter() - began)
            if wrong:
                outcome.errors[wrong] += 1
            else:
                outcome.answered += 1

    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        await asyncio.gather(*(one(session) for _ in range(clients)))
    return outcome


async def _ask(session: aiohttp.ClientSession, url: str, number: int) -> str:
    """Ask one question; what is wrong with the answer, "" if nothing."""
    chat = [{"role": "user", "content": f"Question {number}?"}]
    body = {"model": "crowd", "messages": chat, "stream": True}
    said, calls, done = "", 0, False
    async with session.post(f"{url}/chat/completions", json=body) as reply:
        if reply.status != 200:
            return f"status {reply.status}"
        async for line in reply.content:
            if line.startswith(b"data: {"):
                chunk = json.loads(line[6:])
                if "error" in chunk:
                    return str(chunk["error"]["message"])
                said += "".join(c["delta"].get("content", "") for c in chunk["choices"])
                calls = chunk.get("polyarch", {}).get("calls", calls)
            done = done or line.startswith(b"data: [DONE]")
    if (said, calls, done) != (TEXT, DRAFTS + 1, True):
        return f"not the answer: {said!r}, {calls} calls, {'ended' if done else 'not ended'}"
    return ""
