"""The JSON Schema of what is open in a pipeline: a hole wherever a value may stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..compiler.holes import TABLES

__all__ = ["opened"]

_HOLE: Mapping[str, str] = {"$ref": "#/$defs/hole"}
_HOLE_STEP: Mapping[str, str] = {"$ref": "#/$defs/hole.step"}
_CLOSED = frozenset({"op", "version", "name", "about", "source", "where", "search"})
"""Keys whose values the schema leaves as they are, so that a slip in one is seen."""
_SEARCH = frozenset({"SearchSpec", "SearchBudget", "Objective"})
"""What is no part of the pipeline, and so has no holes."""
_OUTSIDE = ("title", "description", "default")

_BETWEEN: Mapping[str, Any] = {
    "type": "array",
    "items": {"type": "number"},
    "minItems": 2,
    "maxItems": 2,
}
_COUNT: Mapping[str, Any] = {"anyOf": [{"type": "integer", "minimum": 0}, _HOLE]}


def opened(schema: Mapping[str, Any], search: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of closed pipelines with holes in it; `search` is that of a search."""
    defs = {
        name: definition if name in _SEARCH else _open(definition)
        for name, definition in schema["$defs"].items()
    }
    root = _open(schema)
    step = root["properties"]["steps"]["additionalProperties"]
    root["properties"] |= {
        "where": {
            "description": "Conditions that hold of the choices, such as `drafts.n >= 4`.",
            "type": "array",
            "items": {"type": "string"},
        },
        "search": {"description": "How the space is searched.", **search},
    }
    holes = {"hole": {"anyOf": _forms()}, "hole.step": {"anyOf": [*_forms(), _repeat(step)]}}
    return {**root, "$defs": dict(sorted({**defs, **holes}.items()))}


def _forms() -> list[Mapping[str, Any]]:
    listed = {"type": "array", "minItems": 1}
    return [
        _form(
            "One of several values, or of several by name.", choose={"type": ["array", "object"]}
        ),
        _form(
            "A number of a range, both ends included; with `step`, on its grid.",
            between=_BETWEEN,
            _log={"type": "boolean"},
            _step={"type": "number", "exclusiveMinimum": 0},
        ),
        _form(
            "There or not; with `if`, there where that holds.",
            optional=True,
            _if={"type": "string"},
        ),
        _form("Some of several values.", subset=listed, _size=_COUNT),
        _form("The first values of a list.", take=_COUNT, of=listed),
        _form("The value as it is written, whatever it looks like.", literal=True),
    ]


def _repeat(step: Any) -> Mapping[str, Any]:
    inside = {
        "type": "object",
        "properties": {
            "times": _COUNT,
            "steps": {"type": "object", "minProperties": 1, "additionalProperties": step},
            "same": {"type": "boolean"},
        },
        "required": ["times", "steps"],
        "additionalProperties": False,
    }
    return _form("Steps that come several times, each time reading the time before.", repeat=inside)


def _form(about: str, **keys: Any) -> Mapping[str, Any]:
    """A mapping of these keys; those with a line before their names may be left out."""
    return {
        "description": about,
        "type": "object",
        "properties": {name.removeprefix("_"): told for name, told in keys.items()},
        "required": [name for name in keys if not name.startswith("_")],
        "additionalProperties": False,
    }


def _open(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a mapping whose values may be holes."""
    if "properties" not in schema:
        return dict(schema)
    told = schema["properties"]
    return {**schema, "properties": {key: _property(key, told[key]) for key in told}}


def _property(key: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
    if key in _CLOSED:
        return told
    return _table(key, told) if key in TABLES else _or_hole(told)


def _table(key: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
    """A mapping of names, each of which may be a hole."""
    if "anyOf" in told:
        return {**told, "anyOf": [_table(key, option) for option in told["anyOf"]]}
    if "additionalProperties" not in told:
        return told
    hole = _HOLE_STEP if key == "steps" else _HOLE
    return {**told, "additionalProperties": {"anyOf": [told["additionalProperties"], hole]}}


def _or_hole(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """A value or a hole, as may be the items of a list."""
    if "anyOf" in told:
        return {**told, "anyOf": [*map(_listed, told["anyOf"]), _HOLE]}
    outside = {key: told[key] for key in _OUTSIDE if key in told}
    inside = {key: value for key, value in told.items() if key not in outside}
    return {**outside, "anyOf": [_listed(inside), _HOLE]}


def _listed(told: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**told, "items": _or_hole(told["items"])} if "items" in told else told
