"""What `polyarch serve` does; apart from it, so that its help imports none of this."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..compiler.errors import MissingPackage
from ..compiler.spec import Budget
from ..pipeline import Pipeline, load
from .files import pipeline_file
from .serving import tell_where, url_of
from .stores import cache
from .voice import quiet

__all__ = ["Hosting", "Leave", "serve_pipelines"]


@dataclass(frozen=True, slots=True)
class Leave:
    """What pipelines may do."""

    tools: tuple[str, ...]
    unsandboxed: bool
    keys: tuple[str, ...]
    """The environment variables whose keys they may send."""

    def open(self, file: Path) -> Pipeline:
        """The pipeline in a file, with this leave. Raises `SpecError`."""
        return load(
            file,
            keys=self.keys,
            allow_unsandboxed=self.unsandboxed,
            allow_tools=self.tools,
        )


@dataclass(frozen=True, slots=True)
class Hosting:
    """Where and how to serve."""

    host: str
    port: int
    key_env: str | None
    running: int
    waiting: int
    body: float
    """Megabytes."""
    grace: float
    budget: Budget | None
    traces: int
    cached: bool
    leave: Leave


def serve_pipelines(words: Sequence[str], how: Hosting, *, json: bool = False) -> None:
    """Serve pipelines until a signal comes. Raises `SpecError`, `PlanRefused`, `InputError`,
    `MissingPackage`; `KeyboardInterrupt` after Ctrl-C."""
    try:
        from ..server.app import Limits, app
        from ..server.listen import bound, serve
        from ..server.metrics import Metrics
    except ModuleNotFoundError as error:
        raise MissingPackage(
            "serve needs starlette, uvicorn and prometheus-client: pip install 'polyarch[serve]'"
        ) from error
    from ..server.keys import keys_of
    from ..server.life import Life
    from ..server.logs import logging_json
    from ..server.look.routes import OPEN, routes
    from ..server.pipelines.answers import ServedPipelines
    from ..server.pipelines.hosted import Hosted
    from ..server.pipelines.reload import Watch
    from ..server.pipelines.traces import Traces

    keys = keys_of(how.key_env, how.host)
    files = [pipeline_file(word) for word in words]
    metrics = Metrics()
    limits = Limits(how.running, how.waiting, int(how.body * 1_000_000))
    with cache(how.cached) as stores:
        pipelines = [how.leave.open(file) for file in files]
        hosted = Hosted(pipelines, stores=stores, traces=Traces(how.traces))
        served = ServedPipelines(hosted, metrics, how.budget)
        life = Life(served.hurry)
        named = {pipeline.name: file for pipeline, file in zip(pipelines, files, strict=True)}
        watch = Watch(hosted, named, how.leave.open, metrics)
        made = app(
            served,
            keys,
            metrics,
            limits,
            life=life,
            beside=watch,
            routes=routes(hosted),
            opened=OPEN,
        )
        logs = logging_json(
            sys.stderr, keys=keys.texts, level=logging.WARNING if quiet() else logging.INFO
        )
        with bound(how.host, how.port) as listening, logs:
            url = url_of(how.host, listening.getsockname()[1])
            names = [opened.name for opened in hosted]
            told = serve(
                made,
                listening,
                life,
                grace=how.grace,
                ready=lambda: tell_where(names, url, url.removesuffix("v1"), json=json),
            )
    if told == signal.SIGINT:
        raise KeyboardInterrupt
