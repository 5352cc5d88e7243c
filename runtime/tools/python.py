"""A Python callable as a tool: its signature is the schema of its arguments, its docstring what a
model is told."""

from __future__ import annotations

import asyncio
import inspect
import operator
import threading
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import ArgsKwargs, PydanticSerializationError, to_jsonable_python

from ...compiler.errors import ToolFailed
from ...compiler.toolspec import ToolSpec
from ...compiler.values import Json
from .base import described

__all__ = ["PythonTool", "imported"]


def imported(name: str, where: str) -> Callable[..., Any]:
    """The callable that `package.module:function` names. Raises `ToolFailed`."""
    module, _, path = where.partition(":")
    try:
        found: Any = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise ToolFailed(f"tool {name!r}: cannot import {where}: {error}") from error
    if not callable(found):
        raise ToolFailed(f"tool {name!r}: {where} cannot be called")
    called: Callable[..., Any] = found
    return called


class PythonTool:
    """A function, which gets its arguments by name, checked and converted to the types it declares.

    A coroutine function runs in the event loop, and ends when its call is cancelled. Any other
    runs in a thread of its own, which Python cannot end: one that is cancelled, or too late, runs
    on, and what it gives is dropped.
    """

    def __init__(self, name: str, spec: ToolSpec, function: Callable[..., Any]) -> None:
        """Raises `ToolFailed` for a signature that no arguments by name can meet."""
        self._name = name
        called: Any = function
        if not inspect.isroutine(function):  # what has the signature is the method of the object
            called = operator.attrgetter("__call__")(function)
        self._waits = inspect.iscoroutinefunction(called)
        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(called)
            schema = _closed(self._adapter.json_schema())
        except (PydanticUserError, NameError, TypeError, ValueError) as error:
            why = str(error).partition("\n")[0].partition(". ")[0]
            raise ToolFailed(f"tool {name!r}: no schema for its arguments: {why}") from error
        self.tool = described(name, spec, inspect.getdoc(function) or "", schema)

    async def call(self, arguments: Mapping[str, Json]) -> Json:
        """What the function returns, as JSON; what it raises is a `ToolFailed` that may pass."""
        given = ArgsKwargs((), dict(arguments))
        try:
            made = await (self._here(given) if self._waits else _apart(self._make, given))
        except ValidationError as error:
            told = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, told["loc"]))
            raise ToolFailed(f"{where}: {told['msg']}" if where else told["msg"]) from error
        except Exception as error:
            told_of = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise ToolFailed(told_of, passing=True) from error
        try:
            value: Json = to_jsonable_python(made, inf_nan_mode="strings")
        except (PydanticSerializationError, ValueError) as error:
            raise ToolFailed(f"it returned what is no JSON: {error}") from error
        return value

    async def aclose(self) -> None:
        """There is nothing to release."""

    def _make(self, given: ArgsKwargs) -> Any:
        return self._adapter.validate_python(given)

    async def _here(self, given: ArgsKwargs) -> Any:
        return await self._make(given)


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("type") != "object":
        raise ValueError("it takes arguments that have no name")
    return {"additionalProperties": False, "properties": {}, **schema}


async def _apart(work: Callable[[ArgsKwargs], Any], given: ArgsKwargs) -> Any:
    """Run it in a thread that nobody has to wait for: not even the end of the program."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(value: Any, error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(value)
        else:
            done.set_exception(error)

    def run() -> None:
        value: Any = None
        failure: Exception | None = None
        try:
            value = work(given)
        except StopIteration as error:  # no future takes one
            failure = RuntimeError(f"StopIteration: {error}")
        except BaseException as error:  # noqa: BLE001 -- handed to whoever waits
            failure = error if isinstance(error, Exception) else RuntimeError(repr(error))
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, value, failure)

    threading.Thread(target=run, name="polyarch-tool", daemon=True).start()
    return await done
