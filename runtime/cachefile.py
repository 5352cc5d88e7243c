"""The file of the reply cache: SQLite, shared by processes. Prompts are not in it.

A row belongs to a request's key and the number of a draw, and its reply is sealed for these two
(`runtime.stored`): whatever happens to the file, a reply that is read is the one that was written
for that draw, or there is an error.
"""

from __future__ import annotations

import math
import os
import sqlite3
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from .cacheerror import WRONG, CacheError, CacheUnreadable, clearing, damaged, explained, kind
from .stored import Stored, seal, unseal

__all__ = ["FORMAT", "CacheFile", "Contents", "Found", "Row", "clear", "default_path"]

FORMAT = 2
"""The version of the file's layout and of the keys in it."""

_OURS = 0x706F6C79
"""SQLite's application id of our files."""

_SCHEMA = (
    "CREATE TABLE replies (id INTEGER PRIMARY KEY, key BLOB NOT NULL, number INTEGER NOT NULL, "
    "made INTEGER NOT NULL, used INTEGER NOT NULL, reply BLOB NOT NULL, UNIQUE (key, number))",
    "CREATE INDEX by_age ON replies (made)",
    "CREATE INDEX by_use ON replies (used)",
    f"PRAGMA application_id = {_OURS}",
    f"PRAGMA user_version = {FORMAT}",
)

_SELECT = "SELECT number, id, used, reply FROM replies WHERE key = ? AND number BETWEEN ? AND ?"

_AT_ONCE = 64
"""Rows in one statement. The lock of the interpreter is let go once a statement: a writer thread
that let it go once a row would wait long for it each time while the event loop is busy."""

Row: TypeAlias = "tuple[bytes, int, int, Stored]"
"""Key, draw number, when it was drawn (seconds of the epoch), reply."""

Found: TypeAlias = "tuple[int, int, int, int, Stored]"
"""Draw number, the row, when it was last used and when it was drawn, reply."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds. `bytes` are those in use; times are seconds of the epoch, 0 for none."""

    replies: int
    bytes: int
    oldest: int
    newest: int
    last_used: int


class CacheFile:
    """One connection to a cache file; any thread may use it, one at a time.

    Creates the file, readable by its owner alone, where there is none. Everything raises
    `CacheError`; a lock is waited for at most `patience` seconds.
    """

    def __init__(self, path: Path, patience: float = 10.0) -> None:
        self.path = path
        self._patience = patience
        _create(path)
        try:
            self._db = sqlite3.connect(
                path, timeout=patience, isolation_level=None, check_same_thread=False
            )
        except WRONG as error:
            raise self._error(error) from error
        try:
            self._prepare()
        except BaseException as error:
            self._db.close()
            if isinstance(error, WRONG):
                raise self._error(error) from error
            raise

    def get(self, key: bytes, first: int, last: int) -> list[Found]:
        """The stored draws of a request with numbers from `first` to `last`."""
        try:
            rows = self._db.execute(_SELECT, (key, first, last)).fetchall()
        except WRONG as error:
            raise self._error(error) from error
        found: list[Found] = []
        for number, row, used, reply in rows:
            opened = unseal(key, number, reply)
            if opened is None or not isinstance(used, int):
                raise damaged(self.path, f"draw {number} of request {key.hex()[:12]}")
            found.append((number, row, used, *opened))
        return found

    def put(self, rows: Sequence[Row], expired: int = 0) -> int:
        """Write replies in one transaction; how many bytes. One that is there already stays, unless
        it was drawn before `expired`."""
        values: list[bytes | int] = []
        written = 0
        for key, number, made, reply in rows:
            blob = seal(key, number, made, reply)
            written += len(blob)
            values += (key, number, made, made, blob)
        coming = iter(values)
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                left = len(rows)
                while left:
                    some = min(left, _AT_ONCE)
                    self._db.execute(_insert(some), (*islice(coming, 5 * some), expired))
                    left -= some
        except WRONG as error:
            raise self._error(error) from error
        return written

    def touch(self, rows: Sequence[int], used: int) -> None:
        """Note that these rows were used."""
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany(
                    "UPDATE replies SET used = max(used, ?) WHERE id = ?",
                    [(used, row) for row in rows],
                )
        except WRONG as error:
            raise self._error(error) from error

    def trim(self, *, expired: int | None = None, most: int | None = None) -> int:
        """Remove what was drawn before `expired`, and if more than `most` bytes are in use, what
        was not used for longest, down to nine tenths; how many replies.

        In short transactions, so that others can write between them.
        """
        removed = 0
        try:
            while expired is not None and self._oldest() < expired:
                removed += self._remove("made < ? ORDER BY made", expired)
            if most is not None and self._in_use() > most:
                while self._in_use() > most * 9 // 10:
                    gone = self._remove("id > ? ORDER BY used, id", 0)
                    if not gone:
                        break
                    removed += gone
        except WRONG as error:
            raise self._error(error) from error
        return removed

    def clear(self) -> int:
        """Remove every reply, and give the space back; how many there were."""
        try:
            count = self._db.execute("DELETE FROM replies").rowcount
        except WRONG as error:
            raise self._error(error) from error
        self.shrink()
        return count

    def shrink(self) -> None:
        """Give unused space back to the file system, as far as others' reading allows it."""
        try:
            # Not `execute`, which would stop after the first page.
            self._db.executescript("PRAGMA incremental_vacuum")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except WRONG as error:
            raise self._error(error) from error

    def contents(self) -> Contents:
        """What the file holds."""
        try:
            row = self._db.execute(
                "SELECT count(*), cast(coalesce(min(made), 0) AS INTEGER), "
                "cast(coalesce(max(made), 0) AS INTEGER), "
                "cast(coalesce(max(used), 0) AS INTEGER) FROM replies"
            ).fetchone()
            return Contents(row[0], self._in_use(), row[1], row[2], row[3])
        except WRONG as error:
            raise self._error(error) from error

    def close(self) -> None:
        """Close the connection. Idempotent."""
        try:
            self._db.close()
        except WRONG as error:
            raise self._error(error) from error

    def _oldest(self) -> float:
        """When the oldest reply was drawn. Without the lock that removing takes."""
        (made,) = self._db.execute("SELECT min(made) FROM replies").fetchone()
        return made if isinstance(made, int) else math.inf

    def _remove(self, which: str, value: int) -> int:
        """A few of the rows that `which` names."""
        return self._db.execute(
            "DELETE FROM replies WHERE id IN "
            f"(SELECT id FROM replies WHERE {which} LIMIT {_AT_ONCE})",
            (value,),
        ).rowcount

    def _in_use(self) -> int:
        (size,), (pages,), (free,) = (
            self._db.execute(f"PRAGMA {name}").fetchone()
            for name in ("page_size", "page_count", "freelist_count")
        )
        used: int = (pages - free) * size
        return used

    def _prepare(self) -> None:
        db = self._db
        db.execute("PRAGMA trusted_schema = OFF")
        db.execute("PRAGMA cell_size_check = ON")
        db.execute("PRAGMA synchronous = NORMAL")
        with db:
            db.execute("BEGIN")
            new = self._is_new()
        if new:
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._write_ahead()
        if not new:
            return
        with db:
            db.execute("BEGIN IMMEDIATE")
            # Another process may have been quicker.
            if self._is_new():
                for statement in _SCHEMA:
                    db.execute(statement)

    def _is_new(self) -> bool:
        """Whether the file is empty; in a transaction. Raises for one that is not a cache of this
        version."""
        db = self._db
        (ours,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if ours == _OURS:
            if version != FORMAT:
                raise CacheUnreadable(
                    f"{self.path}: the cache is of format {version}, and this polyarch uses format "
                    f"{FORMAT}: name another file, or remove the replies with {clearing(self.path)}"
                )
            return False
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if ours or version or tables:
            raise CacheError(
                f"{self.path} is a database of another program, not a cache: name another file"
            )
        return True

    def _write_ahead(self) -> None:
        """Switch to a write-ahead log. SQLite's own waiting for locks does not cover this."""
        end = time.monotonic() + self._patience
        while True:
            try:
                (mode,) = self._db.execute("PRAGMA journal_mode = WAL").fetchone()
                break
            except sqlite3.OperationalError as error:
                if kind(error) != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
                time.sleep(0.01)
        if mode != "wal":
            raise CacheError(
                f"{self.path}: the file system cannot hold a cache (SQLite's write-ahead log does "
                "not work there): name a file on a local disk"
            )

    def _error(self, error: sqlite3.Error | UnicodeError) -> CacheError:
        return explained(error, self.path, self._patience)


def default_path() -> Path:
    """Where the cache is: the file that POLYARCH_CACHE names, else one in the user's folder for
    caches."""
    named = os.environ.get("POLYARCH_CACHE")
    if named:
        return Path(named).expanduser()
    if sys.platform == "win32":
        folder = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        folder = "~/Library/Caches"
    else:
        folder = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(folder).expanduser() / "polyarch" / "replies.sqlite"


def clear(path: Path, patience: float = 10.0) -> int | None:
    """Remove every reply; how many there were, None for a file that could not be read any more and
    was deleted. Only what is a cache by its first bytes is ever deleted."""
    try:
        file = CacheFile(path, patience)
        try:
            return file.clear()
        finally:
            file.close()
    except CacheUnreadable:
        with path.open("rb") as stream:
            head = stream.read(72)
        if head[:16] != b"SQLite format 3\0" or head[68:] != _OURS.to_bytes(4, "big"):
            raise
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        name.unlink(missing_ok=True)
    return None


def _create(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # An existing file is not opened here: closing it would drop the locks that connections
        # of this process hold on it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if path.is_file():
            return
        raise CacheError(f"{path} is not a file: name another file for the cache") from None
    except OSError as error:
        raise CacheError(
            f"{path}: the cache cannot be created ({error.strerror}): name another file"
        ) from error


@cache
def _insert(rows: int) -> str:
    return (
        "INSERT INTO replies (key, number, made, used, reply) VALUES "
        + ", ".join(["(?, ?, ?, ?, ?)"] * rows)
        + " ON CONFLICT (key, number) DO UPDATE SET made = excluded.made, used = excluded.used, "
        "reply = excluded.reply WHERE made < ?"
    )
