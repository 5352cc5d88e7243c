"""Verdicts of judges from a folder of recordings."""

from __future__ import annotations

from pathlib import Path

from ...compiler.errors import InputError
from ..data import load_data
from ..data.item import Item
from ..data.row import Row
from .judges import Pair, Verdict
from .source import recorded

__all__ = ["read_judgements"]

_FILES = ("judgements.jsonl.gz", "judgements.jsonl")


def read_judgements(folder: Path) -> tuple[tuple[Verdict, ...], dict[str, Pair]]:
    """The pairwise verdicts, each judge under each of its prompts a judge, and the pairs.

    Rows that rate one output (order `1` or `2`) are no verdicts and left out. Raises `InputError`.
    """
    told = recorded(folder, _FILES)
    found = tuple(_verdict(row) for row in told if row.fields.get("order") in ("12", "21"))
    pairs = {item.id: _pair(item) for item in load_data(folder).items}
    lost = [verdict.item for verdict in found if verdict.item not in pairs]
    if lost or not found:
        raise InputError(
            f"{folder}: no item {lost[0]}, which was judged" if lost else f"{folder}: no verdicts"
        )
    return found, pairs


def _pair(item: Item) -> Pair:
    if len(item.choices) != 2 or item.reference not in ("1", "2"):
        raise InputError(f"{item.id}: a pair has two choices, and its reference is 1 or 2")
    one, two = map(len, item.choices)
    return Pair(int(item.reference), 0 if one == two else 1 if one > two else 2)


def _verdict(row: Row) -> Verdict:
    told = row.fields
    judge, item, winner = told.get("judge"), told.get("item"), told.get("winner")
    if not isinstance(judge, str) or not isinstance(item, str) or winner not in (1, 2, None):
        raise InputError(f"{row.where}: a judgement has judge, item, order and winner")
    strategy = told.get("strategy")
    name = f"{judge}/{strategy}" if isinstance(strategy, str) else judge
    return Verdict(name, item, int(str(told["order"])[0]), None if winner is None else int(winner))
