"""Serve a model behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import click

from .errors import as_json
from .options import listening

__all__ = ["command"]


@click.command("serve-model")
@click.argument("model")
@listening(8001)
@click.option("--name", help="What clients call the model.  [default: MODEL]")
@click.option("--options", metavar="JSON", default="{}", help="The model's options.")
@click.option(
    "--running",
    type=click.IntRange(min=1),
    help="Most requests answered at once.  [default: the model's concurrency]",
)
@click.option("--json", is_flag=True, callback=as_json, help="Where it is, or errors, as JSON.")
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
    json: bool,
) -> None:
    """Serve a model behind an OpenAI-compatible endpoint.

    MODEL is backend/name: embedded/abacus, or openai/NAME to stand before another server. Chats and
    text completions, streamed and whole; /v1/models, /health, /metrics. Ctrl-C or SIGTERM lets what
    runs end; a second one does not.
    """
    from .serving import Serving, serve_model

    how = Serving(host, port, key_env, name, options, running, waiting, grace)
    serve_model(model, how, json=json)
