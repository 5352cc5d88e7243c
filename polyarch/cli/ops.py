"""List the operators, or explain one."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from ..compiler.errors import InputError
from ..compiler.names import nearest
from ..compiler.op import All, Asking, Each, Op, Source
from ..compiler.registry import operator, operator_names
from .fields import Field, fields

__all__ = ["command"]


@click.command("ops")
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """List the operators, or explain one.

    With a NAME: what the operator does, and its arguments with types and defaults.
    """
    if name is None:
        click.echo("\n".join(_list()))
        return
    if name not in operator_names():
        raise InputError(f"no operator {name!r}; {nearest(name, operator_names())}")
    click.echo("\n".join(_explained(name, operator(name))))


def _list() -> Iterator[str]:
    names = operator_names()
    width = max(map(len, names))
    for name in names:
        yield f"{name.ljust(width)}  {_doc(operator(name)).splitlines()[0]}"


def _explained(name: str, cls: type[Op]) -> Iterator[str]:
    yield f"{name}: {_doc(cls)}"
    yield ""
    yield _shape(cls)
    known = fields(cls)
    if not known:
        return
    yield ""
    yield "arguments"
    width = max(len(field.name) for field in known)
    for field in known:
        yield f"  {field.name.ljust(width)}  {field.kind}, {_default(field)}"
        yield from (f"  {' ' * width}    {line}" for line in field.about.splitlines())
    if issubclass(cls, Asking):
        yield from _prompt(cls)


def _doc(cls: type[Op]) -> str:
    return inspect.getdoc(cls) or ""


def _shape(cls: type[Op]) -> str:
    if issubclass(cls, Source) or (issubclass(cls, All) and not cls.reads):
        return "Reads the question alone, and draws candidates."
    if issubclass(cls, Each):
        return "Reads candidates one at a time, as they come."
    return "Reads candidates in order, and decides."


def _default(field: Field) -> str:
    return "required" if field.required else f"default {field.default}"


def _prompt(cls: type[Asking]) -> Iterator[str]:
    if cls.variables:
        named = ", ".join(f"{{{name}}}" for name in sorted(cls.variables))
        yield ""
        yield f"a prompt may name {named}, and the fields of a record"
    if cls.__dict__.get("default_prompt") and isinstance(cls.default_prompt, str):
        yield ""
        yield "default prompt"
        yield from (f"  {line}".rstrip() for line in cls.default_prompt.splitlines())
