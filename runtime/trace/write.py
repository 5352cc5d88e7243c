"""A trace written as it happens: one line of JSON an event, after a line that names the plan."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from json import JSONEncoder
from pathlib import Path
from types import TracebackType
from typing import Self

from ... import __version__
from ...compiler.errors import InputError
from ...compiler.plan import Plan
from ...compiler.secrets import Secrets
from ...compiler.values import Json
from ..events import Event
from .plan import described

__all__ = ["FORMAT", "TraceWriter", "encoded", "first", "line"]

FORMAT = 1
"""The number of the file's format; raised when old readers could not read it any more."""


class TraceWriter:
    """Writes a trace into a file, anew. A listener and a context manager.

    Each event is one line, handed to the operating system before the run goes on: a killed process
    loses nothing but, at most, the end of its last line. Keys, passwords and authorization are
    replaced by `[redacted]`. The first line holds the plan, without where its models are, so that a
    trace alone is enough to run the pipeline again.

    A file that cannot be written, a full disk say, ends the trace and never the run.
    """

    def __init__(
        self,
        path: str | Path,
        plan: Plan,
        *,
        secrets: Secrets | None = None,
        of: Mapping[str, Json] | None = None,
    ) -> None:
        """`of` is the first line of the trace that is replayed, if this one is of a replay.

        Raises `InputError` if the file cannot be made.
        """
        self._secrets = Secrets() if secrets is None else secrets
        self._header: Mapping[str, Json] | None = of or first(plan)
        try:
            # Unbuffered: a line is one call of the operating system, whole or not at all.
            self._file = Path(path).open("wb", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}") from error

    def __call__(self, event: Event) -> None:
        """Write an event down."""
        if self._header is not None:
            self._begin(event.at)
        self._file.write(encoded(line(event), self._secrets))

    def close(self) -> None:
        """End the file. Idempotent."""
        if self._file.closed:
            return
        try:
            if self._header is not None:
                self._begin(0.0)
            self._file.close()
        except OSError:
            logging.getLogger(__name__).exception("the trace could not be written to its end")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _begin(self, at: float) -> None:
        """Write the first line. `began` is what a clock on the wall showed at the events' 0."""
        header, self._header = self._header, None
        told = {**(header or {}), "began": round(time.time() - at, 6)}
        self._file.write(encoded(told, self._secrets))


def first(plan: Plan) -> Mapping[str, Json]:
    """The first line of a trace, but for when it `began`."""
    return {
        "trace": FORMAT,
        "polyarch": __version__,
        "pipeline": plan.graph.name,
        "digest": plan.digest,
        "models": {name: spec.model for name, spec in plan.graph.models.items()},
        "graph": str(plan.graph),
        "plan": described(plan),
    }


def line(event: Event) -> Mapping[str, Json]:
    """An event as a line of a trace."""
    what, question, step, place, at, data = event
    told: dict[str, Json] = {"at": round(at, 6), "what": what, "question": question}
    if step:
        told["step"] = step
    if place >= 0:
        told["place"] = place
    if data:
        told["data"] = data
    return told


def encoded(value: Mapping[str, Json], secrets: Secrets) -> bytes:
    """A line of a trace as it is written, without anything secret."""
    try:
        text = _encode(value)
    except ValueError:
        text = _encode(secrets.clean(value))
    else:
        if secrets.suspected(text):
            text = _encode(secrets.clean(value))
    # Half a surrogate pair is no UTF-8; with a backslash it is valid JSON again.
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _plain(value: object) -> object:
    """What JSON does not know, as something that it does."""
    match value:
        case Mapping():
            return dict(value)
        case Sequence() | set() | frozenset():
            return list(value)
    return repr(value)


_encode = JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain
).encode
