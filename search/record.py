"""The record of one study: its trials, who works on it, and what they may spend.

Whoever spends takes a lease first, which is written down before anything is asked. What a process
that was killed had leased and not accounted for counts as spent: so the budget is never exceeded,
whoever dies when.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from uuid import uuid4

from ..compiler.errors import InputError
from ..compiler.space import Choice
from ..compiler.values import Json
from .database import Database
from .guard import Answer
from .trial import State, Trial

__all__ = ["Amounts", "Limits", "Record", "Told", "studies"]

_STALE = 600.0
"""Seconds after which somebody of another machine who does not show up is taken for dead."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Calls, tokens and dollars."""

    calls: int = 0
    tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(self.calls + other.calls, self.tokens + other.tokens, self.usd + other.usd)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a whole study may spend; None does not bind."""

    calls: int | None = None
    tokens: int | None = None
    usd: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A study as it stands, for whoever reads it: its facts, the text of its space, the folder that
    its files were in, and its trials."""

    name: str
    facts: Mapping[str, Json]
    text: str
    folder: str
    trials: tuple[Trial, ...]


def studies(database: Database) -> Iterator[Told]:
    """All studies of a database whose space is known."""
    rows = database.rows(
        "SELECT s.name, s.facts, p.text, p.folder FROM polyarch_study s "
        "JOIN polyarch_space p ON p.study = s.name ORDER BY s.name"
    )
    for name, facts, text, folder in rows:
        trials = database.rows(
            "SELECT key, number, state, why, marks FROM polyarch_trial WHERE study = ? "
            "ORDER BY number",
            (name,),
        )
        made = (
            Trial(number, json.loads(key), Trial.marks_of(marks), _state(state), why)
            for key, number, state, why, marks in trials
        )
        yield Told(name, json.loads(facts), text, folder, tuple(made))


class Record:
    """A study in a database, in the hands of one process.

    Raises `InputError` if the name belongs to a study of another space, of other data or with other
    objectives: `facts` differ.
    """

    def __init__(
        self,
        database: Database,
        name: str,
        facts: Mapping[str, Json],
        *,
        space: tuple[str, str] = ("", ""),
        now: Callable[[], float] = time.time,
    ) -> None:
        """`space` is the text of the space and the folder of its files, for whoever reads this."""
        self._db = database
        self._name = name
        self._now = now
        self._seen = 0
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        with database.transaction():
            self._open(facts, space)

    def _open(self, facts: Mapping[str, Json], space: tuple[str, str]) -> None:
        told = json.dumps(facts, sort_keys=True)
        rows = self._db.rows("SELECT facts FROM polyarch_study WHERE name = ?", (self._name,))
        if rows and rows[0][0] != told:
            there = json.loads(rows[0][0])
            differing = sorted(key for key in {*there, *facts} if there.get(key) != facts.get(key))
            raise InputError(
                f"the study {self._name!r} is one of another {' and '.join(differing)}: give this "
                "one another name with --study, or another folder with --out"
            )
        if not rows:
            values = (self._name, told, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
            self._db.rows("INSERT INTO polyarch_study VALUES (?, ?, ?)", values)
            self._db.rows("INSERT INTO polyarch_space VALUES (?, ?, ?)", (self._name, *space))
        began = (self._name, self.owner, self._now(), self._now())
        self._db.rows("INSERT INTO polyarch_owner VALUES (?, ?, ?, ?, 0, 0, 0)", began)

    def claim(self, choice: Choice) -> Trial | None:
        """Begin the trial of a choice, or go on with one that somebody left; None if it is taken or
        over."""
        trial = Trial(0, choice)
        with self._db.transaction():
            rows = self._db.rows(
                "SELECT number, state, owner, marks FROM polyarch_trial "
                "WHERE study = ? AND key = ?",
                (self._name, trial.key),
            )
            if rows:
                number, state, owner, marks = rows[0]
                if state != "running" or self._lives(owner):
                    return None
                trial = Trial(number, choice, Trial.marks_of(marks))
            else:
                trial = Trial(self._count() + 1, choice)
            self._write(trial)
        return trial

    def save(self, trial: Trial, spent: Amounts | None = None) -> None:
        """Write down how far a trial is; with `spent`, also what this process has spent in all:
        then nothing of its lease is left over."""
        with self._db.transaction():
            self._write(trial)
            self._touch(spent)

    def abandoned(self) -> list[Trial]:
        """The trials that were under way in the hands of processes that are gone."""
        rows = self._db.rows(
            "SELECT key, number, marks, owner FROM polyarch_trial "
            "WHERE study = ? AND state = 'running' ORDER BY number",
            (self._name,),
        )
        return [
            Trial(number, json.loads(key), Trial.marks_of(marks))
            for key, number, marks, owner in rows
            if not self._lives(owner)
        ]

    def news(self) -> list[Trial]:
        """The trials that changed since this was last called, others' included."""
        rows = self._db.rows(
            "SELECT key, number, state, why, marks, version FROM polyarch_trial "
            "WHERE study = ? AND version > ? ORDER BY version",
            (self._name, self._seen),
        )
        if rows:
            self._seen = rows[-1][5]
        return [
            Trial(number, json.loads(key), Trial.marks_of(marks), _state(state), why)
            for key, number, state, why, marks, _ in rows
        ]

    def lease(self, wanted: Amounts, block: Amounts, limits: Limits) -> Amounts | None:
        """Take a lease of at least `wanted`, and of up to `block` if there is so much; None if it
        does not fit what is left."""
        with self._db.transaction():
            used = self._used()
            granted = []
            for unit in ("calls", "tokens", "usd"):
                limit, least = getattr(limits, unit), getattr(wanted, unit)
                left = float("inf") if limit is None else limit - getattr(used, unit)
                if least > left:
                    return None
                granted.append(max(least, min(left, getattr(block, unit))))
            lease = Amounts(int(granted[0]), int(granted[1]), granted[2])
            self._db.rows(
                "UPDATE polyarch_owner SET calls = calls + ?, tokens = tokens + ?, "
                "usd = usd + ?, seen = ? WHERE study = ? AND owner = ?",
                (lease.calls, lease.tokens, lease.usd, self._now(), self._name, self.owner),
            )
        return lease

    def settle(self, spent: Amounts) -> None:
        """Give back what is left of the leases: this process has spent so much in all, and nothing
        is under way."""
        with self._db.transaction():
            self._touch(spent)

    def opening(self) -> int:
        """Note that the locked questions are opened now; how often that was, with this time."""
        with self._db.transaction():
            self._db.rows("INSERT INTO polyarch_opened VALUES (?, ?)", (self._name, self._now()))
            counted = self._db.rows(
                "SELECT count(*) FROM polyarch_opened WHERE study = ?", (self._name,)
            )
        return int(counted[0][0])

    def answered(self, key: str, ask: Callable[[], Answer], most: int) -> Answer | None:
        """What the guard of the held-back questions says to a query; None once it has told what it
        knows of them `most` times. An equal query has an equal answer, which counts once."""
        with self._db.transaction():
            rows = self._db.rows(
                "SELECT key, value, fitted FROM polyarch_answer WHERE study = ?", (self._name,)
            )
            known = {told: Answer(value, bool(fitted)) for told, value, fitted in rows}
            if key in known:
                return known[key]
            made = ask()
            if made.fitted and sum(one.fitted for one in known.values()) >= most:
                return None
            values = (self._name, key, made.value, int(made.fitted))
            self._db.rows("INSERT INTO polyarch_answer VALUES (?, ?, ?, ?)", values)
        return made

    def told(self) -> int:
        """How often the guard told what it knows of the held-back questions."""
        statement = "SELECT coalesce(sum(fitted), 0) FROM polyarch_answer WHERE study = ?"
        return int(self._db.rows(statement, (self._name,))[0][0])

    def used(self) -> Amounts:
        """What everybody has leased and not given back, and spent."""
        return self._used()

    def seconds(self) -> float:
        """For how long anybody has worked on the study."""
        rows = self._db.rows(
            "SELECT began, seen FROM polyarch_owner WHERE study = ? AND owner != ? ORDER BY began",
            (self._name, self.owner),
        )
        total, until = 0.0, float("-inf")
        for began, seen in rows:
            total += max(0.0, seen - max(began, until))
            until = max(until, seen)
        return total

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def _used(self) -> Amounts:
        rows = self._db.rows(
            "SELECT coalesce(sum(calls), 0), coalesce(sum(tokens), 0), coalesce(sum(usd), 0) "
            "FROM polyarch_owner WHERE study = ?",
            (self._name,),
        )
        calls, tokens, usd = rows[0]
        return Amounts(int(calls), int(tokens), float(usd))

    def _touch(self, spent: Amounts | None) -> None:
        where = (self._name, self.owner)
        if spent is None:
            statement = "UPDATE polyarch_owner SET seen = ? WHERE study = ? AND owner = ?"
            self._db.rows(statement, (self._now(), *where))
            return
        self._db.rows(
            "UPDATE polyarch_owner SET calls = ?, tokens = ?, usd = ?, seen = ? "
            "WHERE study = ? AND owner = ?",
            (spent.calls, spent.tokens, spent.usd, self._now(), *where),
        )

    def _count(self) -> int:
        statement = "SELECT coalesce(max(number), 0) FROM polyarch_trial WHERE study = ?"
        return int(self._db.rows(statement, (self._name,))[0][0])

    def _write(self, trial: Trial) -> None:
        statement = "SELECT coalesce(max(version), 0) FROM polyarch_trial WHERE study = ?"
        version = int(self._db.rows(statement, (self._name,))[0][0]) + 1
        self._db.rows(
            "INSERT INTO polyarch_trial VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (study, key) DO UPDATE SET state = excluded.state, why = excluded.why, "
            "marks = excluded.marks, owner = excluded.owner, version = excluded.version",
            (
                self._name,
                trial.key,
                trial.number,
                trial.state,
                trial.why,
                trial.record(),
                self.owner,
                version,
            ),
        )

    def _lives(self, owner: str) -> bool:
        """Whether the process of that name is still at work."""
        if owner == self.owner:
            return True
        host, pid, _ = owner.rsplit(":", 2)
        if host == socket.gethostname():
            return _runs(int(pid))
        statement = "SELECT seen FROM polyarch_owner WHERE study = ? AND owner = ?"
        rows = self._db.rows(statement, (self._name, owner))
        return bool(rows) and self._now() - rows[0][0] < _STALE


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _state(told: str) -> State:
    return told  # type: ignore[return-value]
