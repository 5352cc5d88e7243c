"""OpenTelemetry spans from events: one a question, one a step, one a request.

By the semantic conventions for generative AI (`gen_ai.*`); what they have no name for is
`polyarch.*`. Texts are exported only on request. Needs the extra `otel`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ...compiler.errors import MissingPackage
from ..events import Event
from .outline import Asked, Outline, Run
from .read import Trace

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer, TracerProvider

__all__ = ["Spans", "send"]

_INSTALL = "spans need OpenTelemetry: pip install 'polyarch[otel]'"

_BATCH = 512
"""Spans sent at once."""

_PROVIDERS = {"azure": "azure.ai.openai", "bedrock": "aws.bedrock", "gemini": "gcp.gemini"}
_PROVIDERS |= {"vertex_ai": "gcp.vertex_ai", "mistral": "mistral_ai", "xai": "x_ai"}
"""Providers that the conventions call otherwise than backend and model do."""


def send(trace: Trace, *, texts: bool = False) -> bool:
    """Send a trace to a collector by OTLP over HTTP; whether all of it arrived.

    The collector's address and headers come from OpenTelemetry's own variables:
    `OTEL_EXPORTER_OTLP_ENDPOINT`, http://localhost:4318 if it is not set, and so on.
    Raises `MissingPackage` without the extra `otel`.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    except ModuleNotFoundError as error:
        raise MissingPackage(_INSTALL) from error
    made, collector = InMemorySpanExporter(), OTLPSpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": "polyarch"}))
    provider.add_span_processor(SimpleSpanProcessor(made))
    header = trace.header
    spans = Spans(header.models, provider=provider, texts=texts, began=header.began)
    for event in trace.events:
        spans(event)
    spans.close()
    finished = made.get_finished_spans()
    with ExitStack() as stack:
        stack.callback(provider.shutdown)
        stack.callback(collector.shutdown)
        return all(
            collector.export(finished[start : start + _BATCH]) is SpanExportResult.SUCCESS
            for start in range(0, len(finished), _BATCH)
        )


class Spans:
    """Makes spans of events, as they come. A listener.

    The span of a question is open from started to ended or failed, that of a step from its first
    event to the question's end or its own last event, that of a request from asked to its last
    reply. What is still open when the question ends was cancelled.
    """

    def __init__(
        self,
        models: Mapping[str, str],
        *,
        provider: TracerProvider | None = None,
        texts: bool = False,
        began: float | None = None,
    ) -> None:
        """`models` are backend/model by the name that steps use (`Header.models`, or of a plan);
        `provider` is the process's own if left out; `texts` exports questions and replies, too;
        `began` is what a clock on the wall showed at the events' 0 (`Header.began`), now for events
        as they happen.

        Raises `MissingPackage` without the extra `otel`.
        """
        self._tracer = _tracer(provider)
        self._models = models
        self._texts = texts
        self._began = began
        self._open: dict[str, _Question] = {}

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        if self._began is None:
            self._began = time.time() - event.at
        if event.what == "started":
            before = self._open.pop(event.question, None)
            if before is not None:
                before.end("", "asked again before it ended")
            self._open[event.question] = _Question(self, event)
        question = self._open.get(event.question)
        if question is not None and question.take(event):
            del self._open[event.question]

    def close(self) -> None:
        """End the spans of questions that neither ended nor failed. Idempotent."""
        while self._open:
            _, question = self._open.popitem()
            question.end("", "the trace ended before the question did")

    def start(self, name: str, at: float, parent: Span | None, client: bool = False) -> Span:
        """Open a span."""
        from opentelemetry.trace import SpanKind, set_span_in_context

        context = None if parent is None else set_span_in_context(parent)
        kind = SpanKind.CLIENT if client else SpanKind.INTERNAL
        return self._tracer.start_span(name, context, kind, start_time=self.nanoseconds(at))

    def nanoseconds(self, at: float) -> int:
        """An event's time as OpenTelemetry wants it."""
        return round((at + (self._began or 0.0)) * 1e9)

    @property
    def texts(self) -> bool:
        """Whether texts are exported."""
        return self._texts

    def model(self, name: str) -> tuple[str, str]:
        """The provider and the model behind a name."""
        backend, _, model = self._models.get(name, name).partition("/")
        inner, _, rest = model.partition("/")
        if backend == "litellm" and rest:
            backend, model = inner, rest
        return _PROVIDERS.get(backend, backend), model or backend


class _Question:
    """The spans of one question."""

    def __init__(self, spans: Spans, event: Event) -> None:
        self._spans = spans
        self._outline = Outline()
        self._pipeline = str(event.data.get("pipeline", ""))
        self._span = spans.start(f"invoke_workflow {self._pipeline}", event.at, None)
        self._steps: dict[str, Span] = {}
        self._requests: dict[int, tuple[Asked, Span]] = {}
        self._last: dict[str, float] = {}
        self._at = event.at

    def take(self, event: Event) -> bool:
        """Take an event in; whether it was the question's last."""
        run = self._outline.take(event)
        self._at = max(self._at, event.at)
        if event.step:
            self._step(event)
        match event.what:
            case "started":
                self._begun(run, event)
            case "asked":
                asked = run.stages[event.step].asked[-1]
                self._requests[id(asked)] = (asked, self._request(asked, event))
            case "unreadable" | "noted" | "dropped" | "hedged":
                self._note(event)
            case "ended":
                self.end("ended", "", run)
            case "failed":
                self.end("failed", str(event.data.get("why", "")), run)
        if event.what in ("drew", "retried", "fell back"):
            self._finish(event.step)
        return event.what in ("ended", "failed")

    def end(self, end: str, why: str, run: Run | None = None) -> None:
        """End every span that is open."""
        from opentelemetry.trace import Status, StatusCode

        last = self._spans.nanoseconds(self._at)
        for asked, span in self._requests.values():
            self._told(asked, span)
            span.set_attribute("polyarch.cancelled", True)
            span.end(last)
        self._requests.clear()
        for step, span in self._steps.items():
            span.end(self._spans.nanoseconds(self._last[step]))
        if run is not None:
            drawn = list(run.drawn)
            self._span.set_attribute("gen_ai.usage.input_tokens", sum(d.prompt for d in drawn))
            self._span.set_attribute("gen_ai.usage.output_tokens", sum(d.tokens for d in drawn))
            self._span.set_attribute("polyarch.calls", len(drawn))
            self._span.set_attribute("polyarch.usd", sum(d.usd for d in drawn))
        if end != "ended":
            self._span.set_attribute("error.type", end or "cut")
            self._span.set_status(Status(StatusCode.ERROR, why))
        self._span.end(last)

    def _begun(self, run: Run, event: Event) -> None:
        self._span.set_attribute("gen_ai.operation.name", "invoke_workflow")
        self._span.set_attribute("gen_ai.workflow.name", self._pipeline)
        self._span.set_attribute("polyarch.question", event.question)
        self._span.set_attribute("polyarch.seed", run.seed)
        if self._spans.texts:
            said = [{"role": "user", "parts": [{"type": "text", "content": run.text}]}]
            self._span.set_attribute("gen_ai.input.messages", json.dumps(said))

    def _step(self, event: Event) -> None:
        self._last[event.step] = event.at
        if event.step not in self._steps:
            span = self._spans.start(f"step {event.step}", event.at, self._span)
            span.set_attribute("polyarch.step", event.step)
            self._steps[event.step] = span

    def _request(self, asked: Asked, event: Event) -> Span:
        provider, model = self._spans.model(asked.model)
        span = self._spans.start(f"chat {model}", event.at, self._steps[event.step], client=True)
        attributes: dict[str, str | int] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": model,
            "gen_ai.request.choice.count": asked.draws,
            "polyarch.step": asked.step,
            "polyarch.role": asked.role,
            "polyarch.place": asked.place,
            "polyarch.ask": asked.ask,
            "polyarch.turn": asked.turn,
        }
        if asked.draws == 1:
            del attributes["gen_ai.request.choice.count"]
        span.set_attributes(attributes)
        return span

    def _finish(self, step: str) -> None:
        """End the spans of requests that were answered, or given up for another attempt."""
        from opentelemetry.trace import Status, StatusCode

        for key, (asked, span) in list(self._requests.items()):
            if asked.step != step or asked.state == "waiting":
                continue
            self._told(asked, span)
            if asked.state == "retried":
                span.set_attribute("error.type", "retried")
                span.set_status(Status(StatusCode.ERROR))
            span.end(self._spans.nanoseconds(asked.ended))
            del self._requests[key]

    def _told(self, asked: Asked, span: Span) -> None:
        """What a request gave."""
        if not asked.drawn:
            return
        span.set_attribute("gen_ai.response.model", self._spans.model(asked.drawn[0].model)[1])
        span.set_attribute("gen_ai.response.finish_reasons", [d.finish for d in asked.drawn])
        span.set_attribute("gen_ai.usage.input_tokens", asked.prompt)
        span.set_attribute("gen_ai.usage.output_tokens", asked.tokens)
        cached = sum(drawn.cached for drawn in asked.drawn)
        if cached:
            span.set_attribute("gen_ai.usage.cache_read.input_tokens", cached)
        span.set_attribute("polyarch.usd", asked.usd)
        if self._spans.texts:
            said = [
                {
                    "role": "assistant",
                    "parts": [{"type": "text", "content": drawn.text}],
                    "finish_reason": drawn.finish,
                }
                for drawn in asked.drawn
            ]
            span.set_attribute("gen_ai.output.messages", json.dumps(said))

    def _note(self, event: Event) -> None:
        """Something worth knowing, as an event of the step's span."""
        plain: dict[str, str | int | float | bool] = {"polyarch.place": event.place}
        for name, value in event.data.items():
            if isinstance(value, int | float | bool) or (name in ("note", "candidate", "model")):
                plain[f"polyarch.{name}"] = value if isinstance(value, int | float) else str(value)
        at = self._spans.nanoseconds(event.at)
        self._steps[event.step].add_event(f"polyarch.{event.what}", plain, at)


def _tracer(provider: TracerProvider | None) -> Tracer:
    try:
        from opentelemetry.trace import get_tracer
    except ModuleNotFoundError as error:
        raise MissingPackage(_INSTALL) from error
    return get_tracer("polyarch", tracer_provider=provider)
