"""Rows from lines of JSON, plain or packed with gzip."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from ...compiler.errors import InputError
from .row import Row

__all__ = ["rows", "unpacked"]


def unpacked(path: Path) -> IO[bytes]:
    """The file, open for reading; unpacked where its name ends in `.gz`."""
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def rows(path: Path) -> Iterator[Row]:
    """One object a line; blank lines are left out. Raises `InputError` with file and line."""
    with unpacked(path) as lines:
        try:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _row(line, f"{path}:{number}")
        except (gzip.BadGzipFile, EOFError) as error:
            raise InputError(f"{path}: the file is damaged: {error}") from error


def _row(line: bytes, where: str) -> Row:
    try:
        value = json.loads(line)
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8: {error.reason}") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not JSON: {error.msg} (column {error.colno})") from error
    except RecursionError as error:
        raise InputError(f"{where}: nested too deep") from error
    if not isinstance(value, dict):
        raise InputError(f"{where}: a row is an object with fields, not {line[:40]!r}")
    return Row(where, value)
