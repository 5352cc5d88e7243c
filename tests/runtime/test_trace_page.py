"""The page: one file, nothing outside it, and everything of the trace in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sim import compiled, jitter, simulate, steady

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted
from polyarch.runtime.trace.page import drawing, page
from polyarch.runtime.trace.read import Trace, read
from polyarch.runtime.trace.write import TraceWriter

EVIL = "</script><script>alert(1)</script><!-- & \u2028 {{data}} ' \" \\"

TEXT = """\
name: layered
about: "Draw <b>and</b> vote."
answer: number
models: {m: {model: scripted/x, price: {prompt: 1, completion: 4}}}
steps:
  drafts: {op: generate, n: 3}
  checked: {op: verify}
  best: {op: rank, keep: 2}
  answer: {op: vote, from: [drafts, best]}
"""


def evil(request: Request, draw: Draw) -> str:
    text = steady(request, draw)
    return f"{EVIL} {text}" if request.purpose.role == "solve" else text


@pytest.fixture(name="trace")
def _trace(tmp_path: Path) -> Trace:
    plan = compiled(TEXT)
    with TraceWriter(tmp_path / "t.jsonl", plan) as writer:
        for number in range(2):
            backends = {"m": Scripted(evil, latency=jitter(3))}
            question = f"What is 2 + 2? {EVIL}"
            simulate(plan, backends, question=question, id=f"q{number}", listeners=[writer])
    return read(tmp_path / "t.jsonl")


def data(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found is not None
    return json.loads(found[1])


def test_everything_of_the_trace_is_in_it(trace: Trace) -> None:
    told = data(page(trace))
    assert told["pipeline"] == "layered"
    assert [e[2] for e in told["events"]] == [e.what for e in trace.events]
    assert [e[5] for e in told["events"]] == [dict(e.data) for e in trace.events]
    assert [(run["id"], run["answers"]) for run in told["runs"]] == [("q0", ["4"]), ("q1", ["4"])]
    assert told["steps"] == ["drafts", "checked", "best", "answer"]
    drew = [e for e in trace.events if e.what == "drew"]
    assert sum(row[10] for row in told["asked"]) == len(drew)
    assert sum(row[12] for row in told["asked"]) == sum(e.data["tokens"] for e in drew)  # type: ignore[misc]
    assert {row[14] for row in told["asked"]} == {"answered"}
    assert {row[8] for row in told["asked"]} == {"solve", "verify", "rank"}


def test_no_text_can_leave_its_place(trace: Trace) -> None:
    text = page(trace)
    assert text.count("<script") == 2
    assert text.count("</script>") == 2
    assert "<!--" not in text
    assert data(text)["runs"][0]["text"].endswith(EVIL)
    assert "{{" not in re.sub(r'id="data">.*?</script>', "", text, flags=re.S)


def test_nothing_is_fetched(trace: Trace) -> None:
    text = page(trace)
    outside = re.sub(r'id="data">.*?</script>', "", text, flags=re.S)
    assert "default-src 'none'" in outside
    assert not re.search(r"https?://|src=|<link|@import|url\(", outside)


def test_one_question_can_be_chosen(trace: Trace) -> None:
    told = data(page(trace, question="q1"))
    assert [run["id"] for run in told["runs"]] == ["q1"]
    assert {e[1] for e in told["events"]} == {0}


def test_the_graph_runs_from_left_to_right(trace: Trace) -> None:
    svg = drawing(trace.header)
    boxes = re.findall(r'data-step="(\w+)".*?translate\((\d+),(\d+)\)', svg)
    across = [int(x) for _, x, _ in boxes]
    assert [name for name, _, _ in boxes] == ["drafts", "checked", "best", "answer"]
    assert across == sorted(set(across))


def test_an_edge_that_skips_layers_runs_beside_the_boxes(trace: Trace) -> None:
    svg = drawing(trace.header)
    rows = {
        name: int(y) for name, y in re.findall(r'data-step="(\w+)".*?translate\(\d+,(\d+)\)', svg)
    }
    bends = [int(y) for y in re.findall(r",(\d+) H\d+\"", svg)]
    assert len(bends) == 2
    for height in bends:
        assert all(not y <= height <= y + 50 for y in (rows["checked"], rows["best"]))


def test_a_trace_of_nothing_has_a_page(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.jsonl", compiled(TEXT)):
        pass
    told = data(page(read(tmp_path / "t.jsonl")))
    assert told["events"] == []
    assert told["steps"] == ["drafts", "checked", "best", "answer"]
