"""Answer each item of a list on its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from ..allot import Allot
from ..flow import join
from ..graph import Graph, Node
from ..op import Amount, Flow
from .base import Region, Steps, Written, chosen, made, placed

__all__ = ["Map"]


class Map(Region):
    """Answer each item of a list on its own, all at once.

    Reads the first candidate, whose text is the list. The steps run once for each item: the item is
    the question that they are asked, and the candidate that they are fed. The result is what came
    of all items, in the order of the list.
    """

    steps: Steps
    """What is done with an item; the last step is what comes of it."""
    most: Annotated[int, Field(ge=1, le=100)]
    """The most items."""
    split: Literal["lines", "paragraphs", "json", "whole"] = "lines"
    """How the list is written: each item a line, with or without a bullet or number; paragraphs
    with empty lines between; a JSON array; or no list, the whole text being the one item."""
    on_more: Literal["fail", "drop"] = "fail"
    """What becomes of a longer list: an error, or the items at its end are lost."""
    allot: Allot | None = None
    """How tokens are split over the items, each part the most that a reply about its item may
    have."""

    @model_validator(mode="after")
    def _can_be_split(self) -> Self:
        if self.allot is None:
            return self
        if self.allot.tokens < self.most:
            raise ValueError(f"{self.allot.tokens} tokens are too few for {self.most} items")
        if self.allot.weigh is not None and self.split != "json":
            raise ValueError("`weigh` is a field of items: it takes `split: json`")
        return self

    def written(self) -> Mapping[str, Written]:
        return {"item": Written(("steps",), self.steps)}

    @property
    def reads_input(self) -> bool:
        return True

    def places(self, name: str) -> Iterator[tuple[str, str]]:
        for number in range(1, self.most + 1):
            yield "item", f"{name}.{number}"

    def flow(self, given: Flow) -> Flow:
        tokens = Amount(1, max(1, given.tokens.high))
        item = Flow(Amount(1, 1), tokens=tokens, question=given.question)
        lane = self.through("item", item, tokens)
        low = 0  # a list may be empty, or no list
        return replace(
            join([lane] * self.most).with_count(low, lane.count.high * self.most),
            question=given.question,
        )

    def unrolled(self, node: Node, bodies: Mapping[str, Graph]) -> Iterator[Node]:
        body = bodies["item"]
        outputs = []
        for place, (_, prefix) in enumerate(self.places(node.name)):
            item = f"{node.name}.item{place + 1}"
            told: dict[str, Any] = {"index": place, "split": self.split, "most": self.most}
            told |= {"on_more": self.on_more, "allot": self.allot}
            yield made(node, item, "item", told, node.inputs)
            yield from placed(body, prefix, node, [item], gate=item, topic=item)
            outputs.append(f"{prefix}.{body.output}")
        yield chosen(node, outputs, "gather")
