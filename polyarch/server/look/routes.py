"""Where the page and what it asks for are."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ..failures import missing
from ..pipelines.hosted import Hosted
from ..pipelines.traces import Trace
from .files import FILES, PAGE, file, served
from .pipelines import shown
from .requests import as_file, as_page, briefly, wholly

__all__ = ["OPEN", "routes"]

_STATIC = "/look/"

OPEN: Collection[str] = ("/", *(_STATIC + name for name in FILES))
"""What needs no key: none of it says anything about what is served."""


def routes(hosted: Hosted) -> Sequence[BaseRoute]:
    """The page of what is hosted."""
    look = _Look(hosted)
    static = [Route(_STATIC + name, _static) for name in FILES]
    return [
        Route("/", _page),
        *static,
        Route("/look/pipelines", look.pipelines),
        Route("/look/requests", look.requests),
        Route("/look/requests/{id}", look.request),
        Route("/look/requests/{id}/trace.html", look.trace_page),
        Route("/look/requests/{id}/trace.jsonl", look.trace_file),
    ]


class _Look:
    """Says what is hosted, and what was asked of it."""

    def __init__(self, hosted: Hosted) -> None:
        self._hosted = hosted

    async def pipelines(self, _: Request) -> Response:
        """GET /look/pipelines."""
        why = self._hosted.refused
        told = [shown(opened.plan, why.get(opened.name, "")) for opened in self._hosted]
        return JSONResponse({"pipelines": told})

    async def requests(self, _: Request) -> Response:
        """GET /look/requests, the newest first."""
        return JSONResponse({"requests": [briefly(trace) for trace in self._hosted.traces]})

    async def request(self, request: Request) -> Response:
        """GET /look/requests/ID?start=N."""
        start = request.query_params.get("start", "0")
        trace = self._trace(request)
        if trace is None or not (start.isascii() and start.isdecimal()):
            return _missing(request)
        return JSONResponse(wholly(trace, int(start[:12])))

    async def trace_page(self, request: Request) -> Response:
        """GET /look/requests/ID/trace.html."""
        trace = self._trace(request)
        return _missing(request) if trace is None else served(as_page(trace), "text/html")

    async def trace_file(self, request: Request) -> Response:
        """GET /look/requests/ID/trace.jsonl."""
        trace = self._trace(request)
        return _missing(request) if trace is None else served(as_file(trace), "application/jsonl")

    def _trace(self, request: Request) -> Trace | None:
        return self._hosted.traces.get(request.path_params["id"])


async def _page(_: Request) -> Response:
    return file(PAGE)


async def _static(request: Request) -> Response:
    return file(request.url.path.removeprefix(_STATIC))


def _missing(request: Request) -> Response:
    told = missing(request.method, request.url.path)
    return JSONResponse(told.body, told.status)
