"""Tools over HTTP, on a server in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sim import compiled

from polyarch.compiler.errors import SpecError, ToolFailed
from polyarch.compiler.toolspec import ToolSpec
from polyarch.runtime.tools.http import HttpTool

aiohttp = pytest.importorskip("aiohttp")

from aiohttp import web  # noqa: E402 -- only where it is installed


def called(
    spec: dict[str, Any],
    arguments: dict[str, Any],
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    environment: dict[str, str] | None = None,
) -> Any:
    """What a tool gives whose URL is a path on the server."""

    async def run() -> Any:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            http = {**spec["http"], "url": f"http://{host}:{port}{spec['http']['url']}"}
            made = ToolSpec.model_validate({**spec, "http": http})
            tool = HttpTool("t", made, environment or {})
            try:
                return await tool.call(arguments)
            finally:
                await tool.aclose()
        finally:
            await runner.cleanup()

    return asyncio.run(run())


async def echo(request: web.Request) -> web.Response:
    body = await request.text()
    told = {
        "method": request.method,
        "path": request.raw_path.split("?")[0],
        "query": dict(request.query),
        "body": json.loads(body) if body else None,
        "key": request.headers.get("X-Key", ""),
    }
    return web.json_response(told)


PROPERTIES = {"type": "object", "properties": {"city": {}, "days": {}, "tags": {}}}


def test_arguments_go_into_the_path_and_the_query_and_nowhere_else() -> None:
    spec = {"http": {"url": "/w/{city}?unit=c"}, "parameters": PROPERTIES}
    told = called(spec, {"city": "a/../b?x=1#é", "days": 3, "tags": ["x"]}, echo)
    assert told["path"] == "/w/a%2F..%2Fb%3Fx%3D1%23%C3%A9"
    assert told["query"] == {"unit": "c", "days": "3", "tags": '["x"]'}
    with pytest.raises(ToolFailed, match=r"'\.\.' is no part of a path"):
        called(spec, {"city": ".."}, echo)


def test_a_method_with_a_body_gets_the_rest_as_json() -> None:
    spec = {"http": {"url": "/w/{city}", "method": "POST"}, "parameters": PROPERTIES}
    told = called(spec, {"city": "Bern", "days": 3, "tags": [{"a": 1}]}, echo)
    assert (told["method"], told["path"]) == ("POST", "/w/Bern")
    assert told["body"] == {"days": 3, "tags": [{"a": 1}]}


def test_a_key_comes_from_the_environment() -> None:
    spec = {"http": {"url": "/", "headers": {"X-Key": {"key_env": "K", "prefix": "Bearer "}}}}
    assert called(spec, {}, echo, {"K": "abc"})["key"] == "Bearer abc"
    with pytest.raises(ToolFailed, match="needs the environment variable K"):
        called(spec, {}, echo)


@pytest.mark.parametrize(
    ("status", "passing"), [(400, False), (404, False), (429, True), (503, True), (302, False)]
)
def test_an_error_is_told_and_whether_it_may_pass(status: int, passing: bool) -> None:
    async def fails(request: web.Request) -> web.Response:
        return web.Response(status=status, text="so it is", headers={"Location": "/elsewhere"})

    with pytest.raises(ToolFailed, match=f"HTTP {status} .*so it is") as raised:
        called({"http": {"url": "/"}}, {}, fails)
    assert raised.value.passing is passing


def test_a_text_is_a_text_and_broken_json_an_error() -> None:
    async def text(request: web.Request) -> web.Response:
        return web.Response(text="plain ${1}")

    async def broken(request: web.Request) -> web.Response:
        return web.Response(text="{", content_type="application/json")

    assert called({"http": {"url": "/"}}, {}, text) == "plain ${1}"
    with pytest.raises(ToolFailed, match="says it is JSON, and is not"):
        called({"http": {"url": "/"}}, {}, broken)


def test_a_reply_that_is_too_large_is_an_error() -> None:
    async def large(request: web.Request) -> web.Response:
        return web.Response(text="x" * ((4 << 20) + 1))

    with pytest.raises(ToolFailed, match="larger than 4 MiB"):
        called({"http": {"url": "/"}}, {}, large)


def test_a_server_that_is_not_there_may_pass() -> None:
    async def run() -> None:
        tool = HttpTool("t", ToolSpec.model_validate({"http": {"url": "http://127.0.0.1:9/"}}))
        try:
            await tool.call({})
        finally:
            await tool.aclose()

    with pytest.raises(ToolFailed) as raised:
        asyncio.run(run())
    assert raised.value.passing


@pytest.mark.parametrize(
    ("tool", "told"),
    [
        ('{http: {url: "http://{host}/x"}}', "url: string should match pattern"),
        ('{http: {url: "file:///etc/passwd"}}', "url: string should match pattern"),
        (
            '{http: {url: "http://a/{b}"}, parameters: {type: object, properties: {c: {}}}}',
            "the URL names 'b', which parameters do not have",
        ),
        ('{http: {url: "http://a"}, parameters: {type: array}}', "type: object"),
        (
            '{http: {url: "http://a"}, parameters: {type: object, properties: {a: {type: 3}}}}',
            "parameters is no JSON Schema",
        ),
        ("{python: f}", "python: string should match pattern"),
        ("{}", "a tool has one of: builtin, python, http, mcp, given"),
        ("{given: true, builtin: calculator}", "a tool has one of"),
        ("{mcp: {}}", "an MCP server has a command or a url"),
        ("{given: true, tool: x}", "tool is the name at an MCP server"),
        ("{given: true, timeot: 3}", 'did you mean "timeout"'),
    ],
)
def test_what_is_wrong_in_a_file_is_told_at_its_line(tool: str, told: str) -> None:
    text = f"name: p\nmodels: {{m: scripted/x}}\ntools:\n  t: {tool}\nsteps:\n  a: {{op: tools}}\n"
    with pytest.raises(SpecError) as raised:
        compiled(text)
    assert told in str(raised.value)
    assert raised.value.faults[0].span.line == 4
