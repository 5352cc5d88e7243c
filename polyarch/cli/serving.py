"""What `polyarch serve-model` does; apart from it, so that its help imports none of this."""

from __future__ import annotations

import json as jsonlib
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

from ..compiler.errors import InputError, MissingPackage
from ..compiler.values import Json

__all__ = ["Serving", "serve_model", "tell_where", "url_of"]


@dataclass(frozen=True, slots=True)
class Serving:
    """Where and how to serve."""

    host: str
    port: int
    key_env: str | None
    name: str | None
    options: str
    running: int | None
    waiting: int
    grace: float


def serve_model(model: str, how: Serving, *, json: bool = False) -> None:
    """Serve a model until a signal comes. Raises `InputError`, `MissingPackage`, and what the
    model's backend raises; `KeyboardInterrupt` after Ctrl-C."""
    try:
        from ..server.app import Limits, app
        from ..server.listen import bound, serve
    except ModuleNotFoundError as error:
        raise MissingPackage(
            "serve-model needs starlette and uvicorn: pip install 'polyarch[serve]'"
        ) from error
    from ..server.keys import keys_of
    from ..server.life import Life
    from ..server.logs import logging_json
    from ..server.metrics import Metrics
    from ..server.models.served import served_model

    keys = keys_of(how.key_env, how.host)
    metrics = Metrics()
    served = served_model(model, _options(how.options), metrics, how.name)
    limits = Limits(how.running or served.info.concurrency, how.waiting)
    life = Life()
    made = app(served, keys, metrics, limits, life=life)
    quiet = logging_json(sys.stderr, keys=keys.texts, level=logging.WARNING)
    with bound(how.host, how.port) as listening, quiet:
        url = url_of(how.host, listening.getsockname()[1])
        told = serve(
            made,
            listening,
            life,
            grace=how.grace,
            ready=lambda: tell_where([served.name], url, json=json),
        )
    if told == signal.SIGINT:
        raise KeyboardInterrupt


def _options(text: str) -> Mapping[str, Json]:
    try:
        value = jsonlib.loads(text)
    except ValueError as error:
        raise InputError(f"--options is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f'--options is an object like {{"batch": 64}}, not {text}')
    return value


def url_of(host: str, port: int) -> str:
    """Where clients find the API."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"


def tell_where(names: Sequence[str], url: str, page: str = "", *, json: bool) -> None:
    """Tell what is served, and where."""
    if json:
        paged = {"page": page} if page else {}
        click.echo(jsonlib.dumps({"serving": list(names), "url": url, **paged}))
        return
    paged_too = f"\nits page: {page}" if page else ""
    click.echo(f"serving {', '.join(names)} at {url}{paged_too}")
