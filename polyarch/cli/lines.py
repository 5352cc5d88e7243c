"""Questions from lines of JSON, each checked and with its place in the file."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from io import BytesIO, UnsupportedOperation
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..compiler.errors import InputError
from ..compiler.spec import QuestionSpec
from ..compiler.values import Json, Question
from ..runtime.questions import Asked, as_question
from .errors import of_file, opened

__all__ = ["Line", "check", "is_file", "read"]


class Line(NamedTuple):
    """A question and where it stands."""

    where: str
    question: Question


def is_file(source: str) -> bool:
    """Whether it can be read twice: a regular file, neither a pipe nor standard input."""
    return source != "-" and Path(source).is_file()


def check(source: str, spec: QuestionSpec) -> int | None:
    """How many questions a file holds; None for a stream, which cannot be read ahead.

    Raises `InputError` with file and line for the first line that holds none.
    """
    if not is_file(source):
        return None
    reader = _Reader(source, spec)
    with of_file(source), Path(source).open("rb") as stream:
        return sum(reader.take(raw) is not None for raw in stream)


async def read(source: str, spec: QuestionSpec) -> AsyncGenerator[Line, None]:
    """The questions of a file or stream, as they come."""
    reader = _Reader("standard input" if source == "-" else source, spec)
    async with aclosing(_pumped(_stream(source))) as lines:
        async for raw in lines:
            if (line := reader.take(raw)) is not None:
                yield line


class _Reader:
    """Reads lines one after the other, counting them and the questions in them."""

    def __init__(self, name: str, spec: QuestionSpec) -> None:
        self._name = name
        self._spec = spec
        self._lines = 0
        self._questions = 0

    def take(self, raw: bytes) -> Line | None:
        """The question of the next line, None for a blank one. Raises `InputError`."""
        self._lines += 1
        where = f"{self._name}:{self._lines}"
        text = raw.strip()
        if not text:
            return None
        try:
            question = _question(_value(text), self._spec, str(self._questions))
        except UnicodeDecodeError as error:
            raise self._wrong(f"not UTF-8: {error.reason}") from error
        except json.JSONDecodeError as error:
            raise self._wrong(f"not JSON: {error.msg} (column {error.colno})") from error
        except RecursionError as error:
            raise self._wrong("nested too deep") from error
        except InputError as error:
            raise self._wrong(str(error)) from error
        self._questions += 1
        return Line(where, question)

    def _wrong(self, message: str) -> InputError:
        where = f"{self._name}:{self._lines}"
        return InputError(f"{where}: {message}", file=self._name, line=self._lines)


def _value(text: bytes) -> Json:
    """What a line of JSON holds, if it can be written as UTF-8 again."""
    value: Json = json.loads(text)
    if b"\\ud" in text.lower():
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise InputError("it holds half of a surrogate pair, which is no text") from error
    return value


def _question(value: Json, spec: QuestionSpec, number: str) -> Question:
    """The question that a line holds; it is named by its `id`, else by its number."""
    if not isinstance(value, Mapping):
        return _asked(value, spec, number)
    given = value.get("id", number)
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise InputError(f"an id is a text or a whole number, not {given!r}")
    body = {key: v for key, v in value.items() if key != "id" or "id" in spec.fields}
    inner = body.get("question")
    if "question" in spec.fields or inner is None or (isinstance(inner, str) and len(body) > 1):
        return _asked(body, spec, str(given) or number)
    return _asked(inner, spec, str(given) or number)


def _asked(value: Json, spec: QuestionSpec, id: str) -> Question:
    """Anything that JSON can hold, as a question."""
    chat = value.get("messages") if isinstance(value, Mapping) else value
    if isinstance(chat, list) and not all(isinstance(turn, Mapping) for turn in chat):
        raise InputError("every message of a chat is an object with role and content")
    if not isinstance(value, str | list | Mapping):
        raise InputError(f"a question is a text, a chat or a record, not {json.dumps(value)}")
    asked: Asked = value
    return as_question(asked, spec, id)


def _stream(source: str) -> BinaryIO:
    """Standard input or a pipe, under a handle of its own: a thread that still waits for it when
    the process ends must not hold the lock of `sys.stdin`."""
    if source != "-":
        return opened(source, "rb")
    try:
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    except UnsupportedOperation:
        return BytesIO(sys.stdin.buffer.read())


async def _pumped(stream: BinaryIO) -> AsyncGenerator[bytes, None]:
    """The lines of a stream that may keep one waiting. Read in a thread: a terminal or pipe made
    non-blocking would be so for everyone who shares it."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    wanted = threading.Semaphore(0)
    over = threading.Event()

    def pump() -> None:
        with stream:
            raw = b"\n"
            while raw and wanted.acquire() and not over.is_set():
                raw = stream.readline()
                try:
                    loop.call_soon_threadsafe(lines.put_nowait, raw)
                except RuntimeError:
                    return  # the loop is closed: nobody waits any more

    threading.Thread(target=pump, name="polyarch-lines", daemon=True).start()
    try:
        while True:
            wanted.release()
            raw = await lines.get()
            if not raw:
                return
            yield raw
    finally:
        over.set()
        wanted.release()
