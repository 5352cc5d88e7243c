"""The page of `polyarch serve` itself, in a process of its own."""

from __future__ import annotations

import httpx
from served import served


def test_the_command_serves_the_page_and_says_where() -> None:
    with served("single", "self_consistency", command="serve") as server:
        assert server.process.stdout is not None
        line = server.process.stdout.readline()
        address = line.removeprefix("its page: ").strip()
        assert address == server.url.removesuffix("v1")
        page = httpx.get(address)
        script = httpx.get(f"{address}look/page.js")
        told = httpx.get(f"{address}look/pipelines").json()["pipelines"]
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert '<script type="module" src="/look/page.js">' in page.text
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert [one["name"] for one in told] == ["single", "self_consistency"]
