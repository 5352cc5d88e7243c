"""How often data was looked at: a ledger beside it, so that the test split opens once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..compiler.errors import InputError
from ..compiler.values import Json
from .data.dataset import Dataset
from .data.split import TEST

__all__ = ["Looks", "look", "looked"]

_LEDGER = Path(".polyarch") / "looks.jsonl"


@dataclass(frozen=True, slots=True)
class Looks:
    """How many evaluations of a data set there were, this one included: of its dev split, of its
    test split, and of all of it at once. `again` says that the test split was opened once more on
    purpose."""

    dev: int = 0
    test: int = 0
    whole: int = 0
    again: bool = False


def looked(folder: Path, name: str) -> tuple[Looks, frozenset[str]]:
    """The looks at a data set that a folder's ledger holds, and the studies they were of.

    Raises `InputError` for a ledger that cannot be read.
    """
    counts = {"dev": 0, TEST: 0, "": 0}
    seen: set[str] = set()
    path = folder / _LEDGER
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        for told in map(json.loads, lines):
            if told["data"] == name and told["what"] not in seen:
                counts[told["split"]] += 1
                seen.add(told["what"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read as a ledger of looks: {error!r}") from error
    return Looks(counts["dev"], counts[TEST], counts[""]), frozenset(seen)


def look(
    folder: Path, data: Dataset, pipelines: Mapping[str, str], what: str, *, again: bool = False
) -> Looks:
    """Note a look at data, before anything is asked; `what` tells the evaluation from others.

    Taking up an interrupted evaluation is the same look. Raises `InputError` for a further look at
    the test split, unless it is taken `again` on purpose.
    """
    before, seen = looked(folder, data.name)
    if what in seen:
        return before
    if data.split == TEST and before.test and not again:
        raise InputError(
            f"the test split of {data.name} was opened before, as {folder / _LEDGER} says; choose "
            "by --split dev, or look again with --look-again, which the report will say"
        )
    told: dict[str, Json] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": data.name,
        "split": data.split,
        "fingerprint": data.fingerprint,
        "pipelines": dict(pipelines),
        "what": what,
    }
    path = folder / _LEDGER
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as ledger:
            ledger.write(json.dumps(told, ensure_ascii=False) + "\n")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    after, _ = looked(folder, data.name)
    return Looks(after.dev, after.test, after.whole, again and bool(before.test))
