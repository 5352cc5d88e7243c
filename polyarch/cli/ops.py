"""List the operators, or explain one."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator, Mapping, Sequence

import click

from .completing import operators
from .errors import as_json
from .explained import Explained, explained
from .fields import Field

__all__ = ["command"]


@click.command("ops")
@click.argument("name", required=False, shell_complete=operators)
@click.option("--json", is_flag=True, callback=as_json, help="Tell it, or errors, as JSON.")
def command(name: str | None, json: bool) -> None:
    """List the operators, or explain one.

    With a NAME: what the operator does, and its arguments with types and defaults.
    """
    from ..compiler.errors import InputError
    from ..compiler.names import nearest
    from ..compiler.registry import operator_names

    if name is None:
        known = [explained(one) for one in operator_names()]
        brief = [{"name": one.name, "summary": one.summary, "reads": one.reads} for one in known]
        click.echo(jsonlib.dumps(brief) if json else "\n".join(_list(known)))
        return
    if name not in operator_names():
        raise InputError(f"no operator {name!r}; {nearest(name, operator_names())}")
    told = explained(name)
    click.echo(jsonlib.dumps(_record(told)) if json else "\n".join(_lines(told)))


def _list(known: Sequence[Explained]) -> Iterator[str]:
    width = max(len(one.name) for one in known)
    for one in known:
        yield f"{one.name.ljust(width)}  {one.summary}"


def _record(told: Explained) -> Mapping[str, object]:
    return {**told._asdict(), "arguments": [field._asdict() for field in told.arguments]}


def _lines(told: Explained) -> Iterator[str]:
    yield f"{told.name}: {told.help}"
    yield ""
    yield told.reads
    if told.arguments:
        yield ""
        yield "arguments"
    width = max((len(field.name) for field in told.arguments), default=0)
    for field in told.arguments:
        yield f"  {field.name.ljust(width)}  {field.kind}, {_default(field)}"
        yield from (f"  {' ' * width}    {line}" for line in field.about.splitlines())
    if told.variables:
        named = ", ".join(f"{{{name}}}" for name in told.variables)
        yield ""
        yield f"a prompt may name {named}, and the fields of a record"
    if told.prompt:
        yield ""
        yield "default prompt"
        yield from (f"  {line}".rstrip() for line in told.prompt.splitlines())


def _default(field: Field) -> str:
    return "required" if field.required else f"default {field.default}"
