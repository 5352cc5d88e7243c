"""A batch that can be taken up again: what had arrived is in its journal, what was finished in its
output."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ..compiler.errors import InputError
from ..compiler.plan import Plan
from ..compiler.values import Usage
from ..runtime.cache import Cache
from .errors import of_file

__all__ = ["Journal", "journal", "spent"]


@dataclass(frozen=True, slots=True)
class Journal:
    """The journal of a batch. `done` answers are in the output already."""

    cache: Cache
    done: int


@contextmanager
def journal(plan: Plan, source: Path, out: Path, seed: int) -> Iterator[Journal]:
    """The journal beside `out`, removed once the batch has ended well.

    A journal belongs to one pipeline, seed and file of questions. If there is one, whole lines of
    the output are kept up to the first question that failed; else the output is begun anew. Raises
    `InputError` if the journal of another batch is there.
    """
    path = _path(plan, source, out, seed)
    others = [other for other in out.parent.glob(f".{out.name}.*.journal") if other != path]
    if others:
        raise InputError(
            f"{others[0]} is left from another pipeline, seed or file of questions that was "
            f"writing to {out}; run that again to finish it, or delete the journal"
        )
    with of_file(str(out)):
        done = _whole_lines(out) if path.exists() else _begin(out)
    cache = Cache(path)
    try:
        yield Journal(cache, done)
    finally:
        cache.close()
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def spent(out: Path) -> Usage:
    """What the answers in an output cost, by their own records; what they did not read included."""
    total = Usage()
    with of_file(str(out)), out.open(encoding="utf-8") as answers:
        for line in answers:
            record = json.loads(line)
            for usage in (record["usage"], record["timing"]["unread"]):
                total += Usage(**usage)
    return total


def _path(plan: Plan, source: Path, out: Path, seed: int) -> Path:
    with of_file(str(source)), source.open("rb") as questions:
        asked = sha256()
        while block := questions.read(1 << 20):
            asked.update(block)
    batch = sha256(f"{plan.digest} {seed} {asked.hexdigest()}".encode()).hexdigest()[:12]
    return out.with_name(f".{out.name}.{batch}.journal")


def _failed(line: bytes) -> bool:
    # Few lines hold the word, and parsing all would take long.
    return b'"error": {' in line and "error" in json.loads(line)


def _begin(out: Path) -> int:
    # Before the journal is there: once it is, lines in the output count as done.
    out.write_bytes(b"")
    return 0


def _whole_lines(out: Path) -> int:
    """How many answers the output has up to half a line, or the first question that failed; what
    follows them is cut off, and comes again from the journal as far as it had arrived."""
    if not out.exists():
        return _begin(out)
    with out.open("r+b") as answers:
        done = end = 0
        for line in answers:
            if not line.endswith(b"\n") or _failed(line):
                break
            done += 1
            end += len(line)
        answers.truncate(end)
    return done
