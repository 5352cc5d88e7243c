"""Ways to give every engine its GPUs, equal ones told once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Choice", "Home", "Tries", "members", "spreads"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to serve an engine: `size` GPUs of a group, `share` thousandths of each one's
    memory, `work` seconds of each for one question."""

    group: int
    size: int
    share: int
    work: float


@dataclass(frozen=True, slots=True)
class Home:
    """The GPUs of an engine, and how it is served there."""

    engine: int
    gpus: tuple[int, ...]
    choice: Choice


@dataclass(slots=True)
class Tries:
    """How many more possibilities a search may look at. `cut` says that there were more."""

    left: int
    cut: bool = False

    def one(self) -> bool:
        """Whether another may be looked at."""
        if self.left == 0:
            self.cut = True
            return False
        self.left -= 1
        return True


def spreads(
    gpus: Sequence[int], size: int, key: Callable[[int], Hashable]
) -> Iterator[tuple[int, ...]]:
    """The ways to take `size` of the GPUs, where those with equal keys are the same."""
    classes: dict[Hashable, list[int]] = {}
    for gpu in gpus:
        classes.setdefault(key(gpu), []).append(gpu)
    for taken in _taken(list(classes.values()), size):
        yield tuple(sorted(taken))


def _taken(classes: list[list[int]], size: int) -> Iterator[tuple[int, ...]]:
    if size == 0:
        yield ()
        return
    if not classes or sum(map(len, classes)) < size:
        return
    first, rest = classes[0], classes[1:]
    for count in range(min(size, len(first)), -1, -1):
        for others in _taken(rest, size - count):
            yield (*first[:count], *others)


def members(homes: Mapping[int, Home] | Sequence[Home]) -> dict[int, list[Home]]:
    """The homes on each GPU."""
    found: dict[int, list[Home]] = {}
    for home in homes.values() if isinstance(homes, Mapping) else homes:
        for gpu in home.gpus:
            found.setdefault(gpu, []).append(home)
    return found
