"""`polyarch analyze` on traces, from a pipeline file to its tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from polyarch.cli import cli

QUESTIONS = {"a": "how many a", "b": "how many b"}


def told(*words: object) -> Result:
    return CliRunner().invoke(cli, [*map(str, words)])


def found(*words: object) -> dict[str, Any]:
    result = told("analyze", *words, "--json")
    assert result.exit_code == 0, result.output
    (one,) = json.loads(result.stdout)["found"]
    made: dict[str, Any] = one
    return made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline that answers b wrongly, and its trace."""
    monkeypatch.chdir(tmp_path)
    drafts = [
        {"role": "solve", "question": QUESTIONS["a"], "texts": "2+2=4\nanswer: 4"},
        {"role": "solve", "contains": "2+2=", "texts": "4"},
        {"role": "solve", "texts": "2+2=5\nanswer: 5"},
        {"role": "revise", "contains": "answer: 4", "texts": "answer: 4"},
        {"role": "revise", "texts": "answer: 5"},
    ]
    spec = {
        "name": "pair",
        "answer": "number",
        "models": {"m": {"model": "scripted/m", "options": {"replies": drafts, "latency": 0.01}}},
        "steps": {"draft": {"op": "generate"}, "better": {"op": "refine"}},
    }
    Path("pair.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    rows = [{"id": id, "question": text, "answer": "4"} for id, text in QUESTIONS.items()]
    Path("d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("--data", "d.jsonl", "--metric", "numeric", "--trace", "t.jsonl", "-q")
    done = told("eval", "pair.yaml", *words, "--out", "r.jsonl")
    assert done.exit_code == 0, done.output
    return tmp_path


DATA = ("--data", "d.jsonl", "--metric", "numeric")


def test_what_each_step_adds(folder: Path) -> None:
    one = found("t.jsonl", "--of", "steps", *DATA)
    assert (one["score"]["estimate"], one["items"]) == (0.5, 2)
    (part,) = [part for part in one["parts"] if part["change"] == "without better"]
    assert (part["gain"]["estimate"], part["calls"]) == (0.0, 1.0)
    table = told("analyze", "t.jsonl", "--of", "steps", *DATA)
    assert "without better" in table.stdout
    assert "better reads nothing else" in table.stdout
    assert "assumes: " in table.stdout


def test_which_reply_is_to_blame(folder: Path) -> None:
    guess = {"cause": "a sum", "reply": "draft[0:0:0]", "fix": "answer: 4", "prediction": "4"}
    options = json.dumps({"replies": [{"texts": json.dumps(guess)}]})
    words = ("t.jsonl", "--of", "failures", *DATA, "--model", "scripted/n", "--options", options)
    one = found(*words)
    assert [(own["item"], own["outcome"]) for own in one["found"]] == [("b", "untested")]
    one = found(*words, "--pipeline", "pair.yaml")
    assert [(own["after"], own["outcome"]) for own in one["found"]] == [("4", "confirmed")]
    assert (one["confirmed"]["estimate"], one["steps"]) == (1.0, {"draft": 1})
    assert one["spent"]["calls"] == 2
    assert "draft[0:0:0]" in told("analyze", *words).stdout


def test_a_budget_that_ends_the_study_is_told(folder: Path) -> None:
    options = json.dumps({"replies": [{"texts": "?"}]})
    words = ("t.jsonl", "--of", "failures", *DATA, "--model", "scripted/n", "--options", options)
    assert "stopped early" not in told("analyze", *words, "--budget", "calls=9").stdout
    some = ("--pipeline", "pair.yaml", "--step", "draft", "--closing", "answer:", "--budget")
    ended = told("analyze", "t.jsonl", "--of", "faithfulness", *some, "calls=4")
    assert ended.exit_code == 0, ended.output
    assert "pair: draft stopped early: " in ended.stdout


def test_whether_the_reasoning_is_read(folder: Path) -> None:
    words = ("t.jsonl", "--of", "faithfulness", "--step", "draft", "--pipeline", "pair.yaml")
    one = found(*words, "--whole", "--closing", "answer:")
    assert one["area"]["truncate"]["estimate"] == 0.0
    assert one["removable"]
    assert "the reasoning could be left out" in told("analyze", *words, "--whole").stdout


def test_seconds_and_worth(folder: Path) -> None:
    done = told("analyze", "t.jsonl", "--of", "cost")
    assert "must vary in length" in done.stderr
    done = told("analyze", "r.jsonl", "--of", "cost")
    assert "what it is worth is beside another" in done.stderr
    words = ("--metric", "numeric", "--baseline", "single", "--out", "two.jsonl", "-q")
    assert told("eval", "pair.yaml", "--data", "d.jsonl", *words).exit_code == 0
    one = found("two.jsonl", "--of", "cost")
    assert (one["pipeline"], one["baseline"], one["unit"]) == ("single", "pair", "tokens")
    assert one["break_even"] == 0.0
    assert (
        "What a right answer must be worth" in told("analyze", "two.jsonl", "--of", "cost").stdout
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--of", "steps"], "this takes --data"),
        (["--of", "failures", *DATA], "takes --model"),
        (["--of", "faithfulness"], "takes --step and --pipeline"),
        (
            ["--of", "failures", *DATA, "--model", "scripted/n", "--options", "{"],
            "--options: not JSON",
        ),
        (["--of", "steps", "--data", "other.jsonl"], "no file, folder or benchmark"),
    ],
)
def test_what_is_missing_is_said(folder: Path, words: list[str], message: str) -> None:
    done = told("analyze", "t.jsonl", *words)
    assert done.exit_code in (1, 2)
    assert message in done.stderr


def test_dollars_are_limited_only_where_prices_are_known(folder: Path) -> None:
    words = ("--of", "failures", *DATA, "--model", "openai/unheard-of", "--budget", "usd=1")
    done = told("analyze", "t.jsonl", *words)
    assert done.exit_code == 1
    assert "price" in done.stderr


def test_a_trace_of_another_pipeline_is_refused(folder: Path) -> None:
    Path("pair.yaml").write_text(Path("pair.yaml").read_text().replace("refine", "critique"))
    done = told("analyze", "t.jsonl", "--of", "steps", *DATA, "--pipeline", "pair.yaml")
    assert done.exit_code == 1
    assert "another one, or changed since" in done.stderr


def test_a_trace_is_of_one_pipeline(folder: Path) -> None:
    words = ("--data", "d.jsonl", "--baseline", "single", "--trace", "u.jsonl")
    done = told("eval", "pair.yaml", *words)
    assert done.exit_code == 2
    assert "--trace is of one pipeline" in done.stderr
