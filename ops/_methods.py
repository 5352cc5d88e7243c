"""What operators share that work by one of several methods, each with arguments of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar, Protocol

__all__ = ["refuse_arguments", "refuse_prompt"]


class _Taking(Protocol):
    takes: ClassVar[frozenset[str]]


class _Shows(Protocol):
    shown: ClassVar[frozenset[str]]
    required: ClassVar[frozenset[str]]


def refuse_arguments(
    written: Collection[str], methods: Mapping[str, _Taking], chosen: str, key: str = "method"
) -> None:
    """Raise ValueError for an argument that only other methods take; `key` chooses the method."""
    for name in sorted({*written} - methods[chosen].takes):
        others = [method for method, other in methods.items() if name in other.takes]
        if others:
            raise ValueError(f"{name} is for {key} {', '.join(others)}, not for {chosen}")


def refuse_prompt(prompt: str, method: _Shows, variables: Collection[str], told: str) -> None:
    """Raise ValueError for a prompt that lacks what the method must show, or names what it does
    not; `told` names the method."""
    for name in sorted(method.required):
        if f"{{{name}}}" not in prompt:
            raise ValueError(f"a prompt for {told} names {{{name}}}")
    for name in sorted({*variables} - method.shown):
        if f"{{{name}}}" in prompt:
            raise ValueError(f"{{{name}}} is not shown by {told}")
