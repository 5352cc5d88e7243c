"""What is known of an operator without an instance of it."""

from __future__ import annotations

import inspect
from typing import NamedTuple

from ..compiler.op import All, Asking, Each, Op, Source
from ..compiler.registry import operator
from .fields import Field, fields

__all__ = ["Explained", "explained"]


class Explained(NamedTuple):
    """An operator: `summary` is the first line of its docstring, `help` all of it, `reads` how it
    is fed, `variables` what its prompt may name, `prompt` its own, where it has one."""

    name: str
    summary: str
    help: str
    reads: str
    arguments: tuple[Field, ...]
    variables: tuple[str, ...]
    prompt: str


def explained(name: str) -> Explained:
    """The operator of that name. Raises KeyError if there is none."""
    cls = operator(name)
    told = inspect.getdoc(cls) or ""
    variables = tuple(sorted(cls.variables)) if issubclass(cls, Asking) else ()
    return Explained(
        name, told.split("\n", 1)[0], told, _reads(cls), fields(cls), variables, _prompt(cls)
    )


def _reads(cls: type[Op]) -> str:
    if issubclass(cls, Source) or (issubclass(cls, All) and not cls.reads):
        return "Reads the question alone, and draws candidates."
    if issubclass(cls, Each):
        return "Reads candidates one at a time, as they come."
    return "Reads candidates in order, and decides."


def _prompt(cls: type[Op]) -> str:
    own = cls.__dict__.get("default_prompt")
    return own if isinstance(own, str) else ""
