"""Replies that are read while they are written: `Context.stream`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sim import compiled
from stubs import streamed

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.errors import BudgetExhausted, ServerFailed, StepFailed
from polyarch.compiler.op import All, Asking, Context, Flow, Stream
from polyarch.compiler.values import Candidate, Message, Purpose
from polyarch.runtime.cache import Cache
from polyarch.runtime.result import Result
from polyarch.runtime.session import Session
from polyarch.runtime.store import Store
from polyarch.runtime.virtual import run

TEXT = """
name: p
models:
  m: {model: scripted/x, price: {prompt: 1, completion: 1}, retries: 1%s}
answer: text
budget: {%s}
steps:
  drafts: {op: generate, n: 2}
  answer: {op: fuse}
"""


class Reader(Asking, All):
    """Reads a reply in parts, as far as `most` of them."""

    heard: ClassVar[list[tuple[float, str]]] = []
    most: int = 100

    def flow(self, given: Flow) -> Flow:
        return given.with_count(1, 1)

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        await given.all()
        purpose = Purpose("solve", ctx.question.text)
        now = asyncio.get_running_loop().time
        self.heard.clear()
        async with ctx.stream(self, (Message("user", "Go on."),), purpose, 0) as writing:
            async for part in writing:
                self.heard.append((now(), part))
                if len(self.heard) == self.most:
                    break
            else:
                yield ctx.candidate(writing.reply, index=0)
                return
        yield ctx.candidate(
            (await ctx.sample(self, ctx.question.messages, purpose, range(1, 2)))[0], index=0
        )


def read(
    reply: Callable[[Request, Draw], str | Script],
    *,
    most: int = 100,
    budget: str = "",
    model: str = "",
    stores: tuple[Store, ...] = (),
) -> tuple[Result, Scripted]:
    """Two drafts and then a reply that is read in parts."""
    made = compiled(TEXT % (model, budget))
    node = made.graph.nodes["answer"]
    reader = Reader.model_validate(
        {**node.op.model_dump(include={*Asking.model_fields}), "most": most}
    )
    object.__setattr__(node, "op", reader)
    backend = Scripted(
        lambda request, draw: "draft" if request.step == "drafts" else reply(request, draw),
        repeatable=True,
    )

    async def main() -> Result:
        async with Session(made, backends={"m": backend}, stores=stores) as session:
            result = await session.ask("How much?", id="q")
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert backend.log.under_way == 0
        return result

    return run(main()), backend


def test_parts_come_as_they_are_written() -> None:
    result, _ = read(lambda request, draw: streamed("a", 1.0, "b", 0.5, "c", 2.0))
    assert Reader.heard == [(0.0, "a"), (1.0, "b"), (1.5, "c")]
    assert str(result) == "abc"
    assert result.seconds == 3.5
    assert result.usage.calls == 3


def test_leaving_before_the_end_cancels_the_request_and_charges_it() -> None:
    replies: list[Any] = [streamed("aaaa", 1.0, "bbbb", 9.0, "c"), "whole"]
    result, backend = read(lambda request, draw: replies.pop(0), most=2)
    assert str(result) == "whole"
    assert backend.log.cancelled == 1
    assert result.seconds == 1.0
    assert result.usage.calls == 4


def test_it_is_asked_again_only_before_the_first_part() -> None:
    replies: list[Any] = [Script(fault=ServerFailed("busy")), streamed("a", "b")]
    result, _ = read(lambda request, draw: replies.pop(0))
    assert str(result) == "ab"
    broken: list[Any] = [streamed("a", fault=ServerFailed("gone")), streamed("a", "b")]
    with pytest.raises(StepFailed, match="gone"):
        read(lambda request, draw: broken.pop(0))
    assert len(broken) == 1


def test_it_is_not_hedged() -> None:
    result, backend = read(lambda request, draw: streamed("a", 5.0, "b"), model=", hedge_after: 1")
    assert str(result) == "ab"
    assert backend.log.requests == 2


def test_a_budget_ends_it() -> None:
    with pytest.raises(BudgetExhausted, match="no answer within 3 seconds"):
        read(lambda request, draw: streamed("a", 5.0, "b"), budget="seconds: 3")
    with pytest.raises(BudgetExhausted, match="may need 1 calls"):
        read(lambda request, draw: "x", budget="calls: 3", most=1)


def test_a_reply_that_was_kept_comes_whole_and_at_once(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    try:
        stores = (Store(cache),)
        first, _ = read(lambda request, draw: streamed("a", 1.0, "b"), stores=stores)
        heard = list(Reader.heard)
        second, backend = read(lambda request, draw: streamed("x"), stores=stores)
    finally:
        cache.close()
    assert heard == [(0.0, "a"), (1.0, "b")]
    assert Reader.heard == [(0.0, "ab")]
    assert str(first) == str(second) == "ab"
    assert backend.log.asked == 0
    assert second.usage.hits == 3
