"""How errors are told: to people on standard error, to machines as JSON on standard output."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import click

from ..compiler.errors import Fault, InputError, PolyarchError, SpecError

__all__ = ["STOPPED", "as_json", "of_file", "opened", "report"]

STOPPED = 130
"""The exit code of a run stopped with Ctrl-C: 128 and the number of SIGINT."""

_AS_JSON = "polyarch.json"


def as_json(ctx: click.Context, _: click.Parameter, wanted: bool) -> bool:
    """A callback of `--json`: errors will be told as JSON, too."""
    ctx.meta[_AS_JSON] = wanted
    return wanted


def report(error: PolyarchError, ctx: click.Context) -> None:
    """Tell an error, as the command was asked to."""
    if ctx.meta.get(_AS_JSON):
        click.echo(json.dumps({"error": _told(error)}, sort_keys=True))
    elif isinstance(error, SpecError):
        count = len(error.faults)
        click.echo(f"{error}\n\n{count} error{'' if count == 1 else 's'}", err=True)
    else:
        head = "error:" if "NO_COLOR" in os.environ else click.style("error:", fg="red", bold=True)
        click.echo(f"{head} {_message(error)}", err=True)


def _message(error: PolyarchError) -> str:
    """What it says, and where, if that was noted on its way."""
    places: list[str] = getattr(error, "__notes__", [])
    return ": ".join((*places, str(error)))


def _told(error: PolyarchError) -> Mapping[str, object]:
    told: dict[str, object] = {"code": error.code, "message": _message(error)}
    if isinstance(error, SpecError):
        told["message"] = f"{len(error.faults)} faults"
        told["faults"] = [_fault(fault) for fault in error.faults]
    return told


def _fault(fault: Fault) -> Mapping[str, object]:
    return {
        "file": fault.span.file,
        "line": fault.span.line,
        "column": fault.span.column,
        "code": fault.code,
        "message": fault.message,
        "hint": fault.hint,
    }


@contextmanager
def of_file(path: str | Path) -> Iterator[None]:
    """Say which file could not be read or written, and why."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def opened(path: str | Path, mode: Literal["rb", "wb", "ab"]) -> BinaryIO:
    """The file, open. Raises `InputError`."""
    with of_file(path):
        return Path(path).open(mode)
