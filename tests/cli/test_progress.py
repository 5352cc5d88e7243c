import asyncio
import io

import polyarch
from polyarch.runtime.events import Event
from polyarch.runtime.progress import Progress, shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_it_counts_what_events_tell():
    progress = Progress(2)
    told = [
        Event("started", "a"),
        Event("asked", "a", "s", data={"draws": 4}),
        Event("drew", "a", "s", data={"tokens": 3}),
        Event("drew", "a", "s", data={"tokens": 4, "prompt": 10, "usd": 0.25}),
        Event("asked", "b", "s", data={"draws": 1}),
    ]
    for event in told:
        progress(event)
    assert str(progress) == "0 of 2 questions · 2 calls · 17 tokens · $0.25 · 3 under way"
    progress(Event("ended", "a"))
    assert str(progress) == "1 of 2 questions · 2 calls · 17 tokens · $0.25 · 1 under way"
    progress(Event("failed", "b"))
    assert (progress.done, progress.under_way) == (1, 0)


def test_it_listens_to_a_run():
    text = """
name: x
models: {m: {model: scripted/x, options: {replies: [{texts: ["a", "b"]}]}}}
steps: {drafts: {op: generate, n: 2}, best: {op: select, by: first}}
"""
    text = text.replace("best: {op: select, by: first}", "best: {op: vote}")
    progress = Progress()
    plan = polyarch.loads(text).plan
    with polyarch.Pipeline(plan, listeners=[progress]) as pipe:
        pipe("q")
    assert str(progress).startswith("1 questions · 2 calls · ")
    assert progress.under_way == 0


async def test_a_run_that_takes_a_while_is_shown_on_a_terminal():
    terminal = Terminal()
    async with shown(Progress(3), terminal):
        await asyncio.sleep(1.5)
        assert "0 of 3 questions" in terminal.getvalue()
    assert terminal.getvalue().rstrip().endswith("\x1b[2K") or "\x1b" not in terminal.getvalue()


async def test_a_short_run_is_not_shown():
    terminal = Terminal()
    async with shown(Progress(), terminal):
        await asyncio.sleep(0)
    assert terminal.getvalue() == ""


async def test_what_is_no_terminal_gets_nothing():
    stream = io.StringIO()
    async with shown(Progress(), stream):
        await asyncio.sleep(0)
    assert stream.getvalue() == ""
