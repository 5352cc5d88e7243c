"""Calls under way: each starts as soon as the results that it refers to are there."""

from __future__ import annotations

import json
from asyncio import Event, TaskGroup
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ..compiler.errors import ToolFailed
from ..compiler.names import nearest
from ..compiler.op import Called, Context
from ..compiler.toolcalls import wrong_arguments
from ..compiler.values import Json, Tool, Usage, total
from ._asks import nth
from ._calls_text import Written
from ._references import NoSuchPart, Value, as_text, filled, needs

__all__ = ["Board", "Entry", "shortened"]

_SHOWN_ARGUMENTS = 500
"""Characters of a call's arguments where its result is shown."""


@dataclass(slots=True)
class Entry:
    """A call, and what becomes of it."""

    id: int
    tool: str
    arguments: dict[str, Value]
    """As written; once it is made, with what its references stand for."""
    called: Called | None = None
    ended: Event = field(default_factory=Event)

    @property
    def result(self) -> Called:
        """What became of it, once it has ended."""
        assert self.called is not None
        return self.called

    def end(self, called: Called) -> None:
        """It has ended."""
        self.called = called
        self.ended.set()


class Board:
    """The calls of one attempt at a question, over all its rounds, by their numbers."""

    def __init__(
        self,
        ctx: Context,
        tools: Sequence[Tool],
        attempt: int,
        *,
        most: int,
        longest: int,
        fatal: bool,
    ) -> None:
        """`most` calls may be made in a round; `longest` characters of a result are shown; `fatal`:
        a call that fails is an error."""
        self.entries: dict[int, Entry] = {}
        self._ctx = ctx
        self._tools = {tool.name: tool for tool in tools}
        self._most = most
        self._longest = longest
        self._fatal = fatal
        self._attempt = attempt
        self._group: TaskGroup | None = None
        self._made = 0
        self._count = 0
        self._wrong: list[str] = []

    @asynccontextmanager
    async def round(self) -> AsyncIterator[None]:
        """A round of calls, which ends when all of them have."""
        self._made = 0
        self._wrong = []
        try:
            async with TaskGroup() as group:
                self._group = group
                yield
        except BaseExceptionGroup as failed:
            error: BaseException = failed
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
        else:
            return
        finally:
            self._group = None
        raise error

    @property
    def next(self) -> int:
        """The number of the next call."""
        return max(self.entries, default=0) + 1

    @property
    def usage(self) -> Usage:
        """What the calls cost."""
        return total(entry.called.usage for entry in self.entries.values() if entry.called)

    def write(self, written: Written) -> Entry | None:
        """A call was written: it starts now, or when what it refers to is there. None for one whose
        number is taken.

        A call at fault fails at once, and with it those that refer to it; the others go on.
        """
        if written.id in self.entries:
            told = f"{written.id}. {written.tool}(…) failed: the number {written.id} is taken"
            self._wrong.append(told)
            if self._fatal:
                raise ToolFailed(told)
            return None
        if written.id > self.next:
            gap = range(self.next, written.id)
            told = f"call {gap[0]} is" if len(gap) == 1 else f"calls {gap[0]} to {gap[-1]} are"
            self._wrong.append(f"{told} missing")
        arguments, wrong = self._checked(written)
        return self.start(written.id, written.tool, arguments, wrong)

    def start(self, id: int, tool: str, arguments: dict[str, Value], wrong: str = "") -> Entry:
        """Put a call on the board, under a number that is free; at work unless something is
        `wrong` with it."""
        entry = self.entries[id] = Entry(id, tool, arguments)
        if not wrong and self._made >= self._most:
            wrong = f"more than {self._most} calls in one round"
        if wrong:
            self._end(entry, Called(error=wrong))
            return entry
        self._made += 1
        self._count += 1
        assert self._group is not None
        self._group.create_task(self._run(entry, nth(self._attempt, self._count)))
        return entry

    def wrong_name(self, tool: str) -> str:
        """What is wrong with the name of a tool; "" if nothing is."""
        if tool in self._tools:
            return ""
        return f"there is no tool {tool!r}; {nearest(tool, self._tools)}"

    def told(self) -> str:
        """What became of the calls, a paragraph each, for a model to read."""
        lines = [self._line(entry) for entry in self.entries.values()]
        return "\n".join([*lines, *self._wrong]) or "No call was made."

    def note(self) -> list[Json]:
        """What became of the calls, for people."""
        return [_noted(entry) for entry in self.entries.values()]

    @property
    def faults(self) -> tuple[str, ...]:
        """What was wrong with the plan of this round beside single calls."""
        return tuple(self._wrong)

    def shown(self, value: Json) -> str:
        """A value as a model is shown it."""
        return shortened(as_text(value), self._longest)

    def _checked(self, written: Written) -> tuple[dict[str, Value], str]:
        """The arguments by name, and what is wrong with the call."""
        if written.wrong:
            return {}, written.wrong
        if wrong := self.wrong_name(written.tool):
            return {}, wrong
        tool = self._tools[written.tool]
        names = list(_properties(tool))
        if len(written.given) > len(names):
            return {}, f"{tool.name} takes {len(names)} arguments, not {len(written.given)}"
        placed = dict(zip(names, written.given, strict=False))
        for name in placed:
            if name in written.named:
                return {}, f"argument {name!r} is given twice"
        arguments = {**placed, **written.named}
        for reference in needs(arguments):
            if reference.call not in self.entries:
                return arguments, f"{reference} refers to no call written before it"
        unknown = {name for name, value in arguments.items() if next(needs(value), None)}
        plain = {name: value for name, value in arguments.items() if name not in unknown}
        guessed: dict[str, Json] = {**dict.fromkeys(unknown), **filled(plain, {})}  # type: ignore[dict-item]
        return arguments, wrong_arguments(tool, guessed, unknown)

    async def _run(self, entry: Entry, index: int) -> None:
        for before in dict.fromkeys(reference.call for reference in needs(entry.arguments)):
            other = self.entries[before]
            await other.ended.wait()
            if other.result.error:
                self._end(entry, Called(error=f"call {before}, which it needs, failed"))
                return
        try:
            arguments = self._filled(entry)
        except NoSuchPart as error:
            self._end(entry, Called(error=str(error)))
            return
        entry.arguments = {**arguments}
        self._end(entry, await self._ctx.call(entry.tool, arguments, index=index))

    def _filled(self, entry: Entry) -> dict[str, Json]:
        """The arguments with the results that they refer to, as the tool takes them."""
        results = {id: one.result.value for id, one in self.entries.items() if one.called}
        made = {name: filled(value, results) for name, value in entry.arguments.items()}
        tool = self._tools[entry.tool]
        if wrong_arguments(tool, made):
            texts = {n: filled(v, results, quoted=True) for n, v in entry.arguments.items()}
            return made if wrong_arguments(tool, texts) else texts
        return made

    def _end(self, entry: Entry, called: Called) -> None:
        entry.end(called)
        if called.error and self._fatal:
            raise ToolFailed(f"call {entry.id} of {entry.tool}: {called.error}")

    def _line(self, entry: Entry) -> str:
        arguments = ", ".join(f"{name}={_plain(value)}" for name, value in entry.arguments.items())
        call = f"{entry.id}. {entry.tool}({shortened(arguments, _SHOWN_ARGUMENTS)})"
        called = entry.result
        if called.error:
            return f"{call} failed: {shortened(called.error, self._longest)}"
        return f"{call} = {self.shown(called.value)}"


def shortened(text: str, longest: int) -> str:
    """A text, its end left out where it is longer than that, and said to be."""
    left = len(text) - longest
    return text if left <= 0 else f"{text[:longest]}… ({left:,} more characters)"


def _properties(tool: Tool) -> Mapping[str, Json]:
    properties = tool.parameters.get("properties", {})
    assert isinstance(properties, Mapping)
    return properties


def _plain(value: Value) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _noted(entry: Entry) -> Json:
    arguments: Json = json.loads(_plain(entry.arguments))
    told: dict[str, Json] = {"id": entry.id, "tool": entry.tool, "arguments": arguments}
    called = entry.result
    return {**told, **({"error": called.error} if called.error else {"result": called.value})}
