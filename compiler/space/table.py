"""A space for people: its holes, how many points it has, and what became of a sample of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .hole import Hole
from .sample import Sample
from .space import Space

__all__ = ["describe", "table"]

_HEAD = ("hole", "chosen among", "exists when")
_WIDEST = 60


def table(space: Space, sample: Sample) -> str:
    """A line a hole, the number of points, the constraints, the search, and the sample."""
    head = f"{space.name}: {space.about}" if space.about else space.name
    rows = [_HEAD, *(_row(space, hole) for hole in space.holes)]
    sections = [[head], list(_aligned(rows)), list(_facts(space, sample))]
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def describe(space: Space, sample: Sample) -> Mapping[str, Any]:
    """The same for machines."""
    return {
        "name": space.name,
        "about": space.about,
        "size": space.size,
        "holes": [_described(space, hole) for hole in space.holes],
        "where": [str(constraint) for constraint in space.constraints],
        "search": None if space.search is None else space.search.model_dump(mode="json"),
        "sample": {"points": sample.points, "over_budget": sample.refused},
    }


def _described(space: Space, hole: Hole) -> Mapping[str, Any]:
    told: dict[str, Any] = {"name": hole.name, "short": space.shorts[hole.name]}
    if hole.options:
        told["options"] = list(hole.options)
    else:
        told |= {"low": hole.low, "high": hole.high, "log": hole.log}
    return {**told, "when": [[name, wanted] for name, wanted in hole.when]}


def _row(space: Space, hole: Hole) -> tuple[str, str, str]:
    by_name = {other.name: other for other in space.holes}
    # The innermost condition says which; those around it hold wherever its hole exists.
    when = hole.when[-1:]
    told = (f"{space.shorts[name]}: {_wanted(by_name[name], wanted)}" for name, wanted in when)
    return space.shorts[hole.name], _options(hole), ", ".join(told)


def _options(hole: Hole) -> str:
    if not hole.options:
        step = ", whole" if hole.count is not None else ""
        return f"{hole.low} to {hole.high}{step}{', by ratio' if hole.log else ''}"
    told = ", ".join(hole.told(place) for place in range(len(hole.options)))
    return told if len(told) <= _WIDEST else f"{told[: _WIDEST - 1]}… ({len(hole.options)})"


def _wanted(hole: Hole, wanted: int | bool | tuple[int, ...]) -> str:
    options = wanted if isinstance(wanted, tuple) else (wanted,)
    return " or ".join(hole.told(option) for option in options)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for number, row in enumerate(rows):
        if number == 1:
            yield "─" * (sum(widths) + 2 * (len(widths) - 1))
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _facts(space: Space, sample: Sample) -> Iterator[str]:
    holes = f"{len(space.holes)} hole{'' if len(space.holes) == 1 else 's'}"
    yield f"a search space of {_points(space)} in {holes}"
    for constraint in space.constraints:
        yield f"where: {constraint}"
    if space.search is not None and space.search.objective is not None:
        told = " and ".join(map(str, space.search.objective))
        yield f"searched for: {told}"
    over = f", {sample.refused} of them over their budget" if sample.refused else ""
    yield f"compiled: {sample.points:,} {'of its points' if sample.part else 'points, all'}{over}"


def _points(space: Space) -> str:
    if space.size is not None:
        return f"{space.size:,} point{'' if space.size == 1 else 's'}"
    ranges = [space.shorts[hole.name] for hole in space.holes if hole.count is None]
    if ranges:
        return f"infinitely many points ({', '.join(ranges)} continuous)"
    return "too many points to count under its constraints"
