"""How much is said beside results and errors: `-q`, `-v`, colours."""

from __future__ import annotations

import os

import click

__all__ = ["OPTIONS", "aside", "color", "detail", "quiet", "verbose"]

_QUIET, _VERBOSE = "polyarch.quiet", "polyarch.verbose"


def _remember(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    # Before the command or behind it: both are the same.
    key = _QUIET if param.name == "quiet" else _VERBOSE
    ctx.meta[key] = ctx.meta.get(key, False) or wanted


OPTIONS: tuple[click.Option, ...] = (
    click.Option(
        ["-q", "--quiet"],
        is_flag=True,
        expose_value=False,
        callback=_remember,
        help="Results and errors alone: no progress, no notes.",
    ),
    click.Option(
        ["-v", "--verbose"],
        is_flag=True,
        expose_value=False,
        callback=_remember,
        help="Say more; of an error, also where in polyarch it was raised.",
    ),
)
"""Taken by polyarch itself and by every command."""


def quiet() -> bool:
    """Whether nothing but results and errors is wanted."""
    return _wanted(_QUIET)


def verbose() -> bool:
    """Whether more is wanted."""
    return _wanted(_VERBOSE)


def _wanted(key: str) -> bool:
    ctx = click.get_current_context(silent=True)
    return ctx is not None and bool(ctx.meta.get(key))


def aside(text: str) -> None:
    """Say something beside the result: on standard error, unless it is to be quiet."""
    if not quiet():
        click.echo(text, err=True)


def detail(text: str) -> None:
    """Say something that only `-v` asks for."""
    if verbose():
        click.echo(text, err=True)


def color() -> bool | None:
    """Whether there may be colours: None leaves it to whether there is a terminal.

    Never with NO_COLOR set to anything (https://no-color.org).
    """
    return False if os.environ.get("NO_COLOR") else None
