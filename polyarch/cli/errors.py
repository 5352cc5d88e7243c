"""How errors are told: to people on standard error, to machines as JSON on standard output."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import click

from ..compiler.errors import Fault, InputError, PolyarchError, SpecError
from .voice import verbose

__all__ = ["as_json", "of_file", "opened", "report", "report_stop", "report_usage"]

_AS_JSON = "polyarch.json"
_NOWHERE: Mapping[str, object] = dict.fromkeys(("file", "line", "column", "hint"))


def as_json(ctx: click.Context, _: click.Parameter, wanted: bool) -> bool:
    """A callback of `--json`: errors will be told as JSON, too."""
    ctx.meta[_AS_JSON] = wanted
    return wanted


def report(error: PolyarchError, ctx: click.Context) -> None:
    """Tell an error, as the command was asked to."""
    if verbose():
        _trace(error)
    if ctx.meta.get(_AS_JSON):
        _print(_told(error))
    elif isinstance(error, SpecError):
        count = len(error.faults)
        click.echo(f"{error}\n\n{count} error{'' if count == 1 else 's'}", err=True)
    else:
        click.echo(f"{click.style('error:', fg='red', bold=True)} {_message(error)}", err=True)


def report_usage(error: click.UsageError) -> None:
    """Tell of wrong usage as JSON."""
    message = error.format_message()
    _print({**_NOWHERE, "code": "usage", "message": message, "faults": []})


def report_stop(ctx: click.Context) -> None:
    """Tell that it was stopped."""
    if ctx.meta.get(_AS_JSON):
        _print({**_NOWHERE, "code": "stopped", "message": "stopped", "faults": []})
    else:
        click.echo("stopped", err=True)


def _print(error: Mapping[str, object]) -> None:
    click.echo(json.dumps({"error": error}, sort_keys=True, ensure_ascii=False))


def _trace(error: PolyarchError) -> None:
    """Where it was raised, and from what; anything that looks like a key is masked."""
    from traceback import format_exception

    from ..compiler.secrets import Secrets

    click.echo(Secrets().masked("".join(format_exception(error))), err=True)


def _message(error: PolyarchError) -> str:
    """What it says, and where, if that was noted on its way."""
    places: list[str] = getattr(error, "__notes__", [])
    return ": ".join((*places, str(error)))


def _told(error: PolyarchError) -> Mapping[str, object]:
    """An error with the place and hint of the first fault, where there is any, and all faults."""
    if not isinstance(error, SpecError):
        place = {"file": error.file, "line": error.line} if isinstance(error, InputError) else {}
        told = {"code": error.code, "message": _message(error), "faults": []}
        return {**_NOWHERE, **place, **told}
    faults = [_fault(fault) for fault in error.faults]
    count = len(faults)
    message = f"{count} fault{'' if count == 1 else 's'}"
    return {**faults[0], "code": error.code, "message": message, "faults": faults}


def _fault(fault: Fault) -> Mapping[str, object]:
    return {
        "file": fault.span.file,
        "line": fault.span.line,
        "column": fault.span.column,
        "code": fault.code,
        "message": fault.message,
        "hint": fault.hint or None,
    }


@contextmanager
def of_file(path: str | Path) -> Iterator[None]:
    """Say which file could not be read or written, and why."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}", file=str(path)) from error


def opened(path: str | Path, mode: Literal["rb", "wb", "ab"]) -> BinaryIO:
    """The file, open. Raises `InputError`."""
    with of_file(path):
        return Path(path).open(mode)
