"""What can be wrong with a cache file, and what can be done about it."""

from __future__ import annotations

import shlex
import sqlite3
from pathlib import Path

from ..compiler.errors import PolyarchError

__all__ = ["WRONG", "CacheError", "CacheUnreadable", "clearing", "damaged", "explained", "kind"]


WRONG = (sqlite3.Error, UnicodeError)
"""What SQLite raises; the second for an error whose own text is out of a damaged file."""


class CacheError(PolyarchError):
    """The reply cache cannot be used: locked, not writable, damaged, or no cache at all."""

    code = "cache"


class CacheUnreadable(CacheError):
    """The contents of the file are damaged, or of another version."""


def explained(error: sqlite3.Error | UnicodeError, path: Path, patience: float) -> CacheError:
    """An error of SQLite, with what can be done about it."""
    if isinstance(error, UnicodeError):
        return damaged(path, "a text in it is no text")
    if isinstance(error, sqlite3.ProgrammingError):
        return CacheError(f"{path}: the cache cannot be used: {error}")
    match kind(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED | sqlite3.SQLITE_PROTOCOL:
            return CacheError(
                f"{path}: another process kept the cache locked for {patience:g} s: wait for it or "
                "stop it, then run again"
            )
        case sqlite3.SQLITE_FULL:
            return CacheError(
                f"{path}: no space left for the cache: free some, or name another file"
            )
        case (
            sqlite3.SQLITE_READONLY
            | sqlite3.SQLITE_CANTOPEN
            | sqlite3.SQLITE_PERM
            | sqlite3.SQLITE_IOERR
        ):
            return CacheError(
                f"{path}: the cache cannot be read or written ({error}): check the file, its "
                "folder and who may write there, or name another file"
            )
        case sqlite3.SQLITE_NOTADB:
            return CacheUnreadable(
                f"{path} is not a cache, or damaged: name another file, or delete it"
            )
    return damaged(path, str(error))


def damaged(path: Path, what: str) -> CacheUnreadable:
    """The error of a file with wrong contents."""
    return CacheUnreadable(
        f"{path}: the cache is damaged ({what}): remove it with {clearing(path)}"
    )


def clearing(path: Path) -> str:
    """The command that removes every reply."""
    return f"`polyarch cache clear --file {shlex.quote(str(path))}`"


def kind(error: sqlite3.Error) -> int:
    """SQLite's primary error code; its plain error where it told none."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
