"""Spans by the GenAI conventions, as an in-memory exporter receives them."""

from __future__ import annotations

import gzip
import json
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sim import compiled, jitter, simulate, steady

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.errors import MissingPackage, PolyarchError, ServerFailed
from polyarch.runtime.events import Event
from polyarch.runtime.trace.otel import Spans, send
from polyarch.runtime.trace.read import read
from polyarch.runtime.trace.write import TraceWriter

sdk = pytest.importorskip(
    "opentelemetry.sdk.trace",
    reason="needs pip install opentelemetry-api==1.45.2 opentelemetry-sdk==1.45.2",
)
export = pytest.importorskip("opentelemetry.sdk.trace.export")
memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")

TEXT = """\
name: checked_vote
answer: number
models:
  m: {model: scripted/x, price: {prompt: 1, completion: 4}, options: {draws: 4}}
  j: {model: scripted/y, retries: 1}
steps:
  drafts: {op: generate, model: m, n: 4}
  checked: {op: verify, model: j}
  answer: {op: vote, weight: verify}
"""
MODELS = {"m": "openai/gpt-x", "j": "litellm/mistral/large"}


def spans(reply: Any = steady, text: str = TEXT, **options: Any) -> list[Any]:
    exporter = memory.InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    listener = Spans(MODELS, provider=provider, began=1000.0, **options)
    plan = compiled(text)
    backends = {name: Scripted(reply, latency=jitter(3)) for name in plan.graph.models}
    with suppress(PolyarchError):
        simulate(plan, backends, seed=2, listeners=[listener])
    listener.close()
    return list(exporter.get_finished_spans())


def test_one_span_a_question_a_step_and_a_request() -> None:
    made = spans()
    names = sorted(span.name for span in made)
    assert names == [
        *["chat gpt-x"],
        *["chat large"] * 4,
        "invoke_workflow checked_vote",
        "step answer",
        "step checked",
        "step drafts",
    ]
    by_id = {span.context.span_id: span for span in made}
    for span in made:
        parent = by_id[span.parent.span_id].name if span.parent else ""
        kind = span.name.split()[0]
        assert parent.split()[:1] == {
            "chat": ["step"],
            "step": ["invoke_workflow"],
            "invoke_workflow": [],
        }.get(kind)
    assert len({span.context.trace_id for span in made}) == 1


def test_requests_follow_the_conventions() -> None:
    (drafts,) = [span for span in spans() if span.name == "chat gpt-x"]
    told = dict(drafts.attributes)
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.provider.name"] == "openai"
    assert told["gen_ai.request.model"] == told["gen_ai.response.model"] == "gpt-x"
    assert told["gen_ai.request.choice.count"] == 4
    assert told["gen_ai.response.finish_reasons"] == ("stop",) * 4
    assert told["gen_ai.usage.input_tokens"] == len("What is 2 + 2?") // 4
    assert told["gen_ai.usage.output_tokens"] == 4 * (len("the answer is 4") // 4)
    assert told["polyarch.role"] == "solve"
    assert drafts.kind.name == "CLIENT"
    assert "the answer" not in str(told)
    judged = next(span for span in spans() if span.name == "chat large")
    assert judged.attributes["gen_ai.provider.name"] == "mistral_ai"


def test_names_are_those_of_the_conventions() -> None:
    conventions = pytest.importorskip(
        "opentelemetry.semconv._incubating.attributes.gen_ai_attributes"
    )
    known = {value for value in vars(conventions).values() if isinstance(value, str)}
    used = {key for span in spans(texts=True) for key in span.attributes}
    assert {key for key in used if key.startswith("gen_ai.")} <= known
    assert {key.split(".")[0] for key in used} == {"gen_ai", "polyarch"}


def test_times_are_the_events_times() -> None:
    made = {span.name: span for span in spans()}
    question = made["invoke_workflow checked_vote"]
    assert question.start_time == 1000 * 10**9
    drafts = made["chat gpt-x"]
    assert drafts.start_time == question.start_time
    assert drafts.end_time <= made["step drafts"].end_time <= question.end_time
    assert question.attributes["gen_ai.usage.output_tokens"] == sum(
        span.attributes["gen_ai.usage.output_tokens"]
        for span in spans()
        if span.name.startswith("chat")
    )


def test_texts_are_exported_on_request_only() -> None:
    (drafts,) = [span for span in spans(texts=True) if span.name == "chat gpt-x"]
    said = json.loads(drafts.attributes["gen_ai.output.messages"])
    assert said[0] == {
        "role": "assistant",
        "parts": [{"type": "text", "content": "the answer is 4"}],
        "finish_reason": "stop",
    }
    assert "messages" not in str([dict(span.attributes) for span in spans()])


def test_a_failed_question_is_an_error_and_leaves_nothing_open() -> None:
    def broken(request: Request, draw: Draw) -> str | Script:
        if request.purpose.role == "verify":
            return Script(fault=ServerFailed("down"), latency=1.0)
        return steady(request, draw)

    made = spans(broken)
    question = next(span for span in made if span.name.startswith("invoke_workflow"))
    assert question.status.status_code.name == "ERROR"
    assert "down" in question.status.description
    assert question.attributes["error.type"] == "failed"
    retried = [s for s in made if s.attributes.get("error.type") == "retried"]
    assert retried
    assert {s.status.status_code.name for s in retried} == {"ERROR"}


def test_what_was_cancelled_says_so() -> None:
    def slower(request: Request, draw: Draw) -> Script:
        return Script(steady(request, draw), latency=1.0 + draw.index)

    text = TEXT.replace("n: 4", "n: 9").replace("weight: verify", "stop_at: exact, ahead: 9")
    made = spans(slower, text=text)
    cancelled = [span for span in made if span.attributes.get("polyarch.cancelled")]
    assert {span.name for span in cancelled} >= {"chat large"}
    assert {span.status.status_code.name for span in cancelled} == {"UNSET"}
    question = next(span for span in made if span.name.startswith("invoke_workflow"))
    assert {span.end_time for span in cancelled} == {question.end_time}


def test_a_trace_without_an_end_ends_as_an_error() -> None:
    exporter = memory.InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    listener = Spans(MODELS, provider=provider, began=0.0)
    listener(Event("started", "q", data={"pipeline": "p"}))
    listener(Event("asked", "q", "a", 0, 1.0, {"model": "m", "ask": 0, "draws": 1}))
    listener.close()
    listener.close()
    assert [span.name for span in exporter.get_finished_spans()] == [
        "chat gpt-x",
        "step a",
        "invoke_workflow p",
    ]


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    with pytest.raises(MissingPackage, match=r"pip install 'polyarch\[otel\]'"):
        Spans({})


def test_it_reads_files_as_well(tmp_path: Path) -> None:
    plan = compiled(TEXT)
    backends = {name: Scripted(steady) for name in plan.graph.models}
    with TraceWriter(tmp_path / "t.jsonl", plan) as writer:
        simulate(plan, backends, listeners=[writer])
    trace = read(tmp_path / "t.jsonl")
    exporter = memory.InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    listener = Spans(trace.header.models, provider=provider, began=trace.header.began)
    for event in trace.events:
        listener(event)
    assert len(exporter.get_finished_spans()) == 9


def test_a_collector_receives_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(
        "opentelemetry.exporter.otlp.proto.http",
        reason="needs pip install opentelemetry-exporter-otlp-proto-http==1.45.2",
    )
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    bodies: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            bodies.append(body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    plan = compiled(TEXT)
    backends = {name: Scripted(steady) for name in plan.graph.models}
    with TraceWriter(tmp_path / "t.jsonl", plan) as writer:
        simulate(plan, backends, listeners=[writer])
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        assert send(read(tmp_path / "t.jsonl")) is True
        server.shutdown()
    (told,) = (ExportTraceServiceRequest.FromString(body) for body in bodies)
    (resource,) = told.resource_spans
    names = [span.name for span in resource.scope_spans[0].spans]
    assert len(names) == 9
    assert names[-1] == "invoke_workflow checked_vote"
    service = {a.key: a.value.string_value for a in resource.resource.attributes}["service.name"]
    assert service == "polyarch"
