"""`polyarch eval`: from files to a report, with its guards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from polyarch import load
from polyarch.cli import cli
from polyarch.cli.baselines import baseline, whole_calls

RECORDED = Path(__file__).parents[1] / "data" / "recordings"
ZERO = RECORDED / "gsm8k-zeroeval"
MODELS = ("Meta-Llama-3.1-8B-Instruct", "Qwen2-7B-Instruct", "Phi-3.5-mini-instruct")


@pytest.fixture
def pipelines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    models = {
        f"m{place}": {
            "model": f"replay/{model}",
            "options": {"recordings": str(ZERO), "show": "answer"},
        }
        for place, model in enumerate(MODELS)
    }
    members = [{"model": name} for name in models]
    vote = {
        "name": "trio",
        "models": models,
        "answer": "number",
        "steps": {"drafts": {"op": "ensemble", "members": members}, "answer": {"op": "vote"}},
    }
    (tmp_path / "trio.yaml").write_text(json.dumps(vote))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["eval", *map(str, words)])


def told(*words: str | Path) -> dict[str, Any]:
    result = run(*words, "--json", "-q")
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return report


def test_a_report_compares_with_a_baseline_of_the_library(pipelines: Path) -> None:
    report = told("trio.yaml", "--data", ZERO, "--baseline", "single")
    trio, single = report["summaries"]
    assert (trio["name"], single["name"]) == ("trio", "single")
    assert (trio["cost"]["calls"], single["cost"]["calls"]) == (3, 1)
    (pair,) = report["comparisons"]
    assert (pair["name"], pair["baseline"], pair["calls"]) == ("trio", "single", 3)
    gain = trio["score"][0] - single["score"][0]
    assert pair["difference"][0] == pytest.approx(gain)
    assert pair["difference"][1] <= gain <= pair["difference"][2]
    assert trio["choosing"]["oracle"] >= trio["score"][0]
    assert trio["choosing"]["gap"] == pytest.approx(trio["choosing"]["oracle"] - trio["score"][0])


def test_baselines_of_the_library_take_no_more_calls_than_the_pipeline(pipelines: Path) -> None:
    like = pipelines / "big.yaml"
    like.write_text(
        "name: big\nanswer: number\nmodels: {m: embedded/abacus}\nsteps:\n"
        "  drafts: {op: generate, n: 8}\n  checked: {op: verify}\n"
        "  answer: {op: vote, weight: verify, stop_at: exact}\n"
    )
    calls = whole_calls(load(like).plan)
    assert calls == 16
    counted = {
        word: whole_calls(baseline(word, like, 60, (), calls).plan)
        for word in ("single", "self_consistency", "best_of_n", "mixture_of_agents")
    }
    assert counted == {
        "single": 1,
        "self_consistency": 16,
        "best_of_n": 15,
        "mixture_of_agents": 15,
    }
    # The fewest that work, and a file as it is.
    assert whole_calls(baseline("self_consistency", like, 60, (), 1).plan) == 2
    assert whole_calls(baseline(str(like), like, 60, (), 1).plan) == 16


def test_the_table_says_what_it_must(pipelines: Path) -> None:
    result = run("trio.yaml", "--data", ZERO, "--baseline", "single", "-q")
    assert result.exit_code == 0
    for words in ("Scores", "Differences", "Choosing among draws", "Cost of a question", "note:"):
        assert words in result.stdout


def test_the_page_stands_alone(pipelines: Path) -> None:
    result = run("trio.yaml", "--data", ZERO, "--baseline", "single", "--html", "r.html", "-q")
    assert result.exit_code == 0
    page = (pipelines / "r.html").read_text()
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("<svg") >= 3
    assert "{{" not in page
    assert "nan" not in page.lower().replace("finance", "")


def test_records_are_written_and_taken_up(pipelines: Path) -> None:
    first = told("trio.yaml", "--data", ZERO, "--out", "r.jsonl")
    lines = (pipelines / "r.jsonl").read_text().splitlines(keepends=True)
    (pipelines / "r.jsonl").write_text("".join(lines[:5]))
    again = told("trio.yaml", "--data", ZERO, "--out", "r.jsonl")
    assert [one["score"] for one in again["summaries"]] == [
        one["score"] for one in first["summaries"]
    ]
    assert again["looks"]["whole"] == 1


def test_the_test_split_opens_once(pipelines: Path) -> None:
    first = told("trio.yaml", "--data", ZERO, "--split", "test")
    assert first["looks"]["test"] == 1
    refused = run("trio.yaml", "--data", ZERO, "--split", "test", "-q")
    assert refused.exit_code == 1
    assert "was opened before" in refused.output
    told("trio.yaml", "--data", ZERO, "--split", "dev")
    again = told("trio.yaml", "--data", ZERO, "--split", "test", "--look-again")
    assert again["looks"] == {"dev": 1, "test": 2, "whole": 0, "again": True}
    assert any("looked at 2 times" in note for note in again["notes"])
    assert run("trio.yaml", "--data", ZERO, "--look-again").exit_code == 2


def test_recorded_time_counts_and_takes_none(pipelines: Path) -> None:
    prime = RECORDED / "prime-llmdrift"
    model = {
        "model": "replay/gpt-4-0314",
        "options": {"recordings": str(prime), "show": "answer", "latency": True, "usd": True},
    }
    steps = {"answer": {"op": "generate"}}
    spec = {"name": "one", "models": {"m": model}, "answer": "text", "steps": steps}
    (pipelines / "one.yaml").write_text(json.dumps(spec))
    report = told("one.yaml", "--data", prime, "--metric", "exact", "--recorded-time")
    counted = json.loads((prime / "figures.json").read_text())["figures"]["per_model"]
    cost, wanted = report["summaries"][0]["cost"], counted["gpt-4-0314"]
    assert cost["seconds"] == pytest.approx(wanted["mean_latency_s"], abs=0.01)
    assert cost["p50"] == pytest.approx(wanted["median_latency_s"], abs=0.01)
    assert cost["usd"] == pytest.approx(wanted["mean_usd"], abs=1e-6)


def test_slices_seeds_and_samples(pipelines: Path) -> None:
    rows = [json.loads(line) for line in (ZERO / "items.jsonl").read_text().splitlines()]
    lines = [json.dumps({**row, "meta": {"even": n % 2 == 0}}) for n, row in enumerate(rows)]
    (pipelines / "d.jsonl").write_text("\n".join(lines))
    report = told("trio.yaml", "--data", "d.jsonl", "--slice", "even", "--sample", "10")
    parts = report["summaries"][0]["slices"]
    assert {part["value"] for part in parts} == {"True", "False"}
    assert sum(part["questions"] for part in parts) == 10


def test_mistakes_are_told_in_one_line(pipelines: Path) -> None:
    for words, part in (
        (("trio.yaml", "--data", "gsm8"), 'did you mean "gsm8k"'),
        (("trio.yaml", "--data", str(ZERO), "--metric", "exct"), 'did you mean "exact"'),
        (("trio", "--data", str(ZERO)), 'did you mean "trio.yaml"'),
        (("trio.yaml", "--data", str(ZERO), "--budget", "calls=3"), "need at least 48 calls"),
    ):
        result = run(*words, "-q")
        assert result.exit_code == 1, result.output
        assert part in result.output
    assert run("trio.yaml", "--data", str(ZERO), "--field", "x").exit_code == 2


def test_a_pipeline_that_always_fails_is_an_error(pipelines: Path) -> None:
    (pipelines / "d.jsonl").write_text('{"id": "unknown", "question": "?", "reference": "1"}\n')
    result = run("trio.yaml", "--data", "d.jsonl", "--metric", "exact", "-q")
    assert result.exit_code == 1
    assert "every run of trio failed" in result.output
    assert "not-recorded" in result.stdout or "step-failed" in result.stdout
