"""What tools gave, told again from a trace: nothing is called."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...compiler.errors import NotRecorded
from ...compiler.toolcalls import Called
from ...compiler.values import Json, Tool, Usage
from ..events import Event
from ..seeds import derive
from ..state import StepState
from ..tools.calling import Site, arguments_digest
from .outline import Run

if TYPE_CHECKING:
    from .replay import Recorded

__all__ = ["Retold"]


class Retold:
    """The calls of one run by step, place and number. Implements `runtime.tools.calling.Caller`."""

    def __init__(self, run: Run, told: Recorded) -> None:
        self._told = told
        self._calls: dict[tuple[str, int, int], Event] = {}
        self._offered: dict[str, dict[str, Tool]] = {}
        for name, stage in run.stages.items():
            for event in stage.other:
                if event.what == "called":
                    self._calls[name, event.place, _number(event.data.get("ask"))] = event
                elif event.what == "offered":
                    tools = [_tool(one) for one in _listed(event.data.get("tools"))]
                    self._offered.setdefault(name, {}).update({one.name: one for one in tools})

    async def described(self, state: StepState, names: tuple[str, ...]) -> tuple[Tool, ...]:
        """What a model was told of tools. Raises `NotRecorded`."""
        known = self._offered.get(state.name, {})
        if missing := [name for name in names if name not in known]:
            raise NotRecorded(f"step {state.name!r} was not told of the tool {missing[0]!r}")
        return tuple(known[name] for name in names)

    async def call(self, site: Site, tool: str, arguments: Mapping[str, Json]) -> Called:
        """What became of a call then, after as long. One that was not made then stays open, as a
        request does. Raises `NotRecorded`, and what the budget raised then."""
        step, told = site.state.name, self._told
        event = self._calls.get((step, site.at, site.index))
        data: Mapping[str, Any] = {} if event is None else event.data
        if event is None or data.get("tool") != tool:
            why = f"{tool} was not called by {step}[{site.at}:{site.index}] in the recorded run"
        elif data.get("digest") != arguments_digest(arguments):
            why = f"{tool} is called by {step} with other arguments than the recorded ones"
        else:
            seconds = float(data.get("seconds", 0.0))
            told.due = max(told.due, site.state.run.now() + seconds)
            await asyncio.sleep(seconds)
            usage = Usage(usd=float(data.get("usd", 0.0)))
            return Called(data.get("result"), str(data.get("error", "")), usage)
        await told.lose_step(step, max(0, site.at))
        return await told.wait(derive(0, step, site.at, site.index), why)


def _number(value: Json) -> int:
    return value if isinstance(value, int) else -1


def _listed(value: Json) -> Sequence[Any]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _tool(told: Mapping[str, Any]) -> Tool:
    return Tool(str(told["name"]), str(told["about"]), told["parameters"])
