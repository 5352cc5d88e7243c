"""Take one item out of a list that a candidate holds."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from math import isfinite
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ..compiler.allot import Allot
from ..compiler.answers import answer_kind
from ..compiler.errors import InputError
from ..compiler.op import All, Amount, Context, Flow, Mismatch, Reply, Stream
from ..compiler.values import Candidate, Json, Usage

__all__ = ["Item", "items_of"]

_BULLET = re.compile(r"\s*(?:[-*•]|\(?\d{1,3}[.):])\s+")
_JSON = answer_kind("json")


class Item(All):
    """Take one item out of a list that a candidate holds.

    Reads the first candidate and yields one whose text is the item number `index` of its list, or
    nothing if the list is shorter. The list is written as `split` says: `lines`, each item a line
    of its own, bullets and numbers in front dropped; `paragraphs`, with empty lines between;
    `json`, an array, of which texts are taken as they are and other items as JSON; `whole`, one
    item that is the text itself. A list longer than `most` ends the run with an error, or with
    `on_more: drop` loses what is too much, which the trace tells. With `allot`, the item carries
    the note `allotted`, its share of the tokens. Asks nobody.
    """

    index: Annotated[int, Field(ge=0)] = 0
    """Which item, from 0."""
    split: Literal["lines", "paragraphs", "json", "whole"] = "lines"
    """How the list is written."""
    most: Annotated[int, Field(ge=1)] | None = None
    """The most items that a list may have."""
    on_more: Literal["fail", "drop"] = "fail"
    """What becomes of a longer list."""
    allot: Allot | None = None
    """How tokens are split over the items, each part the most that a reply about its item may
    have."""

    @model_validator(mode="after")
    def _can_be_weighed(self) -> Self:
        if self.allot is not None and self.allot.weigh is not None and self.split != "json":
            raise ValueError("`weigh` is a field of items: it takes `split: json`")
        return self

    def flow(self, given: Flow) -> Flow:
        if given.count.high == 0:
            raise Mismatch("an item of nothing")
        low = 1 if self.index == 0 and given.count.low else 0
        tokens = Amount(1, max(1, given.tokens.high))
        return Flow(Amount(low, 1), frozenset(), frozenset(), tokens, given.question)

    def window(self, given: Flow) -> int | None:
        return 1

    def least(self, given: Flow) -> int:
        return min(1, given.count.low)

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        async for candidate in given:
            await given.aclose()
            items = items_of(candidate.text, self.split)
            if self.most is not None and len(items) > self.most:
                self._too_many(ctx, len(items))
                items = items[: self.most]
            if self.index < len(items):
                text, notes = self._own(ctx, items)
                reply = Reply(0, text, candidate.origin.model, "stop", Usage())
                yield ctx.candidate(reply, index=0, parents=[candidate]).but(notes=notes)
            return

    def _own(self, ctx: Context, items: Sequence[str]) -> tuple[str, Mapping[str, Json]]:
        """The text of the item, and its share where tokens are split."""
        around = ctx.question.tokens
        if self.allot is None:
            return items[self.index], {} if around is None else {"allotted": around}
        allot, weights = self.allot, [1.0] * len(items)
        if around is not None and around < allot.tokens:
            allot = allot.model_copy(update={"tokens": around})
        if allot.weigh is not None:
            weighed = [_weighed(item, allot.weigh) for item in items]
            items = [text for text, _ in weighed]
            told = [weight for _, weight in weighed if weight is not None]
            if len(told) == len(items):
                weights = told
            elif self.index == 0:
                ctx.note("items weigh alike", without_weight=len(items) - len(told))
        try:
            caps = allot.caps(weights)
        except ValueError as error:
            raise InputError(str(error)) from error
        return items[self.index], {"allotted": caps[self.index]}

    def _too_many(self, ctx: Context, count: int) -> None:
        if self.on_more == "fail":
            raise InputError(f"a list of {count} items, where {self.most} are the most")
        if self.index == 0:
            ctx.note("items dropped", items=count, most=self.most)


def items_of(text: str, split: Literal["lines", "paragraphs", "json", "whole"]) -> Sequence[str]:
    """The items of a list, in order; none where there is no list of that form.

    >>> items_of("1. one\\n2. two", "lines")
    ['one', 'two']
    """
    match split:
        case "json":
            found = _JSON.read(text)
            listed = json.loads(found.text) if found is not None else ()
            if not isinstance(listed, list):
                return ()
            return [item if isinstance(item, str) else json.dumps(item) for item in listed]
        case "whole":
            parts = [text]
        case "paragraphs":
            parts = re.split(r"\n\s*\n", text)
        case "lines":
            parts = [_BULLET.sub("", line, count=1) for line in text.splitlines()]
    return [part.strip() for part in parts if part.strip()]


def _weighed(item: str, field: str) -> tuple[str, float | None]:
    """An item without the field that says its weight, and that weight, if it is a number above 0.

    >>> _weighed('{"ask": "How far?", "effort": 3}', "effort")
    ('How far?', 3.0)
    """
    try:
        told = json.loads(item)
    except ValueError:
        return item, None
    if not isinstance(told, dict) or field not in told:
        return item, None
    weight = told.pop(field)
    left = list(told.values())
    text = left[0] if len(left) == 1 and isinstance(left[0], str) else json.dumps(told)
    sound = isinstance(weight, int | float) and not isinstance(weight, bool)
    return text, float(weight) if sound and isfinite(weight) and weight > 0 else None
