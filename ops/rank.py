"""Put candidates in order, and keep the best."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..compiler.model import Capability
from ..compiler.op import All, Amount, Asking, Calls, Context, Flow, Mismatch, Shown, Stream
from ..compiler.values import Candidate
from ._asks import framed, with_repair
from ._methods import refuse_arguments
from ._rank import Method, Score
from ._rank_lists import LISTWISE, Checklist, Listwise
from ._rank_pairs import Pairwise
from ._rank_rounds import Knockout, Sorted, Swiss
from ._rank_single import Central, Pointwise

__all__ = ["CRITERION", "Rank"]

CRITERION = (
    "A correct answer is better than a wrong one, whatever else; among equally correct ones, the "
    "one that follows the question more exactly, is more complete, and is clearer."
)
"""What makes an answer better, unless the pipeline says otherwise."""

_METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "listwise": Listwise(),
        "checklist": Checklist(),
        "pairwise": Pairwise(),
        "knockout": Knockout(),
        "swiss": Swiss(),
        "sorted": Sorted(),
        "pointwise": Pointwise(),
        "central": Central(),
    }
)


class Rank(Asking, All):
    """Put candidates in order, and keep the best.

    Reads everything and yields the `keep` best, best first, each with the score `rank` between 0
    and 1; of equals the earlier in index order comes first. What puts them in order is the
    `method`; but for `central`, a judge:

    - `listwise` is shown all at once and puts their numbers in order, each once, `orders` times: as
      given, in reverse, then in random orders, each in reverse as well. Score: the mean place
      (Borda's count), 1 for always first, 0 for always last.
    - `checklist` is shown all in the same orders, writes down what a good answer to the question
      does, and names the best. Score: the share of orders in which it was named.
    - `pairwise` compares every two. Score: wins plus half the ties, as a share of its pairs.
    - `knockout` has two meet at a time, in index order; who loses is out. Score: the share of the
      others that are out by it, or by one that it put out.
    - `swiss` plays `rounds` in which those meet that have about as many points and have not met;
      left out, as many as a knock-out has. Score: as `pairwise`, of the pairs that met.
    - `sorted` sorts by merging, no further than `keep` asks for. Score: the place, 1 for the first
      and 0 for the last; 0 for those behind the `keep` best.
    - `pointwise` grades each alone from 0 to 10. Score: the grade, over 10.
    - `central` asks `model` for an embedding of each, and nobody for a verdict. Score: the mean
      cosine similarity to the others, 1 for equal directions, 1/2 for right angles.

    Where two are compared, that is both ways round with `orders: 2`, and only a verdict that both
    ways agree on is a win, everything else a tie; in `knockout` and `sorted` the earlier one then
    goes on, or first. Pairs are compared as soon as both are there. With `aggregate:
    bradley_terry`, the score is the share of pairs that each would win of the others by the
    Bradley–Terry model fitted to what was said, which counts against whom.

    What cannot be read, after one repair turn, is counted and left out: an order, a pair, a grade,
    an embedding. A candidate left without any score is never 0: it goes behind all that have one,
    in index order, with the note `unranked`. If nothing can be read, that is every candidate, and
    the order given is kept. A single candidate, when the others failed, is not compared. What
    judging several at once cost is the step's and not charged to one of them.

    The ranker of Archon (Saad-Falcon et al., 2024) is `listwise`; both orders, a conflict being a
    tie: Judging LLM-as-a-Judge (Zheng et al., 2023); all pairs and sorting: Pairwise Ranking
    Prompting (Qin et al., 2023); `knockout`: Simple and Provable Scaling Laws (Chen et al., 2024);
    `checklist`: When Life Gives You Samples (Khairi et al., 2025); `central`: Statistical Depth for
    Ranking Text Embeddings (Seegmiller and Preum, 2023). Forms of those, not their programs.
    """

    variables: ClassVar[frozenset[str]] = frozenset(
        {"question", "criterion", "candidates", "first", "second", "candidate"}
    )
    default_prompt: ClassVar[str] = LISTWISE
    movable: ClassVar[bool] = True

    method: Literal[
        "listwise",
        "checklist",
        "pairwise",
        "knockout",
        "swiss",
        "sorted",
        "pointwise",
        "central",
    ] = "listwise"
    """What puts them in order."""
    keep: Annotated[int, Field(ge=1)] | Literal["all"] = 1
    """How many come out, best first."""
    orders: Annotated[int, Field(ge=1)] = 2
    """1: candidates are shown in the order given. 2: in reverse as well. More, where all are shown
    at once: in random orders as well."""
    aggregate: Literal["share", "bradley_terry"] = "share"
    """What `listwise`, `pairwise` and `swiss` make of all that was said: shares, or strengths."""
    rounds: Annotated[int, Field(ge=1)] | None = None
    """Of `swiss`: how many rounds; None for as many as a knock-out has."""
    criterion: str = CRITERION
    """What makes an answer better."""

    @model_validator(mode="after")
    def _fits_its_method(self) -> Self:
        """No argument of another method, and a prompt that names what its method shows."""
        way = self._way
        refuse_arguments(self.model_fields_set, _METHODS, self.method)
        if way.most_orders is not None and self.orders > way.most_orders:
            raise ValueError(f"{self.method} shows candidates in two orders at most")
        if self.prompt is not None:
            self._check_prompt(self.prompt)
        return self

    def _check_prompt(self, prompt: str) -> None:
        if not self._way.prompt:
            raise ValueError(f"{self.method} asks for no verdict, so it takes no prompt")
        for method, other in _METHODS.items():
            for name in sorted(other.shown - self._way.shown):
                if f"{{{name}}}" in prompt:
                    raise ValueError(f"{{{name}}} is shown by {method}, not by {self.method}")

    @property
    def _way(self) -> Method:
        return _METHODS[self.method]

    @property
    def wording(self) -> str:
        return self.prompt or self._way.prompt

    def flow(self, given: Flow) -> Flow:
        """The score is promised although nothing may be readable."""
        if given.count.high == 0:
            raise Mismatch("a ranker over nothing")
        if given.count.high == 1:
            raise Mismatch("a ranker fed one candidate has nothing to order")
        keep = given.count.high if self.keep == "all" else self.keep
        if keep > given.count.high:
            raise Mismatch(f"keep {keep} of at most {given.count.high} candidates", "keep")
        return given.with_count(min(keep, given.count.low), keep).adding(("rank",))

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        asked = self._way.asked(self, given)
        depth = Amount(min(asked.depth.low, asked.count.low), asked.depth.high)
        if not self._way.prompt:
            embeds = self.prices(given, asked.count, shown=asked.shown, depth=depth)
            return (replace(embeds, prompt=given.tokens, completion=Amount(0, 0)),)
        calls = self.prices(framed(given), asked.count, shown=asked.shown, depth=depth)
        calls = with_repair(calls)
        criterion = len(self.criterion) // 4
        return (replace(calls, prompt=calls.prompt + Amount(criterion, criterion)),)

    def asks(self) -> frozenset[Capability]:
        return super().asks() | self._way.asks()

    def prefers(self) -> Mapping[Capability, str]:
        return self._way.prefers()

    def keeps(self) -> Literal["none", "some", "all"]:
        return "some"

    def shows(self, given: Flow) -> Mapping[str, Shown]:
        return self._way.shows(self, given)

    def roles(self) -> frozenset[str]:
        return frozenset({self._way.role})

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        found = await self._way.found(self, ctx, given)
        candidates = [_forgotten(candidate) for candidate in found.candidates]
        if len(candidates) > 1 or any(score is not None for score in found.scores):
            candidates = [_ranked(c, s) for c, s in zip(candidates, found.scores, strict=True)]
        if found.spent:
            spent = zip(candidates, found.spent, strict=True)
            candidates = [candidate.charged(usage) for candidate, usage in spent]
        unranked = [c.origin.key for c in candidates if "rank" not in c.scores]
        if unranked:
            ctx.note("unranked", candidates=unranked)
        # The sort is stable, so equals stay in index order.
        ranked = sorted(candidates, key=lambda c: -c.scores.get("rank", -1.0))
        for candidate in ranked[: None if self.keep == "all" else self.keep]:
            yield candidate


def _forgotten(candidate: Candidate) -> Candidate:
    """The candidate without what an earlier ranker said of it."""
    return candidate.but(
        scores={name: score for name, score in candidate.scores.items() if name != "rank"},
        notes={name: note for name, note in candidate.notes.items() if name != "unranked"},
    )


def _ranked(candidate: Candidate, score: Score) -> Candidate:
    if score is None:
        return candidate.noted("unranked", "nothing readable was said of it")
    return candidate.scored("rank", score)
