"""A page of everything that a pipeline file may hold, out of the models that read it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pydantic import BaseModel

from polyarch.cli.explained import explained
from polyarch.cli.fields import Field, fields
from polyarch.cli.schema import pipeline_schema
from polyarch.compiler.nested import Nested
from polyarch.compiler.regions import REGIONS
from polyarch.compiler.registry import operator_names
from polyarch.compiler.space import SearchSpec
from polyarch.compiler.spec import (
    Allowance,
    Budget,
    ModelSpec,
    OutputSpec,
    PriceSpec,
    QuestionSpec,
    Spec,
)
from polyarch.compiler.toolspec import ToolSpec

from .markdown import table

__all__ = ["page"]

_MAPPINGS: Mapping[str, type[BaseModel]] = MappingProxyType(
    {
        "models.NAME": ModelSpec,
        "models.NAME.price": PriceSpec,
        "tools.NAME": ToolSpec,
        "question": QuestionSpec,
        "budget": Budget,
        "output": OutputSpec,
        "search": SearchSpec,
    }
)
"""What stands under a key of the file, and who reads it."""

_EVERY = ("op", "from", "on_failure", "budget")
"""What any step may hold."""


def page() -> str:
    """The page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Keys of a pipeline file"
    yield ""
    yield (
        "Everything that a file may hold, as `polyarch schema` has it for editors; by example it "
        "is told in [The language](../language.md). Unknown keys are errors."
    )
    yield "\n## The file\n"
    yield from _keys(Spec)
    for key, model in _MAPPINGS.items():
        yield f"\n## {key}\n"
        yield f"{_first(model)}\n"
        yield from _keys(model)
    yield "\n## A step\n"
    yield from _step()
    yield "\n### Its budget\n"
    yield from _keys(Allowance)
    yield "\n## Operators\n"
    yield "What `op:` names, with a page for each.\n"
    rows = [(f"[`{name}`](../operators/{name}.md)", explained(name).summary)
            for name in operator_names()]  # fmt: skip
    yield from table(("operator", ""), rows)
    yield "\n## Pipelines and regions as steps\n"
    for name, region in {"pipeline": Nested, **REGIONS}.items():
        yield f"\n### {name}\n"
        yield f"{_first(region)}\n"
        yield from _keys(region)


def _first(model: type[BaseModel]) -> str:
    return (inspect.getdoc(model) or "").split("\n\n", 1)[0]


def _keys(model: type[BaseModel]) -> Iterator[str]:
    rows = [
        (
            f"`{field.name}`",
            _linked(field.kind),
            "required" if field.required else f"`{_default(field)}`",
            field.about,
        )
        for field in fields(model)
        if field.name != "graph"
    ]
    return table(("key", "takes", "if left out", ""), rows)


def _default(field: Field) -> str:
    """A default; of a mapping with keys of its own, these have theirs."""
    return "none" if field.default.startswith("{") else field.default


def _linked(kind: str) -> str:
    """What a key takes, with a link to the section on its own keys, if it has one."""
    for key, model in _MAPPINGS.items():
        anchor = key.lower().replace(".", "")
        kind = kind.replace(
            f"the arguments of {model.__name__.lower()}", f"[its own keys](#{anchor})"
        )
    return kind


def _step() -> Iterator[str]:
    """What all steps share, as the schema of any of them says it."""
    properties = pipeline_schema()["$defs"]["step.vote"]["properties"]
    about = {"op": "What it does: an operator, `pipeline`, or a region."}
    told = {key: about.get(key) or properties[key]["description"] for key in _EVERY}
    return table(("key", ""), [(f"`{key}`", text) for key, text in told.items()])
