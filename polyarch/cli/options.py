"""Options that several commands take, in the same words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["allow_keys", "allow_tools", "allow_unsandboxed", "listening"]

_F = TypeVar("_F", bound=Callable[..., Any])

allow_keys = click.option(
    "--allow-key",
    "keys",
    metavar="VARIABLE",
    multiple=True,
    help="An environment variable whose key may be sent. Can be repeated.",
)

allow_tools = click.option(
    "--allow-tool",
    "allowed",
    metavar="NAME",
    multiple=True,
    help="Let pipelines call this tool; again for another, all for every one.",
)

allow_unsandboxed = click.option(
    "--allow-unsandboxed",
    is_flag=True,
    help="Let steps that say `sandbox: none` run what a model wrote with all that you may do.",
)


def listening(port: int) -> Callable[[_F], _F]:
    """What every server takes; `port` is where it listens unless told."""
    options = (
        click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen."),
        click.option("--port", default=port, show_default=True, help="0 takes a free one."),
        click.option(
            "--key-env",
            metavar="NAME",
            help="The variable that holds the keys, separated by commas; any other host wants one.",
        ),
        click.option(
            "--waiting",
            type=click.IntRange(min=0),
            default=1024,
            show_default=True,
            help="Most requests that wait for their turn; the next is answered 429.",
        ),
        click.option(
            "--grace",
            type=click.FloatRange(min=1),
            default=30,
            show_default=True,
            help="Seconds that requests have to end when the server is told to stop.",
        ),
    )

    def taking(command: _F) -> _F:
        for option in reversed(options):
            command = option(command)
        return command

    return taking
