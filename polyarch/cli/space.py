"""What `polyarch compile` says of a search space."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..compiler.op import Amount
    from ..compiler.space import Space

__all__ = ["drawn", "only_space", "opened", "told"]


def opened(path: Path) -> Space | None:
    """The space in a file; None for a pipeline without holes, right or wrong."""
    from ..compiler.errors import SpecError
    from ..compiler.holes import is_open
    from ..compiler.source import read

    try:
        document = read(path)
    except SpecError:
        return None  # told when it is built
    if not is_open(document):
        return None
    from ..compiler.space import space_of

    return space_of(document, path.resolve().parent)


def only_space(wishes: Mapping[str, object], draws: int | None, json: bool) -> None:
    """Raise `click.UsageError` for what cannot be printed of a space."""
    for option, wish in wishes.items():
        if wish is not None:
            message = f"{option} is for pipelines without holes; --random 1 gives one"
            raise click.UsageError(message)
    if draws is not None and json:
        raise click.UsageError("--random and --json exclude one another")


def drawn(space: Space, draws: int, seed: int) -> str:
    """Some pipelines of a space, as YAML documents."""
    from random import Random

    rng = Random(seed)
    return "---\n".join(space.close(space.random(rng)).text for _ in range(draws))


def told(space: Space, seed: int, json: bool, question: Amount) -> str:
    """What is in a space, with a sample of its points compiled."""
    from ..compiler.space.sample import compiled
    from ..compiler.space.table import describe, table

    sample = compiled(space, seed, question)
    if not json:
        return table(space, sample)
    from json import dumps

    return dumps(describe(space, sample), indent=2, ensure_ascii=False) + "\n"
