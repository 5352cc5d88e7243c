"""The OpenAPI description is true: whatever it allows, and what it does not, is answered by one of
the replies that it tells of, and nothing is a fault of the server's."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from hosting import pipeline
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from polyarch.backends.scripted import Scripted
from polyarch.server.app import Limits, app
from polyarch.server.keys import Keys
from polyarch.server.listen import bound
from polyarch.server.metrics import Metrics
from polyarch.server.pipelines.answers import ServedPipelines
from polyarch.server.pipelines.hosted import Hosted

KEPT = """
name: p
models: {m: scripted/x}
steps: {drafts: {op: generate, n: 2}}
output: {from: drafts, keep: 2}
"""
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def serving() -> Iterator[str]:
    """The API in a thread of its own."""
    metrics = Metrics()
    hosted = Hosted([pipeline(KEPT, Scripted(lambda *_: "4"))])
    made = app(ServedPipelines(hosted, metrics), Keys(), metrics, Limits(64, 64))
    server = _Server(uvicorn.Config(made, log_config=None, lifespan="on"))
    with bound("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def answerable(body: dict[str, Any]) -> dict[str, Any]:
    """The body with what no description can say made right: it gets as far as the pipeline."""
    body = {**body, "model": "p", "n": 2, "response_format": None}
    options = body.get("stream_options")
    if not body.get("stream"):
        body["stream_options"] = None
    elif isinstance(options, dict):
        body["stream_options"] = {**options, "continuous_usage_stats": False}
    if isinstance(body.get("messages"), list):
        body["messages"] = [{"role": "user", "content": "2 + 2?"}]
    elif isinstance(body.get("prompt"), str):
        body["prompt"] += "2 + 2?"
    if isinstance(body.get("polyarch"), dict):
        body["polyarch"] = {**body["polyarch"], "record": None, "budget": None}
    return body


def ask(operation: Any, mode: GenerationMode, url: str, answered: Counter[str]) -> None:
    """Try an operation; count the statuses that it was answered with."""

    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case: schemathesis.Case) -> None:
        if isinstance(case.body, dict) and len(json.dumps(case.body, default=str)) % 2:
            case.body = answerable(case.body)
        reply = case.call(base_url=url)
        case.validate_response(reply, checks=CHECKS)
        answered[f"{operation.label} {reply.status_code}"] += 1

    one()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_nothing_that_is_sent_is_a_fault_of_the_server(mode: GenerationMode) -> None:
    with serving() as url:
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
        answered: Counter[str] = Counter()
        for found in schema.get_all_operations():
            operation = found.ok()
            # What takes nothing cannot be sent anything wrong.
            if mode is GenerationMode.POSITIVE or operation.method == "post":
                ask(operation, mode, url, answered)
        assert httpx.get(f"{url}/ready").status_code == 200
    for path in ("/v1/chat/completions", "/v1/completions"):
        assert answered[f"POST {path} {400 if mode is GenerationMode.NEGATIVE else 200}"]
