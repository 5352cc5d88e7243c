"""Wins over given answers, as a judge sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ...compiler.answers import Answer
from ...compiler.errors import InputError
from ...compiler.values import Json
from ...runtime.ledger import Ledger
from ...runtime.session import Session
from ...runtime.store import Store
from ..data.item import Item
from ..data.jsonl import rows
from ..judges.pairwise import Judge, judge_plan
from .score import Score

__all__ = ["Judged"]


@dataclass(frozen=True, eq=False)
class Judged:
    """1 for an answer that the judge prefers to the baseline's in both orders, 0 for one it likes
    less, half for a tie or a conflict of the orders.

    `judge` is a model (backend/name, with `options`) or a pipeline file. The baseline's answer is
    the item's field `baseline`, else its reference; or, with `baseline`, the `text` in the records
    of an earlier evaluation, or in lines with `id` and `text`. A verdict that cannot be read is no
    score. Draws are not judged, results alone.

    MT-Bench (Zheng et al., 2023).
    """

    name: ClassVar[str] = "judged"
    candidates: ClassVar[bool] = False

    judge: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    baseline: str = ""
    keys: tuple[str, ...] = ()
    """Environment variables whose keys the judge may send."""
    _judges: list[Judge] = field(default_factory=list, init=False, repr=False)
    _answers: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    @asynccontextmanager
    async def opened(self, account: Ledger, stores: Sequence[Store] = ()) -> AsyncIterator[None]:
        """Ready to judge while inside; what that costs is charged to the account, and verdicts that
        `stores` hold are not asked for again."""
        if not self.judge:
            raise InputError(
                'say who judges: --metric \'{"judged": {"judge": "BACKEND/MODEL or FILE"}}\''
            )
        self._answers.update(_read(Path(self.baseline)) if self.baseline else {})
        plan = judge_plan(self.judge, self.options)
        async with Session(plan, keys=self.keys, stores=stores) as session:
            self._judges.append(Judge(session, account))
            try:
                yield
            finally:
                self._judges.clear()

    async def score(self, item: Item, answer: Answer | None, text: str) -> Score:
        """The judge's verdict, with the lengths of both answers as detail."""
        if answer is None or not text.strip():
            return Score(0.0, parsed=False)
        other = self._other(item)
        verdict = await self._judges[0].compare(item.text, text, other, id=item.id)
        if verdict.value is None:
            raise InputError(f"item {item.id!r}: no verdict of the judge could be read")
        detail: dict[str, Json] = {
            "length": len(text),
            "baseline_length": len(other),
            "orders": [*verdict.orders],
        }
        return Score(verdict.value, detail=detail, usage=verdict.usage)

    def _other(self, item: Item) -> str:
        if self._answers:
            found = self._answers.get(item.id)
        else:
            told = item.fields.get("baseline")
            found = told if isinstance(told, str) else item.reference
        if not found:
            raise InputError(f"item {item.id!r}: the baseline has no answer to be compared with")
        return found


def _read(path: Path) -> Mapping[str, str]:
    """The answers in a file of records, or of lines with `id` and `text`."""
    if not path.is_file():
        raise InputError(f"{path}: no such file of answers")
    found: dict[str, str] = {}
    for row in rows(path):
        id = row.fields.get("item", row.fields.get("id"))
        text = row.fields.get("text")
        if isinstance(id, str) and isinstance(text, str):
            found.setdefault(id, text)
    return found
