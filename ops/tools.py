"""Answer the question with tools, called in parallel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from ..compiler.model import Capability
from ..compiler.op import (
    All,
    Amount,
    Asking,
    Calls,
    Context,
    Effect,
    Flow,
    Mismatch,
    Stream,
    Uses,
)
from ..compiler.toolspec import ToolName
from ..compiler.values import Candidate, Tool
from ._asks import completion, like
from ._attempt import Attempt
from ._board import Board
from ._join import Join
from ._tool_chains import chained
from ._tool_chats import chatted, wire_names
from ._tool_plans import planned

__all__ = ["CHAIN", "PLAN", "Tools"]

PLAN = """\
Work out which calls of tools would help to answer the question below, and write them down as a \
numbered list, one after the other. For instance, with tools of these names:

1. search(query="area of Lake Geneva in square kilometres")
2. search(query="area of Lake Constance in square kilometres")
3. calculator(expression="${1.area} - ${2.area}")

${1} stands for the whole result of call 1, and ${1.area}, ${1.items[0].name} for a part of it. A \
call may refer to calls above it, and to no others. Every call runs as soon as what it refers to \
is there, at the same time as others: let it refer only to what it needs. To write ${1} itself, \
write $${1}. Give texts in double quotes. Make at most {most} calls. If no call would help, write \
"none".

### Tools
{tools}

{results}### Question
{question}

Write the list alone; the first call has the number {first}."""
"""Asks for a plan of calls."""

CHAIN = """\
Answer the question step by step. Do no calculation and recall no fact that a tool could give: \
write a call of the tool in its place, in square brackets and with a number, as in

Lake Geneva covers [1. search(query="area of Lake Geneva in square kilometres")] square \
kilometres, twice as much as [2. calculator(expression="${1} / 2")]. The answer is ${2}.

Each call will be replaced by its result, and so will ${1}, which stands for the result of call 1; \
${1.area} and ${1.items[0].name} stand for a part of it. A call may refer to calls before it. Give \
texts in double quotes. Make at most {most} calls.

### Tools
{tools}

### Question
{question}"""
"""Asks for a chain of thought with calls in it."""

_TOLD = Amount(4, 256)
"""Tokens that describe one tool, about."""
_CHARS = 4
"""Characters in a token, about."""
_FRAME = 160
"""Tokens of a call and its arguments where its result is shown, at most."""

_PROMPTS = {"plan": PLAN, "calls": "", "abstraction": CHAIN}
_SHOWN = {
    "plan": frozenset({"question", "tools", "results", "most", "first"}),
    "calls": frozenset({"question"}),
    "abstraction": frozenset({"question", "tools", "most"}),
}
"""What a prompt of each method may name."""
_ROLES = {
    "plan": frozenset({"plan", "join"}),
    "calls": frozenset({"call"}),
    "abstraction": frozenset({"solve"}),
}


class Tools(Asking, All):
    """Answer the question with tools, called in parallel.

    `plan`: the model writes a list of calls that refer to the results of earlier ones (`${1.area}`)
    and each call runs as soon as those are there, while the plan is still being written; then the
    results are shown, and the model answers or asks for another round. `calls`: the model gets the
    question's own chat and the tools in the provider's form, which it must offer; all calls of a
    turn run at once, and their results are told before the next turn. `abstraction`: the model
    writes its chain of thought with calls in the place of what it does not know, and the results
    fill them in; nothing more is asked.

    `n` attempts are made, each a new candidate with a note `calls` of what was called and what came
    of it. A call that fails (an unknown tool, wrong arguments, an error, a time-out) fails alone,
    with those that refer to it; the model is told of it, unless `on_error: fail` makes that an
    error of the step. An answer that asks for a round too many, or a chain with a gap, is *no
    answer*. The tools themselves stand in `tools:` of the pipeline, and have to be granted.

    LLMCompiler (Kim et al., 2024) for `plan`; DTA-Llama (Zhu et al., 2025) for rounds of parallel
    `calls`; Chain-of-Abstraction (Gao et al., 2024) for `abstraction`.
    """

    effect: ClassVar[Effect] = "acts"
    reads: ClassVar[bool] = False
    variables: ClassVar[frozenset[str]] = _SHOWN["plan"]

    method: Literal["plan", "calls", "abstraction"] = "plan"
    """How tools are called."""
    tools: tuple[ToolName, ...] = ()
    """Those of the pipeline's `tools:` that may be called; all of them if left out."""
    rounds: Annotated[int, Field(ge=1)] = 3
    """Rounds of calls in one attempt, at most. Of `abstraction` there is one."""
    most: Annotated[int, Field(ge=1)] = 16
    """Calls of tools in one round, at most; more fail."""
    n: Annotated[int, Field(ge=1)] = 1
    """How many attempts."""
    shown: Annotated[int, Field(ge=1)] = 4000
    """Characters of a result that a model is shown; references take it whole."""
    on_error: Literal["tell", "fail"] = "tell"
    """What becomes of a call that fails: the model is told, or the step fails."""
    join: Join = Join()
    """Who answers from the results of a plan: its own model, prompt, temperature, …"""

    def askings(self) -> tuple[Asking, ...]:
        return (self._worded(), self._joining()) if self.method == "plan" else (self._worded(),)

    def with_askings(self, askings: Sequence[Asking]) -> Self:
        own, *rest = askings
        settled = super().with_askings([own]).model_copy(update={"prompt": self.prompt})
        return settled.model_copy(update={"join": rest[0]}) if rest else settled

    def tool_names(self) -> tuple[str, ...]:
        return self.tools

    def with_tools(self, names: Sequence[str]) -> Self:
        return self.model_copy(update={"tools": tuple(names)})

    def flow(self, given: Flow) -> Flow:
        self._check()
        last = self._joining() if self.method == "plan" else self
        filled = self._results if self.method == "abstraction" else 0
        tokens = completion(last) + Amount(0, filled)
        count = Amount(self.n, self.n)
        return Flow(count, notes=frozenset({"calls"}), tokens=tokens, question=given.question)

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        told = Amount(len(self.tools) * _TOLD.low, len(self.tools) * _TOLD.high)
        before = Amount(0, (self._turns - 1) * (self._results + completion(self).high))
        own = self._priced(given, self._worded(), told + before)
        if self.method == "plan":
            shown = Amount(0, self.rounds * self._results)
            return own, self._priced(given, self._joining(), shown)
        return (own,)

    def tool_uses(self, given: Flow) -> Uses:
        rounds = 1 if self.method == "abstraction" else self.rounds
        return Uses(self.tools, Amount(0, self.n * rounds * self.most))

    def asks(self) -> frozenset[Capability]:
        return super().asks() | ({Capability.TOOLS} if self.method == "calls" else frozenset())

    def roles(self) -> frozenset[str]:
        return _ROLES[self.method]

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        tools = await ctx.tools(self.tools)
        attempts = [self._attempt(ctx, tools, attempt) for attempt in range(self.n)]
        for candidate in await ctx.together(attempts):
            yield candidate

    async def _attempt(self, ctx: Context, tools: tuple[Tool, ...], attempt: int) -> Candidate:
        fatal = self.on_error == "fail"
        board = Board(ctx, tools, attempt, most=self.most, longest=self.shown, fatal=fatal)
        own = Attempt(ctx, attempt, tools, board, self.most)
        match self.method:
            case "plan":
                return await planned(own, self._worded(), self._joining(), self.rounds)
            case "calls":
                return await chatted(own, self, self.rounds)
        return await chained(own, self._worded())

    @property
    def _turns(self) -> int:
        """How often the model itself is asked in one attempt, at most."""
        return {"plan": self.rounds, "calls": self.rounds + 1, "abstraction": 1}[self.method]

    @property
    def _results(self) -> int:
        """Tokens of the results of one round, at most, as a model is shown them."""
        return self.most * (self.shown // _CHARS + _FRAME)

    def _worded(self) -> Self:
        """This operator with the prompt of its method written out."""
        return self.model_copy(update={"prompt": self.prompt or _PROMPTS[self.method]})

    def _joining(self) -> Join:
        """Who joins, with the planner's arguments where it gives none of its own."""
        return like(self, self.join)

    def _priced(self, given: Flow, asking: Asking, more: Amount) -> Calls:
        """Bounds on what is asked of one model: once an attempt at least, and each turn at most."""
        count = Amount(self.n, self.n * self._turns)
        calls = asking.prices(given, count, depth=Amount(1, self._turns))
        return replace(calls, prompt=calls.prompt + more)

    def _check(self) -> None:
        """Raise `Mismatch` for arguments that this method cannot make use of."""
        if self.method == "abstraction" and "rounds" in self.model_fields_set:
            raise Mismatch("abstraction has one round", field="rounds")
        if self.method != "plan" and self.join != Join():
            raise Mismatch(f"{self.method} has no join: the model itself answers", field="join")
        for name in sorted(self.variables - _SHOWN[self.method]):
            if self.prompt is not None and f"{{{name}}}" in self.prompt:
                raise Mismatch(f"{self.method} does not show {{{name}}}", field="prompt")
        if self.method == "calls" and len(wire_names(self.tools)) < len(self.tools):
            told = "two tools have one name where providers know no dots"
            raise Mismatch(told, field="tools")
