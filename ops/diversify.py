"""Draw answers by different approaches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..compiler.model import Capability
from ..compiler.op import All, Amount, Asking, Calls, Context, Flow, Stream
from ..compiler.values import Candidate, Purpose, Usage
from ._approaches import Named, Namer, sections
from ._asks import PARSED, Said, answering, completion, with_repair

__all__ = ["APART", "TOGETHER", "Diversify"]

APART = """\
{question}

Solve it by this approach: {approach}"""
"""Asks for an answer by one approach."""

TOGETHER = """\
{question}

Solve it {n} times, each time by another approach{approaches}. Begin each solution with a heading \
of its own, "Approach 1: " and what it is in a few words, then "Approach 2: ", and so on. Every \
solution is worked out by itself and ends with its own answer, in the form that the question asks \
for; do not compare them."""
"""Asks for answers by all approaches in one text."""


class Diversify(Asking, All):
    """Draw answers by different approaches.

    Has a model name `n` approaches to the question, all different, and draws one answer by each;
    with `approaches`, those are taken and nobody is asked for any. `method: together` asks for all
    answers in one text, each under a heading "Approach 1: …"; a section without its heading, a
    number twice or out of range is left out and counted, so that fewer may come out. If the names
    cannot be read, after one repair turn, nothing comes out. Every answer is a candidate with the
    note `approach`; what answering together cost is the step's and not charged to one of them.

    Diversity of Thought (Naik et al., 2023): DIV-SE, and IDIV-SE for `together`. There approaches
    are named once for a task: `approaches`.
    """

    reads: ClassVar[bool] = False
    variables: ClassVar[frozenset[str]] = frozenset({"question", "approach", "approaches", "n"})

    method: Literal["apart", "together"] = "apart"
    """Whether each answer is asked for by itself."""
    n: Annotated[int, Field(ge=2, le=64)] = 5
    """How many approaches."""
    approaches: tuple[Said, ...] = ()
    """The approaches; without any, a model names them."""
    namer: Namer = Namer()
    """Who names them: its own model, prompt, temperature, …"""

    @model_validator(mode="after")
    def _fits_its_method(self) -> Self:
        """Approaches that differ, and a prompt that names what its method shows."""
        given = len(self.approaches)
        if given and (given < 2 or len(set(self.approaches)) < given):
            raise ValueError("approaches are two or more that differ")
        if given and "n" in self.model_fields_set and self.n != given:
            raise ValueError(f"n is {self.n}, and there are {given} approaches")
        if self.namer != Namer() and (given or self.method == "together"):
            raise ValueError("namer is for approaches that are named before they are taken")
        if self.prompt is not None:
            self._check_prompt(self.prompt)
        return self

    def _check_prompt(self, prompt: str) -> None:
        apart = self.method == "apart"
        if apart and "{approach}" not in prompt:
            raise ValueError("a prompt for answers apart names {approach}")
        for name in ("n", "approaches") if apart else ("approach",):
            if f"{{{name}}}" in prompt:
                raise ValueError(f"{{{name}}} is not shown by method {self.method}")

    @property
    def many(self) -> int:
        """How many approaches there are."""
        return len(self.approaches) or self.n

    @property
    def wording(self) -> str:
        return self.prompt or (APART if self.method == "apart" else TOGETHER)

    @property
    def _names(self) -> bool:
        return self.method == "apart" and not self.approaches

    def askings(self) -> tuple[Asking, ...]:
        return (self, self._naming()) if self._names else (self,)

    def with_askings(self, askings: Sequence[Asking]) -> Self:
        own, *namer = askings
        settled = super().with_askings([own])
        return settled.model_copy(update={"namer": namer[0]}) if namer else settled

    def flow(self, given: Flow) -> Flow:
        low = 0 if self._names or self.method == "together" else self.many
        count, notes = Amount(low, self.many), frozenset({"approach"})
        return Flow(count, notes=notes, tokens=completion(self), question=given.question)

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        if self.method == "together":
            listed = sum(len(approach) for approach in self.approaches) // 4
            calls = self.prices(given, Amount(1, 1))
            return (replace(calls, prompt=calls.prompt + Amount(0, listed)),)
        if not self._names:
            longest = max(len(approach) for approach in self.approaches) // 4
            calls = self.prices(given, Amount(self.many, self.many))
            return (replace(calls, prompt=calls.prompt + Amount(0, longest)),)
        naming = self._naming()
        # Behind the names and their repair turn.
        draws = self.prices(given, Amount(0, self.many), depth=Amount(1, 3))
        told = Amount(0, completion(naming).high)
        named = with_repair(naming.prices(given, Amount(1, 1)))
        return replace(draws, prompt=draws.prompt + told), named

    def prefers(self) -> dict[Capability, str]:
        return dict(PARSED) if self._names else {}

    def roles(self) -> frozenset[str]:
        return frozenset({"solve_by", "name_approaches"} if self._names else {"solve_by"})

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        if self.method == "together":
            drawn = await self._together(ctx)
        else:
            approaches = self.approaches or await self._named(ctx)
            jobs = [self._by(ctx, place, one) for place, one in enumerate(approaches)]
            drawn = await ctx.together(jobs) if jobs else []
        for candidate in drawn:
            yield candidate

    async def _named(self, ctx: Context) -> tuple[str, ...]:
        """The approaches that a model names; none if they cannot be read."""

        def check(form: Named) -> str:
            many = len(set(form.approaches))
            wrong = many < len(form.approaches) or many != self.n
            return f"there must be {self.n} approaches, all different" if wrong else ""

        naming = self._naming()
        text = ctx.fill(naming, n=str(self.n))
        purpose = Purpose("name_approaches", ctx.question.text)
        asked = await ctx.ask(naming, text, purpose, Named, index=0, check=check)
        return () if asked.value is None else asked.value.approaches

    async def _by(self, ctx: Context, place: int, approach: str) -> Candidate:
        messages = answering(ctx.question, ctx.fill(self, approach=approach))
        purpose = Purpose("solve_by", ctx.question.text, (approach,))
        # The number 0 is that of the names.
        (reply,) = await ctx.sample(self, messages, purpose, range(1 + place, 2 + place))
        return ctx.candidate(reply, index=place).noted("approach", approach)

    async def _together(self, ctx: Context) -> list[Candidate]:
        listed = "".join(f"\n{n}. {one}" for n, one in enumerate(self.approaches, start=1))
        told = f", these in turn:{listed}\n" if listed else ""
        text = ctx.fill(self, n=str(self.many), approaches=told)
        purpose = Purpose("solve_by", ctx.question.text, self.approaches)
        (reply,) = await ctx.sample(self, answering(ctx.question, text), purpose, range(1))
        found, left_out = sections(reply.text, self.many)
        if left_out or len(found) < self.many:
            ctx.note("sections", read=len(found), wanted=self.many, left_out=left_out)
        drawn = []
        for section in found:
            own = replace(reply, text=section.text, usage=Usage())
            candidate = ctx.candidate(own, index=section.number - 1)
            drawn.append(candidate.noted("approach", section.name))
        return drawn

    def _naming(self) -> Namer:
        """Who names, with the step's arguments where it gives none of its own."""
        own = {name: getattr(self, name) for name in Namer.model_fields if name != "prompt"}
        left = {k: v for k, v in own.items() if k not in self.namer.model_fields_set}
        return self.namer.model_copy(update=left)
