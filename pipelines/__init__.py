"""A library of pipelines, each a published technique in a YAML file of its name.

    from polyarch.pipelines import verified_vote

    print(verified_vote("Ann has 3 boxes of 4 pens and loses 2. How many pens are left?"))

A pipeline is compiled when it is first named, and once a process.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..pipeline import Pipeline

__all__ = ["names", "path", "spaces"]

_FOLDER = Path(__file__).parent


@cache
def names() -> tuple[str, ...]:
    """The names of the library's pipelines, sorted."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.yaml")))


@cache
def spaces() -> tuple[str, ...]:
    """The names of the library's search spaces, sorted: `open/archon`, …"""
    return tuple(sorted(f"open/{file.stem}" for file in _FOLDER.glob("open/*.yaml")))


def path(name: str) -> Path:
    """The file of the pipeline or space of that name. Raises `InputError` with the nearest name."""
    if name not in (*names(), *spaces()):
        from ..compiler.errors import InputError
        from ..compiler.names import nearest

        hint = nearest(name, (*names(), *spaces()))
        raise InputError(f"no pipeline {name!r} in the library; {hint}")
    return _FOLDER / f"{name}.yaml"


@cache
def _loaded(name: str) -> Pipeline:
    from ..pipeline import load

    return load(path(name))


def __getattr__(name: str) -> Pipeline:
    if name in names():
        return _loaded(name)
    hint = ""
    if not name.startswith("_"):
        from ..compiler.names import nearest

        hint = f"; {nearest(name, names())}"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    return sorted([*__all__, *names()])
