"""The file of an open pipeline to a space: holes, constraints and search, every fault collected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..build.faults import Faults, explain
from ..errors import SpecError
from ..source import Document, parse, read
from .constraint import Constraint, Size, Where, sums
from .hole import Choice
from .read import Group, Reader
from .search import SearchSpec
from .space import Space
from .where import BadExpression, Known, expression, without_table

__all__ = ["open_space", "parse_space", "space_of"]


def open_space(path: Path) -> Space:
    """The space in a file. Raises `SpecError` with every fault found in what is open of it."""
    return space_of(read(path), path.resolve().parent)


def parse_space(text: str, folder: Path) -> Space:
    """The space of a text; `folder` is where its `file:`s may be. Raises `SpecError`."""
    return space_of(parse(text), folder)


def space_of(document: Document, folder: Path) -> Space:
    """The space of a document. A pipeline without holes is a space of one point.

    Raises `SpecError` with every fault found in what is open.
    """
    faults = Faults(document, document.plain())
    if not isinstance(faults.plain, dict) or not isinstance(faults.plain.get("steps"), dict):
        told = "a pipeline file holds a mapping of keys such as name and steps"
        faults.add("type", told, ())
        raise SpecError(faults.found)
    reader = Reader(faults)
    part = reader.read(document.root)
    known = Known(reader.holes, reader.groups, reader.times, reader.steps)
    groups = tuple(reader.groups.values())
    wheres = () if faults.found else tuple(_wheres(faults, known))
    if not faults.found:
        for name, path in reader.conditions.items():
            if made := _condition(faults, path, known):
                reader.checks[name] = _check(made, groups)
    search = _search(faults)
    if faults.found:
        raise SpecError(faults.found)
    space = Space(
        name=str(faults.plain.get("name", "")),
        about=str(faults.plain.get("about", "")),
        holes=tuple(reader.holes.values()),
        search=search,
        constraints=(*map(Size, groups), *wheres),
        shorts=_shorts(reader.holes, (*reader.groups, *reader.times)),
        _groups=groups,
        _document=document,
        _part=part,
        _folder=folder,
    )
    if space.size == 0:
        faults.add("where", "no choice satisfies all of this", ("where",), key=True)
        raise SpecError(faults.found)
    return space


def _wheres(faults: Faults, known: Known) -> Iterator[Constraint]:
    lines = faults.plain.get("where", [])
    if not isinstance(lines, list):
        faults.add("where", "`where:` takes a list of conditions", ("where",))
        return
    for place in range(len(lines)):
        if made := _condition(faults, ("where", place), known):
            yield made


def _condition(faults: Faults, path: tuple[str | int, ...], known: Known) -> Where | None:
    """The condition at a path; a fault for what is none."""
    node = faults.document.node(path)
    line = None if node is None else node.value
    if not isinstance(line, str):
        faults.add("where", "a condition is a text", path, "such as `drafts.n >= 4`")
        return None
    try:
        made = Where(line, expression(line, known))
    except BadExpression as error:
        faults.at("where", str(error), _span(faults, path, line, error), error.hint)
        return None
    if not made.needs() and not made.counts():
        faults.add("where", "this condition says nothing of any hole", path)
    return made


def _check(condition: Where, groups: tuple[Group, ...]) -> Callable[[Choice], bool]:
    return lambda choice: condition.told.value(choice, sums(groups, choice)) is True


def _span(faults: Faults, path: tuple[str | int, ...], line: str, error: BadExpression) -> Any:
    """The place of a part of a condition."""
    node = faults.document.node(path)
    assert node is not None
    row = faults.document.lines.row(node.extent.line)
    start = row.find(line, node.extent.column - 1)
    if start < 0:
        return node.span
    return faults.document.lines.span(node.extent.line, start + error.column + 1, error.width)


def _search(faults: Faults) -> SearchSpec | None:
    if "search" not in faults.plain:
        return None
    try:
        return SearchSpec.model_validate(faults.plain["search"])
    except ValidationError as error:
        explain(error, ("search",), SearchSpec, faults)
        return None


def _shorts(holes: Iterable[str], others: Iterable[str]) -> dict[str, str]:
    """Each name without the table that it stands in, where no other has the same left."""
    short = Counter(map(without_table, (*holes, *others)))
    return {name: name if short[without_table(name)] > 1 else without_table(name) for name in holes}
