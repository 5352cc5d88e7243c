"""Turn a configuration of Archon or optillm into a pipeline file."""

from __future__ import annotations

import json as jsonlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..compiler.errors import InputError
from .completing import files
from .errors import as_json, of_file
from .voice import aside

if TYPE_CHECKING:
    from ..importing import Imported

__all__ = ["command"]

_MOST = 4 << 20
"""Bytes of a configuration; those that are published have some thousands."""


@click.command("import")
@click.argument("system", type=click.Choice(["archon", "optillm"]))
@click.argument("what", metavar="WHAT", shell_complete=files)
@click.option(
    "-o", "--out", "--output", "out", type=click.Path(dir_okay=False), help="Write to this file."
)
@click.option(
    "--json", is_flag=True, callback=as_json, help="The text and the notes, or errors, as JSON."
)
def command(system: str, what: str, out: str | None, json: bool) -> None:
    """Turn a configuration of Archon or optillm into a pipeline file.

    For archon, WHAT is a JSON file, or - for standard input. For optillm, it is an approach with
    its model, as in "moa&self_consistency-gpt-4o".

    What is not as it was is told on standard error, and in comments of the file. What has no equal
    is refused.
    """
    made = _imported(system, what)
    if out is not None:
        with of_file(out):
            Path(out).write_text(made.text, encoding="utf-8")
    if json:
        record = {"text": made.text, "notes": made.notes, "out": out}
        click.echo(jsonlib.dumps(record, ensure_ascii=False))
        return
    for note in made.notes:
        aside(f"note: {note}")
    if out is None:
        click.echo(made.text, nl=False)


def _imported(system: str, what: str) -> Imported:
    if system == "optillm":
        from ..importing.optillm import from_optillm

        return from_optillm(what)
    from ..importing.archon import from_archon

    return from_archon(_text(what), "standard input" if what == "-" else what)


def _text(file: str) -> str:
    """The text of a file. Raises `InputError`."""
    with of_file(file):
        if file == "-":
            raw = sys.stdin.buffer.read(_MOST + 1)
        else:
            with Path(file).open("rb") as stream:
                raw = stream.read(_MOST + 1)
    if len(raw) > _MOST:
        raise InputError(f"{file}: larger than {_MOST >> 20} MiB", file=file)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"{file}:{line}: not UTF-8: {error.reason}"
        raise InputError(message, file=file, line=line) from error
