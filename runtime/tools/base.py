"""The contract of a tool at run time: what it takes, a call, an end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ...compiler.errors import ToolFailed
from ...compiler.toolcalls import wrong_schema
from ...compiler.toolspec import ToolSpec
from ...compiler.values import Json, Tool

__all__ = ["Open", "described", "secret"]


class Open(Protocol):
    """A tool that can be called."""

    @property
    def tool(self) -> Tool:
        """What a model is told of it."""

    async def call(self, arguments: Mapping[str, Json]) -> Json:
        """What it gives. Cancelling ends the call. Raises `ToolFailed`."""

    async def aclose(self) -> None:
        """Release what it holds. Idempotent."""


def described(name: str, spec: ToolSpec, about: str, parameters: Mapping[str, Any]) -> Tool:
    """What a model is told: what the file says, else what the tool itself does.

    Raises `ToolFailed` if its schema is none.
    """
    schema = spec.parameters or parameters
    if wrong := wrong_schema(schema):
        raise ToolFailed(f"tool {name!r} describes its arguments by no JSON Schema: {wrong}")
    return Tool(name, spec.about or about, schema)


def secret(name: str, value: object, environment: Mapping[str, str]) -> str:
    """A header or variable of a tool: a text, or what the environment holds of that name.

    Raises `ToolFailed` if it holds none.
    """
    if isinstance(value, str):
        return value
    variable, prefix = getattr(value, "key_env", ""), getattr(value, "prefix", "")
    if not environment.get(variable):
        raise ToolFailed(f"tool {name!r} needs the environment variable {variable}")
    return f"{prefix}{environment[variable]}"
