"""What a browser loads, and what it may do with it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files

from starlette.responses import Response

from ...runtime.trace.page import template

__all__ = ["FILES", "PAGE", "file", "served"]

PAGE = "page.html"

_SCRIPTS = (
    *("page.js", "pipelines.js", "past.js", "outcome.js", "key.js"),
    *("run.js", "card.js", "graph.js", "api.js", "words.js"),
)

FILES: Mapping[str, str] = {
    PAGE: "text/html",
    "page.css": "text/css",
    **dict.fromkeys(_SCRIPTS, "text/javascript"),
}
"""The media type of each."""


def served(content: str | bytes, media_type: str) -> Response:
    """A response with what the page, and what it opens, may do: run and load its own files and
    nothing else."""
    headers = {
        "Content-Security-Policy": _policy(),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return Response(content, media_type=media_type, headers=headers)


def file(name: str) -> Response:
    """One of the files."""
    return served(_text(name), FILES[name])


@cache
def _text(name: str) -> str:
    return files(__package__).joinpath("static", name).read_text(encoding="utf-8")


@cache
def _policy() -> str:
    """The page of a trace is opened from the page, which lends it this policy: its script and its
    style are within it, and allowed by their hashes."""
    trace = template()
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {' '.join(_hashes('script', trace))}",
            f"style-src 'self' {' '.join(_hashes('style', trace))}",
            "img-src data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _hashes(tag: str, text: str) -> Iterator[str]:
    for found in re.finditer(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL):
        digest = b64encode(sha256(found[1].encode()).digest()).decode()
        yield f"'sha256-{digest}'"
