"""Pipelines to learn from: the library's, the examples, and those that the pages show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from polyarch.compiler.build import build, build_file
from polyarch.compiler.holes import is_open
from polyarch.compiler.plan import Plan, plan
from polyarch.compiler.source import parse, read
from polyarch.pipelines import names, path

__all__ = ["Found", "found", "library"]

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Found:
    """A pipeline, where it is, and its plan. `where` is a page of these for one of the library."""

    name: str
    where: str
    text: str
    plan: Plan


@cache
def found() -> tuple[Found, ...]:
    """All of them: the library's first, the shortest of each kind first."""
    kinds = (library(), _examples(), _shown())
    return tuple(one for kind in kinds for one in sorted(kind, key=_size))


def _size(one: Found) -> tuple[int, int]:
    return len(one.plan.graph.nodes), len(one.text)


@cache
def library() -> tuple[Found, ...]:
    """Those of the library, by name."""
    return tuple(_of_library(name) for name in names())


def _of_library(name: str) -> Found:
    file = path(name)
    where = f"[`{name}`](../reference/pipelines.md#{name})"
    return Found(name, where, file.read_text("utf-8"), plan(build_file(file)))


def _examples() -> Iterator[Found]:
    for file in sorted((ROOT / "examples").glob("*.yaml")):
        if not is_open(read(file)):
            where = f"`examples/{file.name}`"
            yield Found(file.stem, where, file.read_text("utf-8"), plan(build_file(file)))


def _shown() -> Iterator[Found]:
    for page in sorted((ROOT / "docs").glob("*.md")):
        for block in _BLOCK.findall(page.read_text("utf-8")):
            made = plan(build(parse(block), ROOT / "examples"))
            where = f"[{page.stem}](../{page.name})"
            yield Found(made.graph.name, where, block, made)
