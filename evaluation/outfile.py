"""The file of records: one line each, in order, taken up again after an interruption."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..compiler.errors import InputError
from ..compiler.values import Json
from .record import Record, from_line, to_line

__all__ = ["OutFile", "is_records", "open_out", "read_out"]

_HEAD = "evaluation"


class OutFile:
    """Records written so far, and where more go."""

    def __init__(self, stream: BinaryIO | None, done: tuple[Record, ...]) -> None:
        self.done = done
        self._stream = stream

    def write(self, record: Record) -> None:
        """Add a record; it is in the file when this returns."""
        if self._stream is not None:
            self._stream.write(to_line(record).encode("utf-8", "backslashreplace") + b"\n")
            self._stream.flush()


@contextmanager
def open_out(path: Path | None, head: Mapping[str, Json]) -> Iterator[OutFile]:
    """The file for the records of the evaluation that `head` describes; None writes nowhere.

    A file of the same evaluation is gone on with: half a line at its end is cut off, and items that
    failed are asked again. Raises `InputError` where the file holds anything else.
    """
    if path is None:
        yield OutFile(None, ())
        return
    told = {_HEAD: dict(head)}
    try:
        done = _kept(path, told) if path.exists() and path.stat().st_size else ()
        lines = [json.dumps(told, ensure_ascii=False), *map(to_line, done)]
        fresh = path.with_name(path.name + ".new")
        fresh.write_bytes(
            "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
        )
        fresh.replace(path)
        with path.open("ab") as stream:
            yield OutFile(stream, done)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def read_out(path: Path) -> tuple[Mapping[str, Json], tuple[Record, ...]]:
    """The head and the records of a file. Raises `InputError`."""
    try:
        with path.open("rb") as lines:
            head = json.loads(next(lines, b"null"))
            if not isinstance(head, dict) or _HEAD not in head:
                raise InputError(f"{path} holds no records of an evaluation")
            return head[_HEAD], tuple(_records(lines, path))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"{path} holds no records of an evaluation") from error


def is_records(path: Path) -> bool:
    """Whether a file is one of records, by its first line. Raises `InputError` for none."""
    try:
        if path.is_dir():
            return False
        with path.open("rb") as lines:
            head = json.loads(next(lines, b"null"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except ValueError:
        return False
    return isinstance(head, dict) and _HEAD in head


def _records(lines: Iterator[bytes] | BinaryIO, path: Path) -> Iterator[Record]:
    for number, line in enumerate(lines, start=2):
        if not line.endswith(b"\n"):
            return
        try:
            yield from_line(line)
        except (ValueError, KeyError, TypeError) as error:
            message = f"{path}:{number}: not a record: {error}"
            raise InputError(message, file=str(path), line=number) from error


def _kept(path: Path, told: Mapping[str, Json]) -> tuple[Record, ...]:
    """The records that need not be made again."""
    head, records = read_out(path)
    mine = told[_HEAD]
    assert isinstance(mine, dict)
    other = [name for name in mine if head.get(name) != mine[name]]
    if other:
        raise InputError(
            f"{path} is left from an evaluation with another {' and '.join(other)}; write to "
            "another file, or delete it"
        )
    return tuple(record for record in records if not record.error)
