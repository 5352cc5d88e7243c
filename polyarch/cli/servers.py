"""Whether servers of models answer."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

from .checks import Finding

__all__ = ["local_servers", "server"]

_PORTS = (8000, 8001, 8080, 11434, 30000)
"""Where vLLM, `serve-model`, llama.cpp, Ollama and SGLang listen unless they are told otherwise."""
_SECONDS = 2.0
"""How long a server has."""
_MOST = 1 << 20
"""Bytes of an answer that are read."""
_SHOWN = 4
"""Models that are named."""


def server(url: str) -> Finding:
    """Whether a server answers when it is asked which models it has; no key is sent."""
    answers, told = _asked(url)
    return Finding("servers", url, "ok" if answers else "missing", told, needed=True)


def local_servers() -> Iterator[Finding]:
    """The servers of this machine that answer where they usually listen."""
    for port in _PORTS:
        url = f"http://127.0.0.1:{port}/v1"
        answers, told = _asked(url)
        if answers:
            yield Finding("servers", url, "ok", told)


def _asked(url: str) -> tuple[bool, str]:
    """Whether anything answers at a server's list of models, and what came of it."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_SECONDS)
    try:
        connection.request("GET", f"{parts.path.rstrip('/')}/models")
        reply = connection.getresponse()
        body = reply.read(_MOST)
    except http.client.HTTPException as error:
        return False, f"no HTTP comes back: {type(error).__name__}"
    except OSError as error:
        return False, error.strerror or str(error) or type(error).__name__
    finally:
        connection.close()
    return True, _models(body) if reply.status == 200 else f"answers, with HTTP {reply.status}"


def _models(body: bytes) -> str:
    """The models in a server's list, in words."""
    try:
        told = json.loads(body)
    except ValueError:
        return "answers"
    listed = told.get("data") if isinstance(told, dict) else None
    names = [str(one["id"]) for one in listed or () if isinstance(one, dict) and "id" in one]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"answers, has {', '.join(names[:_SHOWN])}{more}" if names else "answers"
