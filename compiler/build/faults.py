"""The faults of one document, gathered with their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from ..errors import Fault, Span
from ..names import nearest
from ..source import Document
from ..spec import STEP_KEYS, Allowance, ModelSpec
from ..toolspec import ToolSpec

__all__ = ["Faults", "explain", "known_part"]


@dataclass(slots=True)
class Faults:
    """Where faults of one document gather."""

    document: Document
    plain: Any
    """The document as plain values."""
    found: list[Fault] = field(default_factory=list)

    def add(
        self,
        code: str,
        message: str,
        path: tuple[str | int, ...],
        hint: str = "",
        *,
        key: bool = False,
    ) -> None:
        """Report a fault at the value of a path, or at its key."""
        self.at(code, message, self.document.span(path, key=key), hint)

    def at(self, code: str, message: str, span: Span, hint: str = "") -> None:
        """Report a fault at a span."""
        self.found.append(Fault(code, message, span, hint))

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of all steps, be they right or wrong."""
        return tuple(self.plain["steps"])

    def declares_models(self, name: str = "") -> bool:
        """Whether `models:` holds any model, or this one, be it right or wrong."""
        models = self.plain.get("models") if isinstance(self.plain, dict) else None
        if not isinstance(models, dict):
            return False
        return name in models if name else len(models) == 1


def explain(
    error: ValidationError, path: tuple[str | int, ...], cls: type[BaseModel], faults: Faults
) -> None:
    """Pydantic's complaints as faults at their places."""
    seen: set[tuple[int, int]] = set()
    for problem in error.errors(include_url=False, include_input=False):
        loc = known_part(faults.plain, (*path, *problem["loc"]))
        word = str(problem["loc"][-1]) if problem["loc"] else ""
        if problem["type"] == "extra_forbidden":
            outer = problem["loc"][:-1]
            keys = _keys(cls) if not outer else _inner_keys(cls, outer)
            if path[:1] == ("steps",) and len(path) == 2 and not outer:
                keys = (*keys, *STEP_KEYS)
            faults.add("unknown-key", f"unknown key {word!r}", loc, nearest(word, keys), key=True)
            continue
        span = faults.document.span(loc)
        if (span.line, span.column) in seen:
            continue
        seen.add((span.line, span.column))
        if problem["type"] == "missing":
            faults.at("missing", f"{word!r} is missing", span)
        else:
            message = problem["msg"].removeprefix("Value error, ")
            field = f"{word}: " if word and not word.isdigit() else ""
            faults.at("value", f"{field}{message[:1].lower()}{message[1:]}", span)


def known_part(root: Any, loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """`loc` without what pydantic adds for unions: only what the value holds."""
    value = root
    kept: list[str | int] = []
    for part in loc:
        held = isinstance(value, dict) and part in value
        if isinstance(value, list) and isinstance(part, int):
            held = part < len(value)
        if held:
            value = value[part]
            kept.append(part)
    return tuple(kept)


def _keys(cls: type[BaseModel]) -> tuple[str, ...]:
    return tuple((f.alias or name) for name, f in cls.model_fields.items())


_TABLES: Mapping[str, type[BaseModel]] = {
    "models": ModelSpec,
    "budgets": Allowance,
    "tools": ToolSpec,
}
"""What stands under each name of a mapping of names."""


def _inner_keys(cls: type[BaseModel], outer: tuple[str | int, ...]) -> tuple[str, ...]:
    """The keys of the model that stands at `outer` within `cls`, if there is one."""
    if outer[0] not in _TABLES:
        return _field_keys(cls, outer[:1])
    return _field_keys(_TABLES[str(outer[0])], outer[2:])


def _field_keys(cls: type[BaseModel], path: tuple[str | int, ...]) -> tuple[str, ...]:
    """The keys of the model that a path of fields leads to, of the last one on the way."""
    for part in path:
        field = cls.model_fields.get(str(part))
        written = None if field is None else field.annotation
        found = next(_models(written), None)
        if found is None:
            return ()
        cls = found
    return _keys(cls)


def _models(written: object) -> Iterator[type[BaseModel]]:
    """The models that an annotation names."""
    if isinstance(written, type) and issubclass(written, BaseModel):
        yield written
    for inner in get_args(written):
        yield from _models(inner)
