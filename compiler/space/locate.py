"""A closed pipeline to the point of a space that it is, by what it does and not by its names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Any, Final, NamedTuple, TypeAlias

from pydantic import ValidationError

from ..alike import likeness
from ..errors import InputError, PolyarchError
from ..graph import Graph, Node
from ..op import Asking, Op
from ..passes.settle import settle
from ..regions import Region
from ..registry import operator, operator_names
from ..source import Entry
from ..spec import STEP_KEYS
from .hole import Choice, Hole
from .parts import Given, Items, Maybe, Number, Part, Pick, Prefix, Some, Steps, Table, Turns
from .space import Space

__all__ = ["locate"]

MOST_WAYS: Final = 20_000
"""Ways to fill steps that are looked at."""

MOST_CLOSED: Final = 200
"""Points that are compiled to see whether they are the pipeline."""

_SHOWN: Final = 6

_ASKING: Final = frozenset(Asking.model_fields)
"""Arguments that may come from a model's own entry: they are compared in the compiled pipeline."""

_Named: TypeAlias = "Mapping[str, tuple[Entry, Part]]"


def locate(space: Space, graph: Graph) -> Choice:
    """The point of a space whose pipeline does what a built pipeline does.

    Steps and models may have other names, and defaults may be written out or not. Raises
    `InputError` that says which step does not fit.
    """
    settled = settle(graph).nodes
    search = _Search(space, tuple(graph.nodes.values()), [node.op for node in settled.values()])
    wanted = likeness(graph)
    for closed, choice in enumerate(search.choices(graph)):
        if closed >= MOST_CLOSED:
            break
        if not space.valid(choice) and _is(space, choice, wanted):
            return choice
    raise InputError(f"{graph.name} is no point of {space.name}: {search.told()}")


def _is(space: Space, choice: Choice, wanted: str) -> bool:
    try:
        return likeness(space.close(choice).graph) == wanted
    except PolyarchError:
        return False


class _Misfit(NamedTuple):
    """An argument that is otherwise in the pipeline than in the space."""

    key: str
    theirs: str
    mine: str


@dataclass
class _Search:
    """Lays the steps of a space beside those of a pipeline, in order."""

    space: Space
    wanted: Sequence[Node]
    settled: Sequence[Op]
    """Their operators with every default written down."""
    _ways: int = 0
    _reached: int = -1
    _misfits: list[Sequence[_Misfit]] = field(default_factory=list)

    def choices(self, graph: Graph) -> Iterator[Choice]:
        """The choices under which every step of the pipeline has one like it in its place."""
        part = self.space._part
        steps = part.entries["steps"][1] if isinstance(part, Table) else None
        models = graph.models.values()
        numbers = {n for spec in models for n in _numbers(spec.model_dump(mode="json"))}
        if isinstance(steps, Steps):
            entries: _Named = steps.entries
        else:
            # No hole is among the steps: what is open is elsewhere, in the models.
            yield from self._rest({}, numbers)
            return
        for choice, place in self._laid(tuple(entries.items()), {}, 0):
            if place == len(self.wanted):
                self._reached = place
                yield from self._rest(choice, numbers)
            else:
                self._missed(place, ())

    def told(self) -> str:
        """What kept the pipeline from fitting."""
        if self._ways > MOST_WAYS:
            return f"there are more than {MOST_WAYS:,} ways to fill its steps"
        if self._reached == len(self.wanted):
            return "its steps are there, but they read other steps, or ask in another way"
        node = self.wanted[max(0, self._reached)]
        return f"step {node.name!r} ({node.kind}): {self._why(node)}"

    def _why(self, node: Node) -> str:
        alike = [told for told in self._misfits if told and told[0].key != "op"]
        if not alike:
            kinds = sorted({told[0].mine for told in self._misfits if told})
            return f"{' or '.join(kinds)} stands there" if kinds else "the space ends before it"
        key, theirs, _ = min(alike, key=len)[0]
        mine = dict.fromkeys(told[0].mine for told in alike if told[0].key == key)
        some = [*list(mine)[:_SHOWN], *(["others"] if len(mine) > _SHOWN else [])]
        return f"{key} is {theirs}, and the space has {' or '.join(some)}"

    def _laid(
        self, entries: Sequence[tuple[str, tuple[Entry, Part]]], choice: Choice, place: int
    ) -> Iterator[tuple[Choice, int]]:
        """The choices for some steps of the space, and how far in the pipeline they get."""
        if not entries:
            yield choice, place
            return
        (_, (_, part)), *rest = entries
        for made, reached in self._step(part, choice, place):
            yield from self._laid(rest, made, reached)

    def _step(self, part: Part, choice: Choice, place: int) -> Iterator[tuple[Choice, int]]:
        if isinstance(part, Turns):
            for option, count in enumerate(part.counts):
                chosen = {**choice, part.hole: option} if part.hole else choice
                turns = [entry for turn in part.turns[:count] for entry in turn.items()]
                yield from self._laid(turns, chosen, place)
            return
        if isinstance(part, Given):
            # Whether its condition holds may depend on what comes later.
            yield from self._step(part.part, choice, place)
            yield choice, place
            return
        node = self.wanted[place] if place < len(self.wanted) else None
        told = () if node is None else (node.op, self.settled[place])
        numbers = {n for op in told for n in _numbers(op.model_dump(mode="json"))}
        for made in self._filled(tuple(_holes(part)), choice, numbers):
            filled = part.fill(made)
            if filled is None:
                yield made, place
            elif node is not None:
                misfits = _misfits(filled.plain(), node, self.settled[place])
                if misfits:
                    self._missed(place, misfits)
                else:
                    yield made, place + 1

    def _missed(self, place: int, misfits: Sequence[_Misfit]) -> None:
        if place >= len(self.wanted):
            return
        if place > self._reached:
            self._reached, self._misfits = place, []
        if place == self._reached:
            self._misfits.append(misfits)

    def _rest(self, choice: Choice, numbers: set[float]) -> Iterator[Choice]:
        """The choice with the holes outside of the steps filled."""
        names = tuple(h.name for h in self.space.holes if h.name not in choice)
        yield from self._filled(names, choice, numbers)

    def _filled(
        self, names: Sequence[str], choice: Choice, numbers: set[float]
    ) -> Iterator[Choice]:
        """The choice with some holes filled in every way that can matter."""
        wanted = frozenset(names)
        holes = [hole for hole in self.space.holes if hole.name in wanted]
        yield from self._ways_of(holes, choice, numbers)

    def _ways_of(
        self, holes: Sequence[Hole], choice: Choice, numbers: set[float]
    ) -> Iterator[Choice]:
        if self._ways > MOST_WAYS:
            return
        if not holes:
            self._ways += 1
            yield choice
            return
        hole, *rest = holes
        if hole.name in choice or not hole.exists(choice):
            yield from self._ways_of(rest, choice, numbers)
            return
        for value in _values(hole, numbers):
            yield from self._ways_of(rest, {**choice, hole.name: value}, numbers)


def _values(hole: Hole, numbers: set[float]) -> Sequence[int | float]:
    """What a hole may be: every option; of a range, the numbers that the pipeline has in it."""
    if hole.options:
        return range(len(hole.options))
    found = [hole.settled(number) for number in sorted(numbers) if not hole.wrong(number)]
    return found or [hole.settled(hole.low or 0)]


def _holes(part: Part) -> Iterator[str]:
    """The holes inside a part."""
    match part:
        case Pick(hole=hole, parts=parts):
            yield hole
            for inner in parts:
                yield from _holes(inner)
        case Maybe(hole=hole, part=inner):
            yield hole
            yield from _holes(inner)
        case Number(hole=hole):
            yield hole
        case Some(holes=holes, parts=parts):
            yield from holes
            for inner in parts:
                yield from _holes(inner)
        case Prefix(hole=hole, parts=parts):
            if hole:
                yield hole
            for inner in parts:
                yield from _holes(inner)
        case Items(parts=parts):
            for inner in parts:
                yield from _holes(inner)
        case Table(entries=entries) | Steps(entries=entries):
            for _, inner in entries.values():
                yield from _holes(inner)
        case Turns(hole=hole, turns=turns):
            if hole:
                yield hole
            for turn in turns:
                for _, inner in turn.values():
                    yield from _holes(inner)
        case Given(part=inner):
            yield from _holes(inner)


def _misfits(written: Any, node: Node, settled: Op) -> list[_Misfit]:
    """What of a step is otherwise than in the pipeline, as far as can be told by itself."""
    kind = str(written.get("op"))
    if kind != node.kind:
        return [_Misfit("op", node.kind, kind)]
    if isinstance(node.op, Region) or kind not in operator_names():
        return []
    here = _operator(kind, written)
    if here is None:
        return []
    mine = here.model_dump(mode="json", exclude=set(_ASKING))
    theirs = node.op.model_dump(mode="json", exclude=set(_ASKING))
    names = {asking.model for asking in (*here.askings(), *node.op.askings())}
    return [
        _Misfit(key, _plain(theirs.get(key)), _plain(mine[key]))
        for key in mine
        if not _alike(mine[key], theirs.get(key), names)
    ] + list(_asked_otherwise(here, settled))


def _asked_otherwise(here: Op, there: Op) -> Iterator[_Misfit]:
    """Sampling parameters that the space writes otherwise."""
    for mine, theirs in zip(here.askings(), there.askings(), strict=False):
        for key in ("temperature", "top_p", "top_k", "max_tokens", "thinking"):
            written, settled = getattr(mine, key), getattr(theirs, key)
            if written is not None and written != settled:
                yield _Misfit(key, _plain(settled), _plain(written))


def _operator(kind: str, written: Mapping[str, Any]) -> Op | None:
    """The operator of a step; None where only a build can tell."""
    plain = {key: value for key, value in written.items() if key not in STEP_KEYS}
    try:
        return operator(kind).model_validate(plain)
    except ValidationError:
        return None


def _alike(mine: Any, theirs: Any, names: set[str | None]) -> bool:
    """Whether two arguments are equal, names of models, which are compared later, aside."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return all(
            key in _ASKING or _alike(value, theirs.get(key), names) for key, value in mine.items()
        )
    if isinstance(mine, list) and isinstance(theirs, list):
        pairs = zip(mine, theirs, strict=False)
        return len(mine) == len(theirs) and all(_alike(a, b, names) for a, b in pairs)
    return bool(mine == theirs) or (mine in names and theirs in names)


def _plain(value: Any) -> str:
    return "nothing" if value is None else shorten(str(value), 60, placeholder=" …")


def _numbers(value: Any) -> set[float]:
    """The numbers inside a value."""
    if isinstance(value, dict):
        return {n for inner in value.values() for n in _numbers(inner)}
    if isinstance(value, list):
        return {n for inner in value for n in _numbers(inner)}
    return {value} if isinstance(value, int | float) and not isinstance(value, bool) else set()
