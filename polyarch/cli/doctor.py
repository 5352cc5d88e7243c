"""Tell what is installed, set and running here, and what a pipeline lacks."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING

import click

from .completing import pipelines
from .errors import as_json
from .exits import Exit

if TYPE_CHECKING:
    from .checks import Finding

__all__ = ["command"]


@click.command("doctor")
@click.argument("file", required=False, shell_complete=pipelines)
@click.option("--json", is_flag=True, callback=as_json, help="Tell it as JSON.")
@click.pass_context
def command(ctx: click.Context, file: str | None, json: bool) -> None:
    """Tell what is installed, set and running here, and what a pipeline lacks.

    Versions, packages, keys, which backends answer, servers of models on this machine, the sandbox,
    and the size of the cache. With FILE, a pipeline file or the name of a pipeline in the library,
    what that one needs: packages, keys, whether its servers answer, the sandbox. The exit code is 1
    if something is missing that it needs. Keys are never shown or sent, and nothing is asked of any
    model but the one that ships with polyarch.
    """
    found = _of_here() if file is None else _of(file)
    lacking = [one for one in found if one.needed and one.state != "ok"]
    if json:
        told = {"findings": [asdict(one) for one in found], "ok": not lacking}
        click.echo(jsonlib.dumps(told))
    else:
        click.echo("\n".join(_lines(found)))
    ctx.exit(Exit.FAILED if lacking else Exit.DONE)


def _of_here() -> list[Finding]:
    from .checks import KEYS, backends, cache, extras, key, python, sandbox
    from .servers import local_servers

    keys = [key(names) for names in KEYS.values()]
    found = (*extras(), *keys, *backends(), *local_servers(), sandbox(), cache())
    return [*python(), *found]


def _of(file: str) -> list[Finding]:
    from .checks import cache, python
    from .files import pipeline_file
    from .needs import needs

    order = ("packages", "keys", "servers", "sandbox")
    found = sorted(needs(pipeline_file(file)), key=lambda one: order.index(one.what))
    return [*python(), *found, cache()]


def _lines(found: Sequence[Finding]) -> Iterator[str]:
    width = max(len(one.name) for one in found)
    for what, group in groupby(found, key=lambda one: one.what):
        yield what
        for one in group:
            state = "missing: " if one.state == "missing" else ""
            yield f"  {one.name:<{width}}  {state}{one.detail}"
