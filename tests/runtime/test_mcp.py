"""Tools of a real MCP server, in a process of its own, over both transports."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import polyarch
from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted
from polyarch.compiler.errors import StepFailed

pytest.importorskip("mcp")

SERVER = str(Path(__file__).parent.parent / "mcp_server.py")
STDIO = json.dumps({"command": [sys.executable, SERVER]})
TOOLS = ("add", "look_up", "fails", "waits", "pid", "dies")


def pipe(
    plan: str | Mapping[str, str], where: str, step: str = "", tool: str = ""
) -> polyarch.Pipeline:
    """A pipeline that writes this plan, or one for each question, on a server."""
    known = "".join(f"  {name}: {{mcp: {where}{tool}}}\n" for name in TOOLS)
    text = f"""\
name: p
models: {{m: scripted/x}}
answer: text
tools:
{known}steps:
  answer: {{op: tools{step}}}
"""

    def reply(request: Request, draw: Draw) -> str:
        if request.purpose.role == "join":
            return "done"
        return plan if isinstance(plan, str) else plan[request.purpose.question]

    made = polyarch.loads(text).plan
    return polyarch.Pipeline(
        made, backends={"m": Scripted(reply)}, allow_tools=["all"], keys=["A_KEY"]
    )


def outcomes(result: polyarch.Result) -> list[Any]:
    notes: Any = result.candidates[0].notes["calls"]
    return [call.get("result", call.get("error")) for call in notes]


def ended(pid: int) -> bool:
    """Whether a process is gone, or soon is."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server over HTTP."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, SERVER, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield json.dumps({"url": f"http://127.0.0.1:{port}/mcp"})
    finally:
        process.kill()
        process.wait()


PLAN = """\
1. add(2, 3)
2. look_up(name="x${1}")
3. fails()
4. add(a=${1}, b="oh")
5. look_up(${2.note})"""


@pytest.mark.parametrize("kind", ["stdio", "http"])
def test_a_server_serves_its_tools(kind: str, request: pytest.FixtureRequest) -> None:
    where = STDIO if kind == "stdio" else request.getfixturevalue("url")
    with pipe(PLAN, where) as made:
        result = made("?")
    first, second, third, fourth, fifth = outcomes(result)
    assert first == 5
    assert second == {"name": "x5", "note": "${1} stays", "key": ""}
    assert third == "Error executing tool fails"
    assert fourth == "argument b: 'oh' is not of type 'integer'"
    assert fifth["name"] == "${1} stays"
    (offered,) = [event for event in result.trace if event.what == "offered"]
    assert offered.data["tools"][0]["about"] == "Add two numbers."  # type: ignore[index,call-overload]


def test_its_process_ends_with_the_pipeline() -> None:
    with pipe("1. pid()", STDIO) as made:
        (pid,) = outcomes(made("?"))
        assert outcomes(made("??")) == [pid]
        os.kill(pid, 0)
    assert ended(pid)


@pytest.mark.parametrize("how", ["itself", "killed"])
def test_a_server_that_dies_in_the_middle_fails_what_is_under_way(how: str) -> None:
    waiting = "1. pid()\n2. waits(30)\n3. look_up(${2})"
    plan = waiting + "\n4. dies(${1})" if how == "itself" else waiting
    with pipe(plan, STDIO) as made:
        killed = asyncio.run(_answer(made, kill=how == "killed"))
        calls = outcomes(killed)
        assert "the MCP server was lost" in calls[1]
        assert calls[2] == "call 2, which it needs, failed"
        assert str(killed) == "done"
        assert ended(calls[0])


async def _answer(made: polyarch.Pipeline, *, kill: bool) -> polyarch.Result:
    """The result, and the server killed as soon as its process is known."""
    result: polyarch.Result | None = None
    async for told in made.stream("?"):
        if isinstance(told, polyarch.Result):
            result = told
        elif kill and told.what == "called" and told.data["tool"] == "pid":
            os.kill(int(str(told.data["result"])), signal.SIGKILL)
    await made.aclose()
    assert result is not None
    return result


def test_after_a_lost_connection_the_next_call_starts_the_server_again() -> None:
    with pipe({"first": "1. dies()", "second": "1. pid()"}, STDIO) as made:
        assert "lost" in outcomes(made("first"))[0]
        assert isinstance(outcomes(made("second"))[0], int)


def test_a_call_that_takes_too_long_fails_and_the_server_serves_on() -> None:
    with pipe("1. waits(30)\n2. pid()", STDIO, tool=", timeout: 3") as made:
        result = made("?")
        assert outcomes(result)[0] == "no result within 3 s"
        assert outcomes(made("??"))[1] == outcomes(result)[1]


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ({"command": ["/nowhere/at/all"]}, "did not start"),
        ({"command": [sys.executable, "-c", "raise SystemExit('cannot')"]}, "cannot"),
        ({"url": "http://127.0.0.1:9/mcp"}, "did not start"),
    ],
)
def test_a_server_that_does_not_start_fails_the_step(where: dict[str, Any], why: str) -> None:
    with pipe("none", json.dumps(where)) as made, pytest.raises(StepFailed, match=why):
        made("?")


def test_a_tool_that_the_server_does_not_have_is_told() -> None:
    made = pipe("none", STDIO, tool=", tool: other")
    with made, pytest.raises(StepFailed, match="the MCP server has no 'other'; it has add, dies"):
        made("?")


def test_its_environment_is_what_the_file_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "secret-of-the-test")
    monkeypatch.setenv("STUB_KEY", "not this one")
    where = json.dumps(
        {"command": [sys.executable, SERVER], "env": {"STUB_KEY": {"key_env": "A_KEY"}}}
    )
    with pipe('1. look_up("x")', where) as made:
        assert outcomes(made("?"))[0]["key"] == "secret-of-the-test"
    monkeypatch.delenv("A_KEY")
    with pipe("none", where) as made, pytest.raises(StepFailed, match="variable A_KEY"):
        made("?")
