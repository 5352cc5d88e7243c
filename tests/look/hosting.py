"""What tests of the page share: a server of scripted pipelines on a thread, and a real browser.

With CI set, a browser that cannot be had fails a test instead of skipping it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import uvicorn
from playwright.sync_api import Browser, sync_playwright
from starlette.types import ASGIApp

import polyarch
from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.pipeline import Pipeline
from polyarch.server.app import Limits, app
from polyarch.server.keys import Keys
from polyarch.server.listen import bound
from polyarch.server.look.routes import OPEN, routes
from polyarch.server.metrics import Metrics
from polyarch.server.pipelines.answers import ServedPipelines
from polyarch.server.pipelines.hosted import Hosted

__all__ = ["QUESTION", "VOTE", "Site", "application", "browsing", "right", "scripted", "served"]

QUESTION = "What is 2 + 2?"

VOTE = """\
name: checked_vote
about: Draw, check every one, let them vote.
source: A paper (2024)
answer: number
models: {solver: {model: scripted/x, price: {prompt: 1, completion: 4}}}
steps:
  drafts: {op: generate, n: 4}
  checked: {op: verify}
  answer: {op: vote, weight: verify}
"""

Reply = Callable[[Request, Draw], "str | Script"]


def right(request: Request, draw: Draw) -> str:
    """Drafts say 4 but for the last, and judges find all right but the last."""
    last = "5" in (request.purpose.shown[0] if request.purpose.shown else "")
    if request.purpose.role == "verify":
        verdict = "wrong" if last else "right"
        return f'{{"reason": "I find it {verdict}.", "verdict": "{verdict}"}}'
    return f"2 + 2 is what it is.\nThe answer is {5 if draw.index == 3 else 4}."


def scripted(text: str, backend: Scripted) -> Pipeline:
    """A pipeline whose every model is this backend."""
    made = polyarch.loads(text).plan
    return Pipeline(made, backends=dict.fromkeys(made.graph.models, backend))


@dataclass(frozen=True)
class Site:
    """A server, and what it answers with."""

    url: str
    hosted: Hosted


def application(hosted: Hosted, keys: Sequence[str] = ()) -> ASGIApp:
    """What `polyarch serve` runs."""
    metrics = Metrics()
    served = ServedPipelines(hosted, metrics)
    limits = Limits(running=8, waiting=8)
    return app(served, Keys(keys), metrics, limits, routes=routes(hosted), opened=OPEN)


@contextmanager
def served(*pipelines: Pipeline, keys: Sequence[str] = ()) -> Iterator[Site]:
    """A server on a thread of its own, until the end of the block."""
    hosted = Hosted(pipelines)
    config = uvicorn.Config(
        application(hosted, keys), log_level="warning", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    with bound("127.0.0.1", 0) as listening:
        thread = threading.Thread(
            target=lambda: asyncio.run(server.serve(sockets=[listening])), daemon=True
        )
        thread.start()
        try:
            yield Site(f"http://127.0.0.1:{listening.getsockname()[1]}", hosted)
        finally:
            server.should_exit = True
            thread.join(20)
    assert not thread.is_alive()


@contextmanager
def browsing() -> Iterator[Browser]:
    """A Chromium without a window. Closed at the end of the block, event loop and all."""
    found = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if found is None:
        why = "no chromium is installed: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    with sync_playwright() as playwright:
        # Root has no sandbox of Chromium's; what is opened is our own.
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
