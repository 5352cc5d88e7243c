"""What has been found wrong with a text so far."""

from __future__ import annotations

from typing import NoReturn

from ..errors import Fault, Span, SpecError
from .bounds import FAULTS

__all__ = ["Faults"]


class Faults:
    """A list of faults that ends the reading when it is full."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, code: str, message: str, span: Span, hint: str = "") -> None:
        """Note a fault and read on. Raises SpecError when there are too many."""
        self.found.append(Fault(code, message, span, hint))
        if len(self.found) >= FAULTS:
            raise SpecError(self.found)

    def stop(self, code: str, message: str, span: Span, hint: str = "") -> NoReturn:
        """Report a fault after which reading on makes no sense. Always raises SpecError."""
        raise SpecError([*self.found, Fault(code, message, span, hint)])
