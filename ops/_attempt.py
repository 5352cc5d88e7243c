"""One attempt at answering a question with tools."""

from __future__ import annotations

from dataclasses import dataclass

from ..compiler.op import Context
from ..compiler.values import Tool
from ._asks import nth
from ._board import Board

__all__ = ["Attempt"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt has to work with. `index` is the attempt's own number, `most` how many calls
    a round may hold."""

    ctx: Context
    index: int
    tools: tuple[Tool, ...]
    board: Board
    most: int

    def request(self, turn: int) -> range:
        """The number of a request, as a range of one draw: no other attempt has it."""
        number = nth(self.index, turn)
        return range(number, number + 1)
