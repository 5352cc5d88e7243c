"""Votes over the parts of structured answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum

from ..compiler.values import Json

__all__ = ["ABSENT", "Ballot", "Election", "Part"]

_PLACES = 9
"""As in a vote over whole answers: sums that agree to so many decimals are equal."""


class _Absent:
    """What stands where a ballot lacks a part."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class Ballot:
    """A structured answer, or a part of one, and how much its vote counts."""

    value: Json | _Absent
    weight: float


@dataclass(frozen=True, slots=True)
class Part:
    """What became of one part that has no parts: where it is, what won, and with which share of the
    votes that were counted there."""

    path: str
    won: str
    share: float


@dataclass(slots=True)
class Election:
    """A vote over structured answers, part by part.

    Of an object, the fields `first` are decided before the others and in this order, and each
    counts only the ballots that agree with what was decided before; then every other field is
    decided by itself. Of an array, its length, then item by item. A field that a ballot lacks is a
    vote against having it. `tie` says which of equally many votes wins.
    """

    first: Sequence[str]
    tie: Callable[[str, int], int]
    parts: list[Part] = field(default_factory=list)
    least: float = 1.0
    """The smallest share of the votes with which anything was decided."""

    def elected(self, ballots: Sequence[Ballot], path: str = "") -> Json | _Absent:
        """What the ballots make of a part. Raises ValueError without any."""
        kind, alike = self._won(ballots, path, _kind)
        if kind == "object":
            return self._object(alike, path)
        if kind.startswith("array"):
            items = range(int(kind.partition(" ")[2]))
            return [
                _there(self.elected([_part(b, at) for b in alike], f"{path}[{at}]")) for at in items
            ]
        won, same = self._won(alike, path, _shown)
        self.parts.append(Part(path or "answer", won, _share(same, alike)))
        return same[0].value

    def _object(self, ballots: Sequence[Ballot], path: str) -> Json:
        elected: dict[str, Json] = {}
        heads = [name for name in self.first if name in _named(ballots)]
        for name in heads:
            won = self._field(ballots, name, path, elected)
            ballots = [b for b in ballots if _told(_part(b, name).value) == _told(won)] or ballots
        for name in _named(ballots):
            if name not in heads:
                self._field(ballots, name, path, elected)
        return elected

    def _field(
        self, ballots: Sequence[Ballot], name: str, path: str, elected: dict[str, Json]
    ) -> Json | _Absent:
        """Decide a field, and put it where it belongs unless it should not be there."""
        where = f"{path}.{name}" if path else name
        won = self.elected([_part(ballot, name) for ballot in ballots], where)
        if not isinstance(won, _Absent):
            elected[name] = won
        return won

    def _won(
        self, ballots: Sequence[Ballot], path: str, key: Callable[[Ballot], str]
    ) -> tuple[str, list[Ballot]]:
        """The key with the most votes, and the ballots with it."""
        groups: dict[str, list[Ballot]] = {}
        for ballot in ballots:
            groups.setdefault(key(ballot), []).append(ballot)
        totals = {told: _total(group) for told, group in groups.items()}
        tied = [told for told, total in totals.items() if total == max(totals.values())]
        won = tied[self.tie(path, len(tied)) if len(tied) > 1 else 0]
        self.least = min(self.least, _share(groups[won], ballots))
        return won, groups[won]


def _total(ballots: Iterable[Ballot]) -> float:
    return round(fsum(ballot.weight for ballot in ballots), _PLACES)


def _share(some: Iterable[Ballot], of: Iterable[Ballot]) -> float:
    whole = _total(of)
    return min(1.0, _total(some) / whole) if whole else 0.0


def _kind(ballot: Ballot) -> str:
    """Object, array with its length, or a value that has no parts."""
    if isinstance(ballot.value, Mapping):
        return "object"
    if isinstance(ballot.value, Sequence) and not isinstance(ballot.value, str):
        return f"array {len(ballot.value)}"
    return "value"


def _shown(ballot: Ballot) -> str:
    """A value as a text that equal values share: 3 and 3.0 are equal, 1 and true are not."""
    return _told(ballot.value)


def _told(value: object) -> str:
    match value:
        case bool() | None | str() | _Absent():
            return repr(value)
        case float() if value.is_integer():
            return repr(int(value))
        case Mapping():
            inner = sorted((str(key), _told(one)) for key, one in value.items())
            return "{" + ", ".join(f"{key}: {one}" for key, one in inner) + "}"
        case Sequence():
            return "[" + ", ".join(map(_told, value)) + "]"
    return repr(value)


def _named(ballots: Iterable[Ballot]) -> Sequence[str]:
    """The fields that any of the ballots has, in the order of their first mention."""
    have = (ballot.value for ballot in ballots if isinstance(ballot.value, Mapping))
    return list(dict.fromkeys(name for value in have for name in value))


def _part(ballot: Ballot, name: str | int) -> Ballot:
    """The part of a ballot; absent where it has none."""
    value: object = ballot.value
    if isinstance(value, Mapping) and name in value:
        return Ballot(value[name], ballot.weight)
    if isinstance(value, Sequence) and isinstance(name, int) and name < len(value):
        return Ballot(value[name], ballot.weight)
    return Ballot(ABSENT, ballot.weight)


def _there(value: Json | _Absent) -> Json:
    """A part of an array, which no ballot of that length lacks."""
    if isinstance(value, _Absent):
        raise TypeError("an item of an array cannot be absent")
    return value
