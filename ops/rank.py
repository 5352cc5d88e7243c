"""Ask a judge to put candidates in order, and keep the best."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from math import ceil
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..compiler.model import Capability
from ..compiler.op import All, Amount, Asking, Calls, Context, Flow, Mismatch, Shown, Stream
from ..compiler.values import Candidate, Purpose
from ._asks import PARSED, Form, framed, nth, numbered, with_repair

__all__ = [
    "CRITERION",
    "LISTWISE",
    "PAIRWISE",
    "POINTWISE",
    "Comparison",
    "Grade",
    "Rank",
    "Ranking",
]

CRITERION = (
    "A correct answer is better than a wrong one, whatever else; among equally correct ones, the "
    "one that follows the question more exactly, is more complete, and is clearer."
)
"""What makes an answer better, unless the pipeline says otherwise."""

LISTWISE = """\
Here are a question and several answers to it, numbered.

### Question
{question}

{candidates}

Put the answers in order, the best first. {criterion} Their numbers and the order in which they \
are shown mean nothing.

Reply with one JSON object and nothing else; its list holds every number once: \
{"ranking": [best, next, …, worst]}"""
"""Asks for the order of all candidates at once."""

PAIRWISE = """\
Here are a question and two answers to it.

### Question
{question}

### First answer
{first}

### Second answer
{second}

Which answer is better? {criterion} Which of them is shown first means nothing.

Reply with one JSON object and nothing else: \
{"reason": "what decides it", "better": "first" or "second" or "tie"}"""
"""Asks which of two candidates is better."""

POINTWISE = """\
Here are a question and an answer to it.

### Question
{question}

### Answer
{candidate}

Grade the answer from 0 (worthless) to 10 (could not be better). {criterion}

Reply with one JSON object and nothing else: {"reason": "what decides it", "score": 0 to 10}"""
"""Asks for the grade of one candidate."""

_PROMPTS: Mapping[str, str] = {
    "listwise": LISTWISE,
    "pairwise": PAIRWISE,
    "pointwise": POINTWISE,
}
_SHOWN: Mapping[str, frozenset[str]] = {
    "listwise": frozenset({"candidates"}),
    "pairwise": frozenset({"first", "second"}),
    "pointwise": frozenset({"candidate"}),
}
_ROLES: Mapping[str, str] = {"listwise": "rank", "pairwise": "compare", "pointwise": "score"}


class Ranking(Form):
    """The numbers of the candidates shown, best first."""

    ranking: tuple[int, ...]


class Comparison(Form):
    """Which of two candidates is better."""

    reason: str
    better: Literal["first", "second", "tie"]


class Grade(Form):
    """How good one candidate is."""

    reason: str
    score: float = Field(ge=0, le=10, allow_inf_nan=False)


class Rank(Asking, All):
    """Ask a judge to put candidates in order, and keep the best.

    Reads everything and yields the `keep` best, best first, each with the score `rank` between 0
    and 1; of equals the earlier in index order comes first. Three methods:

    - `listwise` shows all at once and wants their numbers in order, each once. With `orders: 2` it
      asks a second time with the candidates shown in reverse. Score: the mean place, 1 for always
      first, 0 for always last.
    - `pairwise` compares every two; with `orders: 2` both ways round, and only a verdict that both
      ways agree on is a win, everything else a tie. Score: wins plus half the ties, as a share of
      the candidate's pairs.
    - `pointwise` grades each alone from 0 to 10, whatever `orders` says. Score: the grade, over 10.

    What cannot be read, after one repair turn, is counted and left out: a listwise order, a pair, a
    grade. A candidate left without any score is never 0: it goes behind all that have one, in index
    order, with the note `unranked`. If no listwise order can be read, that is every candidate, and
    the order given is kept. A single candidate, when the others failed, is not compared. What
    judging several at once cost is the step's and not charged to one of them.

    The ranker of Archon (Saad-Falcon et al., 2024) is `listwise`; both orders, a conflict being a
    tie: Judging LLM-as-a-Judge (Zheng et al., 2023), and Pairwise Ranking Prompting (Qin et al.,
    2023).
    """

    variables: ClassVar[frozenset[str]] = frozenset(
        {"question", "criterion", "candidates", "first", "second", "candidate"}
    )
    default_prompt: ClassVar[str] = LISTWISE
    movable: ClassVar[bool] = True

    method: Literal["listwise", "pairwise", "pointwise"] = "listwise"
    """How the judge is asked."""
    keep: Annotated[int, Field(ge=1)] | Literal["all"] = 1
    """How many come out, best first."""
    orders: Literal[1, 2] = 2
    """1: candidates are shown in the order given. 2: in reverse as well."""
    criterion: str = CRITERION
    """What makes an answer better."""

    @model_validator(mode="after")
    def _names_what_is_shown(self) -> Self:
        """A prompt of one method names nothing that only another method shows."""
        for method, names in _SHOWN.items():
            for name in names - _SHOWN[self.method]:
                if self.prompt is not None and f"{{{name}}}" in self.prompt:
                    raise ValueError(f"{{{name}}} is shown by {method}, not by {self.method}")
        return self

    @property
    def wording(self) -> str:
        return self.prompt or _PROMPTS[self.method]

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
        count, shown = self._asked(given)
        calls = with_repair(self.prices(framed(given), count, shown=shown))
        criterion = len(self.criterion) // 4
        return (replace(calls, prompt=calls.prompt + Amount(criterion, criterion)),)

    def prefers(self) -> Mapping[Capability, str]:
        return PARSED

    def keeps(self) -> Literal["none", "some", "all"]:
        return "some"

    def shows(self, given: Flow) -> Mapping[str, Shown]:
        count = given.count.high
        if self.method == "pointwise":
            return {"candidate": Shown(count)}
        if self.method == "listwise":
            return {"candidates": Shown(self.orders, count)}
        others = count - 1 if self.orders == 2 else ceil(count / 2)
        return {"first": Shown(count if self.orders == 2 else count - 1), "second": Shown(others)}

    def roles(self) -> frozenset[str]:
        return frozenset({_ROLES[self.method]})

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        candidates = [_forgotten(candidate) for candidate in await given.all()]
        if self.method == "pointwise":
            candidates = await self._graded(ctx, candidates)
        elif len(candidates) > 1:
            ask = self._listed if self.method == "listwise" else self._compared
            scores = await ask(ctx, candidates)
            candidates = [_ranked(c, s) for c, s in zip(candidates, scores, strict=True)]
        unranked = [c.origin.key for c in candidates if "rank" not in c.scores]
        if unranked:
            ctx.note("unranked", candidates=unranked)
        # The sort is stable, so equals stay in index order.
        ranked = sorted(candidates, key=lambda c: -c.scores.get("rank", -1.0))
        for candidate in ranked[: None if self.keep == "all" else self.keep]:
            yield candidate

    def _asked(self, given: Flow) -> tuple[Amount, Amount]:
        """How many first calls, and how many candidates each shows."""
        low, high = given.count.low, given.count.high
        if self.method == "pointwise":
            return given.count, Amount(1, 1)
        if self.method == "pairwise":
            pairs = Amount(low * (low - 1) // 2, high * (high - 1) // 2)
            return pairs * Amount(self.orders, self.orders), Amount(2, 2)
        return Amount(self.orders if low > 1 else 0, self.orders), Amount(max(2, low), high)

    async def _listed(self, ctx: Context, candidates: Sequence[Candidate]) -> list[float | None]:
        """The mean place of each in the orders that could be read, 1 for first and 0 for last."""
        given = range(len(candidates))
        shown = [given, given[::-1]][: self.orders]
        orders = await ctx.together(
            [self._order(ctx, candidates, places, index) for index, places in enumerate(shown)]
        )
        read = [order for order in orders if order is not None]
        if not read:
            return [None for _ in candidates]
        worst = len(read) * (len(candidates) - 1)
        return [1 - sum(order.index(i) for order in read) / worst for i in given]

    async def _order(
        self, ctx: Context, candidates: Sequence[Candidate], places: Sequence[int], index: int
    ) -> list[int] | None:
        """The places of all candidates, best first, when shown in this order."""
        shown = [candidates[place] for place in places]
        numbers = list(range(1, len(shown) + 1))

        def check(form: Ranking) -> str:
            if sorted(form.ranking) == numbers:
                return ""
            return f"the ranking must hold each number from 1 to {len(shown)} exactly once"

        asked = await ctx.ask(
            self,
            ctx.fill(self, candidates=numbered(shown), criterion=self.criterion),
            Purpose("rank", ctx.question.text, tuple(c.text for c in shown)),
            Ranking,
            index=index,
            check=check,
        )
        if asked.value is None:
            return None
        return [places[number - 1] for number in asked.value.ranking]

    async def _compared(self, ctx: Context, candidates: Sequence[Candidate]) -> list[float | None]:
        """The share of pairs that each wins, ties by half, of those that could be read."""
        pairs = list(combinations(range(len(candidates)), 2))
        asked = pairs + [(j, i) for i, j in pairs] if self.orders == 2 else pairs
        better = await ctx.together(
            [self._better(ctx, candidates, first, second) for first, second in asked]
        )
        found = dict(zip(asked, better, strict=True))
        points: list[list[float]] = [[] for _ in candidates]
        for i, j in pairs:
            verdicts = {found[i, j], found.get((j, i), found[i, j])}
            if None in verdicts:
                continue
            winner = verdicts.pop() if len(verdicts) == 1 else -1
            for one in (i, j):
                points[one].append(0.5 if winner == -1 else float(winner == one))
        return [sum(own) / len(own) if own else None for own in points]

    async def _better(
        self, ctx: Context, candidates: Sequence[Candidate], first: int, second: int
    ) -> int | None:
        """Which of two is better, by place; -1 for a tie, None if that cannot be read."""
        one, other = candidates[first].text, candidates[second].text
        asked = await ctx.ask(
            self,
            ctx.fill(self, first=one, second=other, criterion=self.criterion),
            Purpose("compare", ctx.question.text, (one, other)),
            Comparison,
            index=nth(first, second),
        )
        if asked.value is None:
            return None
        return {"first": first, "second": second, "tie": -1}[asked.value.better]

    async def _graded(self, ctx: Context, candidates: Sequence[Candidate]) -> list[Candidate]:
        return await ctx.together(
            [self._grade(ctx, candidate, index) for index, candidate in enumerate(candidates)]
        )

    async def _grade(self, ctx: Context, candidate: Candidate, index: int) -> Candidate:
        asked = await ctx.ask(
            self,
            ctx.fill(self, candidate=candidate.text, criterion=self.criterion),
            Purpose("score", ctx.question.text, (candidate.text,)),
            Grade,
            index=index,
        )
        grade = None if asked.value is None else asked.value.score / 10
        return _ranked(candidate, grade).charged(asked.usage)


def _forgotten(candidate: Candidate) -> Candidate:
    """The candidate without what an earlier ranker said of it."""
    return candidate.but(
        scores={name: score for name, score in candidate.scores.items() if name != "rank"},
        notes={name: note for name, note in candidate.notes.items() if name != "unranked"},
    )


def _ranked(candidate: Candidate, score: float | None) -> Candidate:
    if score is None:
        return candidate.noted("unranked", "nothing readable was said of it")
    return candidate.scored("rank", score)
