"""A request of the recent past, or under way, as the page shows it."""

from __future__ import annotations

from collections.abc import Mapping

from ...compiler.secrets import Secrets
from ...compiler.values import Json
from ...runtime.trace.page import page
from ...runtime.trace.read import parsed
from ...runtime.trace.write import encoded, first, line
from ..pipelines.traces import Trace
from .pipelines import shown

__all__ = ["as_file", "as_page", "briefly", "wholly"]


def briefly(trace: Trace) -> Mapping[str, Json]:
    """A request in a list."""
    result = trace.result
    return {
        "id": trace.id,
        "pipeline": trace.pipeline,
        "began": trace.began,
        "state": trace.state,
        "why": trace.why,
        "seconds": trace.seconds,
        "calls": trace.usage.calls,
        "usd": trace.usage.usd,
        "question": _clean(_question(trace)),
        "answer": None if result is None else _clean(result.answer),
    }


def wholly(trace: Trace, start: int) -> Mapping[str, Json]:
    """A request with its events from number `start` on, and of the first with its pipeline."""
    result = trace.result
    return {
        **briefly(trace),
        **({} if start else {"graph": shown(trace.plan)}),
        "events": trace.told(start),
        "result": None if result is None else _clean(result.record()),
    }


def as_page(trace: Trace) -> str:
    """The page of its trace."""
    return page(parsed(as_file(trace), trace.id))


def as_file(trace: Trace) -> bytes:
    """Its trace as a file, which `polyarch trace` reads."""
    secrets = Secrets()
    began = trace.began - (trace.events[0].at if trace.events else 0.0)
    lines = [{**first(trace.plan), "began": round(began, 6)}, *map(line, trace.events)]
    return b"".join(encoded(one, secrets) for one in lines)


def _question(trace: Trace) -> Json:
    """What was asked, which the first event tells."""
    for event in trace.events[:1]:
        match event.data.get("question"):
            case {"text": str(text)}:
                return text
    return ""


def _clean(value: Json) -> Json:
    return Secrets().clean(value)
