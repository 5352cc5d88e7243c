"""A page of the commands, out of what they tell click."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from polyarch.cli import COMMANDS, cli
from polyarch.cli.voice import OPTIONS

from .markdown import fenced, table

__all__ = ["page"]


def page() -> str:
    """The page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    root = click.Context(cli, info_name="polyarch")
    yield "# Commands"
    yield ""
    yield f"{cli.help} What all of them have in common is told on [another page](../cli.md)."
    yield ""
    yield from table(
        ("command", ""), [(f"[`{name}`](#{name})", line) for name, line in COMMANDS.items()]
    )
    yield ""
    yield "Every command takes these, and so does `polyarch` itself before it:"
    yield ""
    yield from _options(list(OPTIONS), root)
    for name in COMMANDS:
        yield from _command(name, root)


def _command(name: str, root: click.Context) -> Iterator[str]:
    command = cli.get_command(root, name)
    assert command is not None
    ctx = click.Context(command, info_name=name, parent=root)
    yield f"\n## {name}\n"
    yield from fenced("text", " ".join(("polyarch", name, *command.collect_usage_pieces(ctx))))
    yield ""
    yield from _help(command.help or "")
    yield ""
    own = [one for one in command.params if isinstance(one, click.Option) and one not in OPTIONS]
    if own:
        yield from _options(own, ctx)


def _help(text: str) -> Iterator[str]:
    """The paragraphs; those that click is told not to wrap are shown as they are."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b\n"):
            yield from fenced("text", paragraph.removeprefix("\b\n"))
        else:
            yield paragraph.replace("<", "&lt;")
        yield ""


def _options(options: list[click.Option], ctx: click.Context) -> Iterator[str]:
    rows = []
    for option in options:
        record = option.get_help_record(ctx)
        assert record is not None
        rows.append((f"`{record[0]}`", record[1].replace("<", "&lt;")))
    yield from table(("option", ""), rows)
