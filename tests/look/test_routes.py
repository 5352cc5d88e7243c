"""What the page asks for, without a browser."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from httpx import ASGITransport, AsyncClient

import polyarch
from polyarch.backends.scripted import Scripted
from polyarch.runtime.trace.read import parsed
from polyarch.server.look.files import FILES
from polyarch.server.look.pipelines import shown
from polyarch.server.look.routes import OPEN
from polyarch.server.pipelines.hosted import Hosted

from .hosting import QUESTION, VOTE, application, right, scripted

ROOT = Path(__file__).parent.parent.parent
SECRET = "sk-abcdefghijklmnopqrstuvwxyz123456"


@asynccontextmanager
async def client(*keys: str) -> AsyncIterator[AsyncClient]:
    hosted = Hosted([scripted(VOTE, Scripted(right))])
    transport = ASGITransport(app=application(hosted, keys))
    async with AsyncClient(transport=transport, base_url="http://localhost") as made:
        yield made
    await hosted.aclose()


async def asked(client: AsyncClient, question: str = QUESTION) -> str:
    """Ask; the id of the request."""
    body = {"model": "checked_vote", "messages": [{"role": "user", "content": question}]}
    told = await client.post("/v1/chat/completions", json=body)
    assert told.status_code == 200
    return str(told.json()["id"])


async def test_a_pipeline_is_told_with_its_graph() -> None:
    async with client() as http:
        (told,) = (await http.get("/look/pipelines")).json()["pipelines"]
    assert told == json.loads(json.dumps(shown(polyarch.loads(VOTE).plan)))
    assert told["about"] == "Draw, check every one, let them vote."
    assert told["facts"].startswith("A paper (2024) · 8–12 calls")
    boxes = told["graph"]["boxes"]
    assert [(box["name"], box["shape"], box["most"], box["writes"]) for box in boxes] == [
        ("drafts", "source", 4, True),
        ("checked", "each", 4, False),
        ("answer", "all", 1, False),
    ]


def test_why_a_changed_file_is_not_served_is_told() -> None:
    plan = polyarch.loads(VOTE).plan
    assert shown(plan)["refused"] == ""
    assert shown(plan, "line 3")["refused"] == "line 3"


async def test_a_request_is_told_as_it_was() -> None:
    async with client() as http:
        id = await asked(http)
        (brief,) = (await http.get("/look/requests")).json()["requests"]
        whole = (await http.get(f"/look/requests/{id}")).json()
        rest = (await http.get(f"/look/requests/{id}?start=3")).json()
        file = (await http.get(f"/look/requests/{id}/trace.jsonl")).content
        page = (await http.get(f"/look/requests/{id}/trace.html")).text
    assert (brief["id"], brief["question"], brief["answer"]) == (id, QUESTION, "4")
    assert (brief["state"], brief["calls"]) == ("ended", 8)
    assert whole["result"]["candidates"][0]["key"] == "drafts[0]"
    assert whole["graph"]["name"] == "checked_vote"
    assert rest["events"] == whole["events"][3:]
    assert "graph" not in rest
    trace = parsed(file, "t.jsonl")
    assert trace.header.pipeline == "checked_vote"
    assert [event.what for event in trace.events] == [event["what"] for event in whole["events"]]
    assert "<title>checked_vote · polyarch trace</title>" in page


async def test_secrets_are_told_nowhere() -> None:
    async with client() as http:
        id = await asked(http, f"My key is {SECRET}.")
        for path in ("", f"/{id}", f"/{id}/trace.html", f"/{id}/trace.jsonl"):
            told = await http.get(f"/look/requests{path}")
            assert "My key is" in told.text
            assert SECRET not in told.text


@pytest.mark.parametrize("path", ["", "?start=x", "?start=-1", "/trace.html", "/trace.jsonl"])
async def test_what_is_not_there_is_told_so(path: str) -> None:
    async with client() as http:
        id = await asked(http) if path.startswith("?") else "chatcmpl-0"
        told = await http.get(f"/look/requests/{id}{path}")
    assert told.status_code == 404
    assert "message" in told.json()["error"]


async def test_only_files_that_say_nothing_need_no_key() -> None:
    async with client("a-key") as http:
        for path in OPEN:
            assert (await http.get(path)).status_code == 200
        for path in ("/look/pipelines", "/look/requests", "/look/requests/x", "/look/"):
            assert (await http.get(path)).status_code == 401
        told = await http.get("/look/pipelines", headers={"Authorization": "Bearer a-key"})
        assert told.status_code == 200


async def test_another_site_cannot_have_a_browser_look() -> None:
    async with client() as http:
        told = await http.get("/look/requests", headers={"Host": "evil.example"})
    assert told.status_code == 403


async def test_the_policy_allows_the_pages_own_files_and_the_trace_and_nothing_else() -> None:
    async with client() as http:
        id = await asked(http)
        page = await http.get("/")
        trace = (await http.get(f"/look/requests/{id}/trace.html")).text
    policy = dict(
        part.split(" ", 1) for part in page.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    for tag in ("script", "style"):
        (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", trace, re.DOTALL)
        digest = b64encode(sha256(inline.encode()).digest()).decode()
        assert policy[f"{tag}-src"] == f"'self' 'sha256-{digest}'"
    assert " style=" not in trace.split('<script type="application/json"')[0]


def test_no_file_fetches_from_elsewhere_or_makes_markup_of_text() -> None:
    static = ROOT / "polyarch" / "server" / "look" / "static"
    assert {file.name for file in static.iterdir()} == set(FILES)
    for name in FILES:
        text = (static / name).read_text()
        links = set(re.findall(r"https?://[^\s\"'`]+", text))
        assert links <= {"http://www.w3.org/2000/svg"}
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    page = (static / "page.html").read_text()
    assert not re.search(r"<script>|<style|\son\w+=|\sstyle=", page)


@pytest.mark.parametrize("stream", [True, False])
async def test_the_id_of_a_request_is_in_a_header(stream: bool) -> None:
    async with client() as http:
        body = {
            "model": "checked_vote",
            "messages": [{"role": "user", "content": QUESTION}],
            "stream": stream,
        }
        told = await http.post("/v1/chat/completions", json=body)
        (brief,) = (await http.get("/look/requests")).json()["requests"]
    assert told.headers["x-request-id"] == brief["id"]
