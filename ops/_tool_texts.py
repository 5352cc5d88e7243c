"""Tools as a model is told of them in a prompt."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ..compiler.values import Json, Tool

__all__ = ["listed"]


def listed(tools: Sequence[Tool]) -> str:
    """A line for each tool, with what it takes; longer descriptions below it."""
    return "\n".join(map(_told, tools))


def _told(tool: Tool) -> str:
    properties, required = tool.parameters.get("properties"), tool.parameters.get("required")
    needed = required if isinstance(required, Sequence) else ()
    arguments = [
        _argument(name, schema, needed=name in needed)
        for name, schema in (properties.items() if isinstance(properties, Mapping) else ())
    ]
    head = f"- {tool.name}({', '.join(arguments)})"
    about = " ".join(tool.about.split())
    lines = [f"{head}: {about}" if about else head]
    if isinstance(properties, Mapping):
        for name, schema in properties.items():
            if isinstance(schema, Mapping) and schema.get("description"):
                lines.append(f"    {name}: {' '.join(str(schema['description']).split())}")
    if definitions := tool.parameters.get("$defs"):
        lines.append(f"    with {json.dumps(definitions, ensure_ascii=False, default=dict)}")
    return "\n".join(lines)


def _argument(name: str, schema: Json, *, needed: bool) -> str:
    told = f"{name}: {_kind(schema)}"
    return told if needed else f"{told} = {_default(schema)}"


def _default(schema: Json) -> str:
    if isinstance(schema, Mapping) and "default" in schema:
        return json.dumps(schema["default"], ensure_ascii=False, default=dict)
    return "…"


def _kind(schema: Json) -> str:
    """A schema in a word where one says it all, else as it is."""
    if isinstance(schema, Mapping):
        left = {key for key in schema if key not in ("type", "title", "description", "default")}
        if not left and isinstance(schema.get("type"), str):
            return str(schema["type"])
        plain = {k: v for k, v in schema.items() if k not in ("title", "description", "default")}
        return json.dumps(plain, ensure_ascii=False, default=dict) if plain else "any"
    return "any"
