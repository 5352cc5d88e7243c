"""Serve a model behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.command("serve-model")
@click.argument("model")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", default=8001, show_default=True, help="0 takes a free one.")
@click.option(
    "--key-env",
    metavar="NAME",
    help="The variable that holds the keys, separated by commas; any other host wants one.",
)
@click.option("--name", help="What clients call the model.  [default: MODEL]")
@click.option("--options", metavar="JSON", default="{}", help="The model's options.")
@click.option(
    "--running",
    type=click.IntRange(min=1),
    help="Most requests answered at once.  [default: the model's concurrency]",
)
@click.option(
    "--waiting",
    type=click.IntRange(min=0),
    default=1024,
    show_default=True,
    help="Most requests that wait for their turn; the next is answered 429.",
)
@click.option(
    "--grace",
    type=click.FloatRange(min=1),
    default=30,
    show_default=True,
    help="Seconds that requests have to end when the server is told to stop.",
)
def command(
    model: str,
    host: str,
    port: int,
    key_env: str | None,
    name: str | None,
    options: str,
    running: int | None,
    waiting: int,
    grace: float,
) -> None:
    """Serve a model behind an OpenAI-compatible endpoint.

    MODEL is backend/name: embedded/abacus, or openai/NAME to stand before another server. Chats and
    text completions, streamed and whole; /v1/models, /health, /metrics. Ctrl-C or SIGTERM lets what
    runs end; a second one does not.
    """
    from .serving import Serving, serve_model

    serve_model(model, Serving(host, port, key_env, name, options, running, waiting, grace))
