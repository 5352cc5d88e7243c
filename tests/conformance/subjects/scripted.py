"""A script that shows every capability there is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from conformance.subject import Opened, Subject

from polyarch.backends.base import Draw, Request, TokenLogprob
from polyarch.backends.scripted import Script, Scripted, info
from polyarch.compiler.values import ToolCall

__all__ = ["ENDLESS", "SUBJECTS", "reply"]

ENDLESS = "Count to the end of all numbers."
_SAID = "Ann has twice as many, that is 24. She gives away 7, so 17 are left."


def reply(request: Request, draw: Draw) -> Script:
    """What a perfect model would say."""
    if request.wants != "text":
        length = 1 if request.wants == "reward" else 8
        dice = Random(request.messages[-1].text)
        return Script(values=tuple(dice.random() for _ in range(length)))
    if request.tools:
        return Script(calls=(ToolCall("c1", request.tools[0].name, '{"city": "Oslo"}'),))
    text = _text(request, draw)
    return Script(
        text.removeprefix(request.prefix),
        latency=3600.0 if request.purpose.question == ENDLESS else 0.0,
        reasoning="Let me see." if request.thinking else "",
        logprobs=_logprobs(text, request.logprobs),
        prompt_logprobs=_logprobs(request.messages[-1].text, request.prompt_logprobs)[1:],
    )


def _text(request: Request, draw: Draw) -> str:
    if request.choice:
        return Random(draw.seed).choice(request.choice)
    if request.regex:
        return "123-45"
    if request.grammar:
        return "yes"
    if request.schema is not None:
        return json.dumps({"verdict": "right"})
    return _SAID if request.temperature == 0 else f"{_SAID} It is {draw.seed}, surely."


def _logprobs(text: str, wanted: int | None) -> tuple[TokenLogprob, ...]:
    """As many tokens of four characters as a script counts; the last may be longer."""
    if wanted is None:
        return ()
    starts = range(0, max(1, len(text) // 4 * 4), 4)
    parts = [text[at : at + 4] for at in starts[:-1]] + [text[starts[-1] :]]
    others = tuple((f"other {k}", -2.0 - k) for k in range(wanted - 1))
    return tuple(
        TokenLogprob(part, -0.5, ((part, -0.5), *others) if wanted else ()) for part in parts
    )


@asynccontextmanager
async def _opened() -> AsyncIterator[Opened]:
    backend = Scripted(reply)
    yield Opened(backend, busy=lambda: backend.log.under_way)


SUBJECTS = (
    Subject(
        "scripted",
        "x",
        info("x", {}),
        _opened,
        endless=ENDLESS,
        bounded=False,
        counts_prompt=False,
    ),
)
