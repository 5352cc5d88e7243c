"""What the arguments of an operator are, in words."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

__all__ = ["Field", "abouts", "fields"]


class Field(NamedTuple):
    """An argument: `kind` says in words what it takes."""

    name: str
    kind: str
    required: bool
    default: str
    about: str


def fields(cls: type[BaseModel]) -> tuple[Field, ...]:
    """The arguments of an operator, its own first."""
    schema = cls.model_json_schema()
    told = abouts(cls)
    own = inspect.get_annotations(cls)
    names = sorted(schema["properties"], key=lambda name: name not in own)
    return tuple(_field(cls, name, schema, told.get(name, "")) for name in names)


def _field(cls: type[BaseModel], name: str, schema: Mapping[str, Any], about: str) -> Field:
    prop = schema["properties"][name]
    required = name in schema.get("required", ())
    default = "none" if prop.get("default") is None else json.dumps(prop["default"])
    return Field(name, _kind(prop, schema.get("$defs", {})), required, default, about)


def abouts(cls: type[BaseModel]) -> Mapping[str, str]:
    """The string under each field, by the field's name; a class's own over its bases'."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= _written(base)
    return found


def _written(cls: type) -> dict[str, str]:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(tree, ast.ClassDef)
    found: dict[str, str] = {}
    for field, under in zip(tree.body, tree.body[1:], strict=False):
        match field, under:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = inspect.cleandoc(text)
    return found


def _kind(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    """A JSON Schema in words."""
    match schema:
        case {"$ref": str(ref)}:
            return f"the arguments of {defs[ref.rsplit('/', 1)[-1]].get('title', ref).lower()}"
        case {"anyOf": list(options)}:
            kinds = [_kind(o, defs) for o in options if o.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
        case {"enum": list(words)}:
            return "one of " + ", ".join(map(str, words))
        case {"const": word}:
            return str(word)
        case {"polyarch": str(what)}:
            return f"a {what}"
        case {"type": "array", "items": items}:
            return f"list of {_kind(items, defs)}"
        case {"type": "array"}:
            return "list"
    kind = str(schema.get("type", "anything"))
    return _WORDS.get(kind, kind) + _range(schema)


_WORDS = {"integer": "whole number", "string": "text", "boolean": "true or false"}

_BOUNDS = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
}


def _range(schema: Mapping[str, Any]) -> str:
    parts = [f"{sign} {schema[key]:g}" for key, sign in _BOUNDS.items() if key in schema]
    return f" {' and '.join(parts)}" if parts else ""
