"""Equal seeds and replies give equal results, whatever the latencies and the concurrency."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim import compiled, jitter, judge, simulate

from polyarch.backends.scripted import Scripted
from polyarch.runtime.result import Result

HEAD = """\
name: p
answer: number
models:
  m: {{model: scripted/x, concurrency: {limit}}}
  other: {{model: scripted/y, concurrency: {limit}, max_draws: 3}}
steps:
"""

PIPELINES = {
    "verified vote": """\
  drafts: {op: generate, model: m, n: 16}
  checked: {op: verify, model: other}
  answer: {op: vote, weight: verify, stop_at: 0.9, ahead: 5}
""",
    "thrice verified": """\
  drafts: {op: generate, model: other, n: 9}
  checked: {op: verify, model: m, votes: 3, keep_at: 0.3}
  answer: {op: vote, stop_at: exact}
""",
    "ensemble": """\
  drafts: {op: ensemble, members: [m, other, {model: m, temperature: 0.1, n: 6}, m], n: 4}
  answer: {op: vote, stop_at: 0.8, ahead: 3}
""",
    "layers": """\
  drafts: {op: ensemble, members: [m, other], n: 3}
  told: {op: critique, model: m}
  best: {op: rank, model: other, keep: 4}
  fused: {op: fuse, model: m, n: 5}
  again: {op: verify, model: other}
  answer: {op: vote, stop_at: exact, ahead: 1}
""",
    "pairs": """\
  drafts: {op: generate, model: m, n: 4}
  all: {op: critique_all, model: m}
  better: {op: refine, model: other}
  best: {op: rank, model: other, method: pairwise, from: [drafts, better]}
""",
    "two votes": """\
  a: {op: generate, model: m, n: 12}
  b: {op: generate, model: other, n: 12}
  va: {op: vote, from: a, stop_at: 0.8}
  vb: {op: vote, from: b, stop_at: 0.8, ahead: 2}
  vab: {op: vote, from: [b, a], stop_at: 0.9, ahead: 3}
  one: {op: fuse, model: m, from: [va, vb, vab]}
""",
    "nested": """\
  one: {op: pipeline, file: inner.yaml}
  two: {op: pipeline, file: inner.yaml}
  three: {op: generate, model: other, n: 2}
  polished: {op: pipeline, file: polish.yaml, from: [one, two, three]}
  answer: {op: rank, model: m}
""",
}

INNER = """\
name: inner
answer: number
models: {w: scripted/z}
steps:
  drafts: {op: generate, n: 10}
  answer: {op: vote, stop_at: 0.85, ahead: 3}
"""

POLISH = """\
name: polish
answer: number
models: {w: scripted/z, k: {model: scripted/k, temperature: 0.5}}
steps:
  told: {op: critique, model: k, from: input}
  new: {op: refine, model: w}
output: {from: new, keep: 64}
"""


def answered(folder: Path, steps: str, limit: int, seed: int, latency: int | None) -> Result:
    (folder / "inner.yaml").write_text(INNER)
    (folder / "polish.yaml").write_text(POLISH)
    plan = compiled(HEAD.format(limit=limit) + steps, folder)
    delay = 0.0 if latency is None else jitter(latency)
    backends = {name: Scripted(judge, latency=delay) for name in plan.graph.models}
    return simulate(plan, backends, seed=seed)


def outcome(result: Result) -> tuple[str, str]:
    record = {key: value for key, value in result.record().items() if key != "timing"}
    return json.dumps(record), json.dumps(result.canonical())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pipelines")


@pytest.mark.parametrize("name", PIPELINES)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6), latencies=st.lists(st.integers(0, 10**6), min_size=2, max_size=2)
)
def test_timing_changes_nothing(folder: Path, name: str, seed: int, latencies: list[int]) -> None:
    expected = outcome(answered(folder, PIPELINES[name], 64, seed, None))
    for limit, latency in ((1, None), (64, latencies[0]), (1, latencies[1]), (3, latencies[1])):
        assert outcome(answered(folder, PIPELINES[name], limit, seed, latency)) == expected


@pytest.mark.parametrize("name", PIPELINES)
def test_another_seed_gives_another_run(folder: Path, name: str) -> None:
    told = {outcome(answered(folder, PIPELINES[name], 64, seed, None)) for seed in range(5)}
    assert len(told) == 5


def test_a_step_keeps_its_draws_when_others_come_and_go(folder: Path) -> None:
    short = "  drafts: {op: generate, model: m, n: 6}\n  answer: {op: vote}\n"
    long = "  extra: {op: generate, model: other, n: 2}\n" + short.replace("n: 6", "n: 9").replace(
        "op: vote", "op: vote, from: [drafts, extra]"
    )

    def drafts(steps: str) -> dict[int, object]:
        trace = answered(folder, steps, 64, 7, None).trace
        return {e.place: e.data["text"] for e in trace if e.what == "made" and e.step == "drafts"}

    few, many = drafts(short), drafts(long)
    assert len(few) == 6
    assert len(many) == 9
    assert {place: many[place] for place in few} == few
