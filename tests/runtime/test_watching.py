"""Looking on while texts are written."""

from __future__ import annotations

from collections import defaultdict

from sim import compiled

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.errors import ServerFailed
from polyarch.runtime.result import Result
from polyarch.runtime.session import Session
from polyarch.runtime.state import Watching
from polyarch.runtime.virtual import run

TEXT = """\
name: watched
answer: number
models: {m: scripted/x}
steps:
  drafts: {op: generate, n: 2}
  better: {op: refine}
  answer: {op: vote}
"""


def parts(request: Request, draw: Draw) -> Script:
    return Script(parts=((0.1, f"{request.purpose.role} {draw.index}: "), (0.1, "4")))


def asked(backend: Scripted, watching: Watching | None) -> Result:
    async def main() -> Result:
        async with Session(compiled(TEXT), backends={"m": backend}) as session:
            return await session.ask("What is 2 + 2?", watching=watching)

    return run(main())


def test_every_part_is_told_with_its_step_and_place() -> None:
    told: dict[tuple[str, int], list[str]] = defaultdict(list)
    asked(Scripted(parts), lambda step, place, part: told[step, place].append(part))
    assert told == {
        ("drafts", 0): ["solve 0: ", "4"],
        ("drafts", 1): ["solve 1: ", "4"],
        ("better", 0): ["revise 0: ", "4"],
        ("better", 1): ["revise 1: ", "4"],
    }


def test_it_changes_nothing_even_where_an_attempt_fails_on_the_way() -> None:
    def failing() -> Scripted:
        failed: set[int] = set()

        def reply(request: Request, draw: Draw) -> Script:
            if request.purpose.role == "solve" and draw.index not in failed:
                failed.add(draw.index)
                return Script(parts=((0.1, "solve"),), fault=ServerFailed("for once"))
            return parts(request, draw)

        return Scripted(reply)

    told: list[str] = []
    watched = asked(failing(), lambda step, place, part: told.append(part))
    assert watched.canonical() == asked(failing(), None).canonical()
    assert "solve" in told
    assert told.count("solve 0: ") == 1
