"""A trace file back into events. Strict, but for a last line that a crash cut off."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ...compiler.errors import InputError
from ...compiler.values import NOTHING, Json
from ..events import Event
from .write import FORMAT

__all__ = ["Header", "Trace", "parsed", "read"]


class Header(BaseModel):
    """The first line of a trace: what was run."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    trace: int
    """The number of the file's format."""
    polyarch: str
    """The version that wrote it."""
    pipeline: str
    digest: str
    """`Plan.digest`."""
    models: Mapping[str, str]
    """backend/model, by the name that steps use."""
    graph: str
    """The plan's graph, printed."""
    plan: Mapping[str, Any]
    """What `runtime.trace.plan.rebuilt` builds a plan from."""
    began: float
    """Seconds since the epoch at the events' 0."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What a file holds. `cut` says that its last line was not written to its end."""

    header: Header
    events: tuple[Event, ...]
    cut: bool = False


def read(path: str | Path) -> Trace:
    """Read a trace. Raises `InputError` with file and line for whatever does not belong there."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    return parsed(raw, path)


def parsed(raw: bytes, path: str | Path) -> Trace:
    """The trace that a file of that name holds. Raises `InputError`, as `read` does."""
    lines = raw.split(b"\n")
    last = lines.pop()
    cut = bool(last.strip()) and not _whole(last)
    if last.strip() and not cut:
        lines.append(last)
    if not lines:
        raise InputError(f"{path}: no trace: it is empty, or its first line was cut off")
    header = _header(lines[0], f"{path}:1")
    return Trace(header, tuple(_events(lines, path)), cut)


def _events(lines: list[bytes], path: str | Path) -> Iterator[Event]:
    for number, line in enumerate(lines[1:], start=2):
        if line.strip():
            yield _event(_value(line, f"{path}:{number}"), f"{path}:{number}")


def _whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _value(line: bytes, where: str) -> Mapping[str, Any]:
    try:
        value = json.loads(line)
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8: {error.reason}") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not JSON: {error.msg} (column {error.colno})") from error
    except RecursionError as error:
        raise InputError(f"{where}: nested too deep") from error
    if not isinstance(value, dict):
        raise InputError(f"{where}: not an object")
    return value


def _header(line: bytes, where: str) -> Header:
    value = _value(line, where)
    if not isinstance(value.get("trace"), int):
        raise InputError(f"{where}: not the first line of a trace")
    if value["trace"] > FORMAT:
        raise InputError(
            f"{where}: format {value['trace']}, written by polyarch {value.get('polyarch')}; this "
            f"polyarch reads formats up to {FORMAT}"
        )
    try:
        return Header.model_validate(value)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        at = ".".join(map(str, problem["loc"]))
        raise InputError(f"{where}: {at}: {problem['msg']}") from error


def _event(value: Mapping[str, Any], where: str) -> Event:
    match value:
        case {"at": int() | float() as at, "what": str(what), "question": str(question)}:
            step, place = value.get("step", ""), value.get("place", -1)
            data: Mapping[str, Json] = value.get("data", NOTHING)
            if isinstance(step, str) and isinstance(place, int) and isinstance(data, Mapping):
                return Event(what, question, step, place, float(at), data)
    raise InputError(f"{where}: not an event: it lacks at, what or question, or has a wrong type")
