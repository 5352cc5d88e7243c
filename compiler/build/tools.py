"""The tools that a pipeline and its steps name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from ..names import nearest
from ..op import Op
from ..spec import Spec
from ..toolcalls import wrong_schema
from ..toolspec import placeholders
from .faults import Faults

__all__ = ["check_tools", "named_tools"]

Where: TypeAlias = "tuple[str | int, ...]"


def check_tools(spec: Spec, faults: Faults) -> None:
    """Faults for schemas that are none, and for URLs that name what the schema does not have."""
    for name, tool in spec.tools.items():
        path: Where = ("tools", name)
        if tool.parameters is None:
            continue
        if wrong := wrong_schema(tool.parameters):
            faults.add("value", f"parameters is no JSON Schema: {wrong}", (*path, "parameters"))
        elif tool.http is not None:
            known = tuple(tool.parameters.get("properties", {}))
            for named in placeholders(tool.http.url):
                if named not in known:
                    told = f"the URL names {named!r}, which parameters do not have"
                    faults.add("value", told, (*path, "http", "url"), nearest(named, known))


def named_tools(op: Op, spec: Spec, path: Where, faults: Faults) -> Op:
    """The operator with the tools that it may call written down: all of the pipeline's, if it names
    none. Faults for those that there are not."""
    if "tools" not in type(op).model_fields:
        return op
    tools = spec.tools
    names = op.tool_names()
    if not tools and not _declares(faults):
        told = "it calls tools, and the pipeline declares none in `tools:`"
        faults.add("no-tools", told, path, key=True)
    elif not names:
        return op.model_copy(update={"tools": tuple(tools)})
    for place, name in enumerate(names):
        if name not in tools and name not in _declares(faults):
            hint = nearest(name, tools)
            faults.add("unknown-tool", f"unknown tool {name!r}", _at(path, place, faults), hint)
    return op


def _at(path: Where, place: int, faults: Faults) -> Where:
    value: Any = faults.plain
    for part in path:
        value = value[part]
    return (*path, "tools", place) if isinstance(value.get("tools"), list) else (*path, "tools")


def _declares(faults: Faults) -> Mapping[str, Any]:
    """What `tools:` holds, be it right or wrong."""
    tools = faults.plain.get("tools") if isinstance(faults.plain, dict) else None
    return tools if isinstance(tools, dict) else {}
