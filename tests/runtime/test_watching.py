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
  drafts: {op: generate, n: 3}
  better: {op: refine}
  checked: {op: verify}
  answer: {op: vote}
"""


VERDICT = ('{"reason": "so", ', '"verdict": "right"}')


def parts(request: Request, draw: Draw) -> Script:
    if request.purpose.role == "verify":
        return Script(parts=((0.1, VERDICT[0]), (0.1, VERDICT[1])))
    return Script(parts=((0.1, f"{request.purpose.role} {draw.index}: "), (0.1, "4")))


def asked(backend: Scripted, watching: Watching | None) -> Result:
    async def main() -> Result:
        async with Session(compiled(TEXT), backends={"m": backend}) as session:
            return await session.ask("What is 2 + 2?", watching=watching)

    return run(main())


def test_every_part_is_told_with_its_step_and_place() -> None:
    told: dict[tuple[str, int], list[str]] = defaultdict(list)
    asked(Scripted(parts), lambda step, place, part: told[step, place].append(part))
    expected: dict[tuple[str, int], list[str]] = {}
    for place in range(3):
        expected["drafts", place] = [f"solve {place}: ", "4"]
        expected["better", place] = [f"revise {place}: ", "4"]
        expected["checked", place] = list(VERDICT)
    assert told == expected


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
