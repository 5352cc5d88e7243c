"""Where the record of studies is: an SQLite file, a journal, or Postgres for several machines."""

from __future__ import annotations

import json
import sqlite3
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from ..compiler.errors import InputError, MissingPackage

__all__ = ["Database", "Journal", "Postgres", "Row", "Sqlite", "database", "is_url"]

Row: TypeAlias = "tuple[Any, ...]"

_TABLES = (
    "CREATE TABLE IF NOT EXISTS polyarch_study (name TEXT PRIMARY KEY, facts TEXT NOT NULL, "
    "opened TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS polyarch_trial (study TEXT NOT NULL, key TEXT NOT NULL, "
    "number INTEGER NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL, marks TEXT NOT NULL, "
    "owner TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (study, key))",
    "CREATE TABLE IF NOT EXISTS polyarch_owner (study TEXT NOT NULL, owner TEXT NOT NULL, "
    "began DOUBLE PRECISION NOT NULL, seen DOUBLE PRECISION NOT NULL, calls BIGINT NOT NULL, "
    "tokens BIGINT NOT NULL, usd DOUBLE PRECISION NOT NULL, PRIMARY KEY (study, owner))",
    "CREATE TABLE IF NOT EXISTS polyarch_opened (study TEXT NOT NULL, "
    "at DOUBLE PRECISION NOT NULL)",
    "CREATE TABLE IF NOT EXISTS polyarch_space (study TEXT NOT NULL PRIMARY KEY, "
    "text TEXT NOT NULL, folder TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS polyarch_answer (study TEXT NOT NULL, key TEXT NOT NULL, "
    "value DOUBLE PRECISION NOT NULL, fitted INTEGER NOT NULL, PRIMARY KEY (study, key))",
    "CREATE TABLE IF NOT EXISTS polyarch_task (made TEXT NOT NULL, name TEXT NOT NULL, "
    "task TEXT NOT NULL, tried TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS polyarch_trial_version ON polyarch_trial (study, version)",
)

_JOURNAL = "journal:"
_POSTGRES = ("postgresql://", "postgres://")

_LOCK = 0x706F6C79
"""The key of the lock under which Postgres writes; SQLite's file has one of its own."""


class Database:
    """A place for tables. All that is written in one `transaction` is there, or none of it."""

    @abstractmethod
    def transaction(self) -> Any:
        """A context in which nobody else writes."""

    @abstractmethod
    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """Execute a statement, with `?` for each value; its rows, if it gives any."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it. Idempotent."""

    def _prepare(self) -> None:
        with self.transaction():
            for statement in _TABLES:
                self.rows(statement)


class Sqlite(Database):
    """A file, shared by the processes of one machine."""

    def __init__(self, path: Path, patience: float = 30.0) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(path, timeout=patience, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._prepare()
        except sqlite3.Error as error:
            raise InputError(f"{path} cannot hold the record of a search: {error}") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A context in which nobody else writes."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """Execute a statement."""
        return self._db.execute(statement, tuple(values)).fetchall()

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._db.close()


class Journal(Database):
    """A file that statements are appended to, for folders that several machines share, where an
    SQLite file must not be. Everybody holds the tables that they make in memory."""

    def __init__(self, path: Path, patience: float = 30.0) -> None:
        self.path = path
        self._patience = patience
        self._within: list[tuple[str, list[object]]] | None = None
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b", buffering=0)
            self._read = 0
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise InputError(f"{path} cannot hold the record of a search: {error}") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A context in which nobody else writes."""
        import fcntl

        self._lock()
        try:
            self._catch_up()
            # What was cut off while it was written, never was.
            self._file.truncate(self._read)
            self._within = []
            self._db.execute("BEGIN")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            line = json.dumps(self._within).encode() + b"\n" if self._within else b""
            self._file.write(line)
            self._read += len(line)
            self._db.execute("COMMIT")
        finally:
            self._within = None
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """Execute a statement."""
        reads = statement.startswith("SELECT")
        if self._within is None and not reads:
            with self.transaction():
                return self.rows(statement, values)
        if self._within is None:
            self._catch_up()
        elif not reads:
            self._within.append((statement, list(values)))
        return self._db.execute(statement, tuple(values)).fetchall()

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._file.close()
        self._db.close()

    def _lock(self) -> None:
        import fcntl

        began = time.monotonic()
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if time.monotonic() - began > self._patience:
                    told = f"{self.path} was locked for {self._patience:g} seconds"
                    raise InputError(told) from error
                time.sleep(0.002)

    def _catch_up(self) -> None:
        """Execute what others have appended, as far as it is written out."""
        self._file.seek(self._read)
        told = self._file.readall()
        whole = told[: told.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            for statement, values in json.loads(line):
                self._db.execute(statement, values)


class Postgres(Database):
    """A database of a Postgres server, shared by many machines."""

    def __init__(self, url: str) -> None:
        try:
            import psycopg
        except ImportError as error:
            hint = "pip install 'polyarch[postgres]'"
            raise MissingPackage(f"{url.split('@')[-1]} needs psycopg: {hint}") from error
        try:
            self._db = psycopg.connect(url, autocommit=True)
        except psycopg.Error as error:
            raise InputError(f"{url.split('@')[-1]} cannot be reached: {error}") from error
        self._prepare()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A context in which nobody else writes."""
        with self._db.transaction():
            self._db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            yield

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """Execute a statement."""
        found = self._db.execute(statement.replace("?", "%s").encode(), tuple(values))
        return found.fetchall() if found.description else []

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._db.close()


def is_url(where: str) -> bool:
    """Whether this says where a database is, and is no plain name."""
    return where.startswith((_JOURNAL, *_POSTGRES))


def database(where: str | Path) -> Database:
    """The database of a file; of a URL that begins with `postgresql://`; of a journal, after
    `journal:`."""
    told = str(where)
    if told.startswith(_POSTGRES):
        return Postgres(told)
    if told.startswith(_JOURNAL):
        return Journal(Path(told.removeprefix(_JOURNAL)))
    return Sqlite(Path(told))
