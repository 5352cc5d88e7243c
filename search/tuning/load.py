"""The load that an engine is measured under: a pipeline, its questions, and how many at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

__all__ = ["Job", "Load", "merged"]


@dataclass(frozen=True, slots=True)
class Load:
    """A pipeline's text with the folder of its files, the name of the model in it that is tuned,
    and questions, of which `concurrency` are under way at once."""

    text: str
    folder: str
    model: str
    questions: tuple[str, ...]
    concurrency: int
    keys: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """What tells loads apart."""
        told = [self.text, self.model, self.questions, self.concurrency]
        return sha256(json.dumps(told).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Job:
    """One measurement: the load, and the options of the model in it."""

    load: Load
    options: Mapping[str, Any]

    def record(self) -> str:
        """As JSON; `of` reads it."""
        return json.dumps({"load": asdict(self.load), "options": dict(self.options)})

    @classmethod
    def of(cls, text: str | bytes) -> Job:
        """What `record` wrote."""
        told = json.loads(text)
        load = told["load"]
        whole = {**load, "questions": tuple(load["questions"]), "keys": tuple(load["keys"])}
        return cls(Load(**whole), told["options"])


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Options with others over them, inside mappings as well."""
    made = dict(under)
    for name, value in over.items():
        there = made.get(name)
        both = isinstance(there, Mapping) and isinstance(value, Mapping)
        made[name] = merged(there, value) if both else value  # type: ignore[arg-type]
    return made
