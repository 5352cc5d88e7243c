"""Serve pipelines behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.command("serve")
@click.argument("files", metavar="FILE…", nargs=-1, required=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", default=8000, show_default=True, help="0 takes a free one.")
@click.option(
    "--key-env",
    metavar="NAME",
    help="The variable that holds the keys, separated by commas; any other host wants one.",
)
@click.option(
    "--running",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Most requests answered at once.",
)
@click.option(
    "--waiting",
    type=click.IntRange(min=0),
    default=1024,
    show_default=True,
    help="Most requests that wait for their turn; the next is answered 429.",
)
@click.option(
    "--body",
    type=click.FloatRange(min=0.001),
    default=32,
    show_default=True,
    help="Most megabytes of a request.",
)
@click.option(
    "--grace",
    type=click.FloatRange(min=1),
    default=30,
    show_default=True,
    help="Seconds that requests have to end when the server is told to stop.",
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
@click.option(
    "--allow-tool",
    "allowed",
    metavar="NAME",
    multiple=True,
    help="Let pipelines call this tool; again for another, all for every one.",
)
@click.option(
    "--allow-unsandboxed",
    is_flag=True,
    help="Let steps that say `sandbox: none` run what a model wrote with all that you may do.",
)
@click.option(
    "--allow-key",
    "keys",
    metavar="VARIABLE",
    multiple=True,
    help="An environment variable whose key pipelines may send. Can be repeated.",
)
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
    serve_pipelines(files, how)
