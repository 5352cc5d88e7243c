"""Answer the question while a second model reads along and may end it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Self

from pydantic import Field

from ..compiler.model import Capability
from ..compiler.op import All, Amount, Asking, Calls, Context, Flow, Reply, Stream, Wishes
from ..compiler.values import CUT, Candidate, Purpose, Usage
from ._asks import chat, completion, like, nth, with_repair
from ._verify_judge import Verdict
from ._watcher import Watcher
from ._watching import Watching

__all__ = ["Watch"]

_CHARS = 4
"""Characters in a token, about."""


class Watch(Asking, All):
    """Answer the question while a second model reads along and may end it.

    The model gets the question's own chat, unchanged, or with `prompt` the filled prompt instead.
    Every `every` tokens (of about four characters each) the watcher is shown what was written until
    then, to the end of a word, and says whether the answer is found there. The writing does not
    wait for it: looks may overlap, and one whose verdict comes too late, or cannot be read, changes
    nothing. The first that finds the answer ends the writing; what came after the text it was shown
    is lost, and charged. With `insert`, that text goes on from there: the model gets it as the
    beginning of its own reply, with `insert` behind it, and writes `rest` tokens at most; so does a
    text that reached its `max_tokens`. Without, it stays as it is, and its `finish` is length.

    `n` attempts are made, each a new candidate with a note `watched`: how many looks there were,
    and whether one of them ended it. As in a race, what comes out depends on timing. A model's
    reasoning that is told apart from its text is not shown.

    TrimR (Lin et al., 2025), whose watcher also looks for repeated answers.
    """

    reads: ClassVar[bool] = False
    variables: ClassVar[frozenset[str]] = frozenset({"question"})

    n: Annotated[int, Field(ge=1)] = 1
    """How many attempts."""
    every: Annotated[int, Field(ge=1)] = 64
    """Tokens from one look to the next."""
    insert: str = ""
    """Text that is put behind a thought that was ended; the model goes on from there."""
    rest: Annotated[int, Field(ge=1)] = 64
    """Tokens behind `insert`, at most."""
    watcher: Watcher = Watcher()
    """Who reads along: its own `model`, `prompt`, `temperature`, …"""

    def askings(self) -> tuple[Asking, ...]:
        return (self, self._watcher())

    def with_askings(self, askings: Sequence[Asking]) -> Self:
        own, watcher = askings
        return super().with_askings([own]).model_copy(update={"watcher": watcher})

    def asks(self) -> frozenset[Capability]:
        return super().asks().union({Capability.CONTINUATION} if self.insert else ())

    def flow(self, given: Flow) -> Flow:
        count = Amount(self.n, self.n)
        tokens = completion(self) + self._more
        return Flow(count, notes=frozenset({"watched"}), tokens=tokens, question=given.question)

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        drawn, written = Amount(self.n, self.n), Amount(0, completion(self).high)
        looks = self._watcher().prices(given, Amount(0, self.n * self._looks))
        looks = replace(looks, prompt=looks.prompt + written, depth=Amount(0, 1))
        calls = [self.prices(given, drawn), with_repair(looks)]
        if self.insert:
            rest = self._closing().prices(given, Amount(0, self.n))
            begun = written + Amount(0, self._inserted)
            calls.append(replace(rest, prompt=rest.prompt + begun))
        return tuple(calls)

    def roles(self) -> frozenset[str]:
        return frozenset({"solve", "verify"})

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        for candidate in await ctx.together([self._attempt(ctx, n) for n in range(self.n)]):
            yield candidate

    async def _attempt(self, ctx: Context, attempt: int) -> Candidate:
        judging = Usage()

        async def enough(number: int, text: str) -> bool:
            nonlocal judging
            filled = ctx.fill(watcher, candidate=text)
            purpose = Purpose("verify", ctx.question.text, (text,))
            index = nth(attempt, number + 2)
            asked = await ctx.ask(watcher, filled, purpose, Verdict, index=index)
            judging += asked.usage
            return asked.value is not None and asked.value.verdict == "right"

        watcher, purpose = self._watcher(), Purpose("solve", ctx.question.text)
        watching = Watching(enough, every=_CHARS * self.every, most=self._looks)
        async with ctx.stream(self, chat(self, ctx), purpose, nth(attempt, 0)) as writing:
            found = await watching.read(writing)
            reply = _ended(self, found) if found is not None else writing.reply
        if self.insert and reply.finish == CUT:
            reply = await self._rest(ctx, reply, nth(attempt, 1))
        reply = replace(reply, usage=reply.usage + judging)
        told = {"looks": watching.looks, "ended": found is not None}
        return ctx.candidate(reply, index=attempt).noted("watched", told)

    async def _rest(self, ctx: Context, begun: Reply, index: int) -> Reply:
        """The reply with what the model writes behind `insert`."""
        text = begun.text + self.insert
        purpose, draws = Purpose("solve", ctx.question.text), range(index, index + 1)
        closing = self._closing()
        (reply,) = await ctx.sample(closing, chat(self, ctx), purpose, draws, Wishes(text))
        return replace(reply, text=text + reply.text, usage=begun.usage + reply.usage)

    @property
    def _looks(self) -> int:
        """Looks at one attempt, at most."""
        return (self.max_tokens or 1) // self.every

    @property
    def _more(self) -> Amount:
        """Tokens that may stand behind what was written."""
        return Amount(0, self._inserted + self.rest if self.insert else 0)

    @property
    def _inserted(self) -> int:
        """Tokens of `insert`, at most."""
        return len(self.insert) // _CHARS + 1

    def _closing(self) -> Self:
        """This operator as it asks for what stands behind `insert`."""
        return self.model_copy(update={"max_tokens": self.rest})

    def _watcher(self) -> Watcher:
        """Who reads along, with the writer's arguments where it gives none of its own."""
        return like(self, self.watcher)


def _ended(op: Watch, text: str) -> Reply:
    """What was written of a reply that was given up; what that cost is the step's."""
    return Reply(0, text, op.model or "", CUT, Usage())
