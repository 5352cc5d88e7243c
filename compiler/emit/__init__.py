"""Ways to write a plan down: each a pure function from a plan to text, in a file of its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias, cast

if TYPE_CHECKING:
    from ..plan import Plan

__all__ = ["EMITTERS", "Emitter"]

Emitter: TypeAlias = "Callable[[Plan], str]"

_KINDS = ("table", "json", "python", "mermaid", "dot", "svg")


class _Emitters(Mapping[str, "Emitter"]):
    """The emitters by name, each imported when it is looked up."""

    def __getitem__(self, kind: str) -> Emitter:
        if kind not in _KINDS:
            raise KeyError(kind)
        return cast("Emitter", import_module(f".{kind}", __name__).emit)

    def __iter__(self) -> Iterator[str]:
        return iter(_KINDS)

    def __len__(self) -> int:
        return len(_KINDS)


EMITTERS: Mapping[str, Emitter] = _Emitters()
"""Every way to write a plan down, by name."""
