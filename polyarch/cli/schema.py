"""Print the JSON Schema of pipeline files, for editors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ..compiler.nested import Nested
from ..compiler.regions import REGIONS
from ..compiler.registry import operator, operator_names
from ..compiler.space import SearchSpec
from ..compiler.spec import Allowance, Spec
from .fields import abouts
from .holes import opened

__all__ = ["command", "pipeline_schema"]

_FROM: Mapping[str, Any] = {
    "description": "The steps it reads; the one before it if left out.",
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
}
_ON_FAILURE: Mapping[str, Any] = {
    "description": "What becomes of it when its model cannot be asked.",
    "anyOf": [
        {"enum": ["fail", "drop"]},
        {
            "type": "object",
            "properties": {"min": {"type": "integer", "minimum": 1}},
            "required": ["min"],
            "additionalProperties": False,
        },
    ],
}
_BUDGET: Mapping[str, Any] = {
    "description": "Its limits within the pipeline's budget, or the name of an account it shares."
}
_PROMPT_FILE: Mapping[str, Any] = {
    "type": "object",
    "properties": {"file": {"type": "string"}},
    "required": ["file"],
    "additionalProperties": False,
}
_SHORT = ("question", "output")
"""Keys of a pipeline that may be a word instead of a mapping."""


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of pipeline files, for editors.

    In VS Code with the YAML extension: polyarch schema > polyarch.schema.json, and put
    "# yaml-language-server: $schema=polyarch.schema.json" at the top of a pipeline file.
    """
    click.echo(json.dumps(pipeline_schema(), indent=2, ensure_ascii=False))


def pipeline_schema() -> Mapping[str, Any]:
    """The JSON Schema of a pipeline file: a step is one of the operators, with its arguments.

    A hole may stand wherever a value does.
    """
    ops: dict[str, type[BaseModel]] = {name: operator(name) for name in operator_names()}
    ops |= {"pipeline": Nested, **REGIONS}
    models: list[type[BaseModel]] = [Spec, Allowance, SearchSpec, *ops.values()]
    refs, shared = models_json_schema([(m, "validation") for m in models], title="polyarch")
    defs = shared["$defs"]
    for model in models:
        _explain(_named(defs, refs[model, "validation"]), model)
    for schema in defs.values():
        _allow_files(schema)
    budget = refs[Allowance, "validation"]["$ref"]
    steps = {
        f"step.{n}": _step(n, _named(defs, refs[m, "validation"]), budget) for n, m in ops.items()
    }
    root = _named(defs, refs[Spec, "validation"])
    _shorten(root)
    objective = _named(defs, refs[SearchSpec, "validation"])["properties"]["objective"]
    objective["anyOf"].append({"$ref": "#/$defs/Objective"})
    step = {"oneOf": [{"$ref": f"#/$defs/{name}"} for name in steps]}
    root["properties"]["steps"]["additionalProperties"] = step
    for held in ("Body", "Stage", "step.loop", "step.map"):
        _hold_steps({**defs, **steps}[held], step)
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **root,
        "title": "polyarch pipeline",
        "$defs": {**defs, **steps},
    }
    return opened(whole, refs[SearchSpec, "validation"])


def _hold_steps(schema: Mapping[str, Any], step: Mapping[str, Any]) -> None:
    """What stands under the `steps:` of a region is steps."""
    told = schema["properties"]["steps"]
    written = next((one for one in told.get("anyOf", ()) if one.get("type") == "object"), told)
    written["additionalProperties"] = step


def _named(defs: Mapping[str, Any], ref: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = defs[ref["$ref"].rsplit("/", 1)[-1]]
    return found


def _explain(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Put the string under each field beside its schema."""
    for name, about in abouts(model).items():
        if name in schema["properties"]:
            schema["properties"][name]["description"] = " ".join(about.split())


def _allow_files(schema: dict[str, Any]) -> None:
    """A prompt may be `{file: …}` wherever one stands."""
    prompt = schema.get("properties", {}).get("prompt")
    if prompt is not None and "anyOf" in prompt:
        prompt["anyOf"] = [*prompt["anyOf"], dict(_PROMPT_FILE)]


def _shorten(root: dict[str, Any]) -> None:
    """What the spec takes in short: a word for a mapping."""
    properties = root["properties"]
    models = properties["models"]
    models["additionalProperties"] = _or_text(models["additionalProperties"])
    for key in _SHORT:
        properties[key] = _or_text(properties[key])


def _or_text(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [{"type": "string"}, schema]}


def _step(name: str, op: Mapping[str, Any], budget: str) -> Mapping[str, Any]:
    """An operator's arguments with what every step may hold."""
    properties = {k: v for k, v in op["properties"].items() if k != "graph"}
    return {
        **op,
        "title": name,
        "properties": {
            "op": {"const": name},
            "from": dict(_FROM),
            "on_failure": dict(_ON_FAILURE),
            "budget": {**_BUDGET, "anyOf": [{"type": "string"}, {"$ref": budget}]},
            **properties,
        },
        "required": ["op", *_required(op)],
    }


def _required(op: Mapping[str, Any]) -> Iterator[str]:
    yield from op.get("required", ())
