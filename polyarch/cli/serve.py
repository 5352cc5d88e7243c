"""Serve pipelines behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import click

from .errors import as_json
from .options import allow_keys, allow_tools, allow_unsandboxed, listening

__all__ = ["command"]


@click.command("serve")
@click.argument("files", metavar="FILE…", nargs=-1, required=True)
@listening(8000)
@click.option(
    "--running",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Most requests answered at once.",
)
@click.option(
    "--body",
    type=click.FloatRange(min=0.001),
    default=32,
    show_default=True,
    help="Most megabytes of a request.",
)
@click.option("--budget", metavar="UNIT=LIMIT,…", help="For every request, beside its pipeline's.")
@click.option(
    "--traces",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    help="How many past requests are remembered.",
)
@click.option("--cache", "cached", is_flag=True, help="Use the cache of replies, and add to it.")
@allow_tools
@allow_unsandboxed
@allow_keys
@click.option("--json", is_flag=True, callback=as_json, help="Where it is, or errors, as JSON.")
def command(
    files: tuple[str, ...],
    host: str,
    port: int,
    key_env: str | None,
    running: int,
    waiting: int,
    body: float,
    grace: float,
    budget: str | None,
    traces: int,
    cached: bool,
    allowed: tuple[str, ...],
    allow_unsandboxed: bool,
    keys: tuple[str, ...],
    json: bool,
) -> None:
    """Serve pipelines behind an OpenAI-compatible endpoint.

    FILE is a pipeline file, or the name of a pipeline in the library; each is a model to clients,
    by the name that it gives itself. A file that changes is taken up, and one that became wrong is
    not. Ctrl-C or SIGTERM lets what runs end; a second one does not.
    """
    from .budget import budget_of
    from .hosting import Hosting, Leave, serve_pipelines

    leave = Leave(allowed, allow_unsandboxed, keys)
    limits = budget_of(budget)
    how = Hosting(host, port, key_env, running, waiting, body, grace, limits, traces, cached, leave)
    serve_pipelines(files, how, json=json)
