"""Calls of tools: what becomes of one, and which arguments a tool takes."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from .names import nearest
from .values import Json, Tool, Usage

__all__ = ["Called", "wrong_arguments", "wrong_schema"]

_LONGEST = 200
"""Characters of a complaint."""


@dataclass(frozen=True, slots=True)
class Called:
    """What became of a call of a tool: its `value`, or the `error`, in words, that there is none.
    `usage` is what it cost."""

    value: Json = None
    error: str = ""
    usage: Usage = field(default_factory=Usage)


def wrong_arguments(
    tool: Tool, arguments: Mapping[str, Json], unknown: Set[str] = frozenset()
) -> str:
    """What is wrong with the arguments of a call, by the tool's schema; "" if nothing is.

    `unknown` are arguments whose values are not known yet: they have to be named rightly, no more.
    """
    properties = tool.parameters.get("properties", {})
    assert isinstance(properties, Mapping)
    known = tuple(properties)
    for name in arguments:
        if name not in properties and tool.parameters.get("additionalProperties") is False:
            told = nearest(name, known) or f"it takes {', '.join(known) or 'none'}"
            return f"{tool.name} takes no argument {name!r}; {told}"
    for error in _errors(tool, arguments):
        if isinstance(error, str):
            return error
        where = [str(part) for part in error.absolute_path]
        if where and where[0] in unknown:
            continue
        message = str(error.message)
        told = message if len(message) <= _LONGEST else f"{message[:_LONGEST]}…"
        return f"argument {'.'.join(where)}: {told}" if where else told
    return ""


def wrong_schema(parameters: Mapping[str, Any]) -> str:
    """What is wrong with a JSON Schema of arguments; "" if nothing is."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(parameters)
    except SchemaError as error:
        return str(error.message)
    if parameters.get("type") != "object":
        return "it does not describe an object"
    return "" if isinstance(parameters.get("properties", {}), Mapping) else "properties is a list"


def _errors(tool: Tool, arguments: Mapping[str, Json]) -> list[Any]:
    from referencing.exceptions import Unresolvable

    try:
        return sorted(_validator(_Same(tool.parameters)).iter_errors(arguments), key=_place)
    except Unresolvable:
        return [f"the schema of {tool.name} refers to what it does not hold"]


def _place(error: Any) -> list[str]:
    return [str(part) for part in error.absolute_path]


class _Same:
    """A schema as the key of a cache: the same object, not an equal one."""

    __slots__ = ("of",)

    def __init__(self, of: Mapping[str, Json]) -> None:
        self.of = of

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.of is other.of

    def __hash__(self) -> int:
        return id(self.of)


@lru_cache(maxsize=256)
def _validator(schema: _Same) -> Any:
    from jsonschema import Draft202012Validator
    from referencing import Registry

    # Without a registry of its own, it would look for schemas in the network.
    return Draft202012Validator(schema.of, registry=Registry())
