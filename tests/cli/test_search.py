"""`polyarch search`: what it prints, what it writes, how it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from click.testing import CliRunner, Result

import polyarch
from polyarch.cli import cli

SPACE = """\
name: tiny
answer: number
models: {m: {model: scripted/x, options: {replies: [{texts: ["answer: 4"], cycle: true}]}}}
steps:
  drafts: {op: generate, n: {choose: [4, 2]}}
  answer: {op: vote}
search: {objective: {maximize: numeric}}
"""


def run(folder: Path, *more: str) -> Result:
    (folder / "tiny.yaml").write_text(SPACE)
    rows = [{"id": f"q{n}", "question": f"{n} + 2?", "reference": str(n + 2)} for n in range(40)]
    lines = [json.dumps(row | {"metric": "numeric"}) for row in rows]
    (folder / "data.jsonl").write_text("\n".join(lines))
    words = ["search", str(folder / "tiny.yaml"), "--data", str(folder / "data.jsonl")]
    return CliRunner().invoke(cli, [*words, "--out", str(folder / "out"), *more])


def test_the_winner_is_written_without_holes_and_with_its_figures(tmp_path: Path) -> None:
    done = run(tmp_path, "--budget", "calls=5000", "--optuna", str(tmp_path / "o.journal"))
    assert done.exit_code == 0, done.output
    assert "drafts.n: " in done.output
    best = (tmp_path / "out" / "best.yaml").read_text()
    assert best.startswith("# dev: ")
    assert "locked questions" in best
    polyarch.loads(best).plan.refuse()
    assert yaml.safe_load(best)["steps"]["drafts"]["n"] == 4
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<svg") == 4
    assert "http" not in page
    told = json.loads((tmp_path / "out" / "search.json").read_text())
    assert {trial["chosen"]["drafts.n"] for trial in told["trials"]} == {"4", "2"}
    assert (tmp_path / "o.journal").stat().st_size > 0


def test_the_outcome_as_json(tmp_path: Path) -> None:
    done = run(tmp_path, "--trials", "1", "--test", "0", "--json")
    told = json.loads(done.output)
    assert told["test"] == []
    assert told["spent"]["calls"] > 0


def test_a_budget_of_an_unknown_unit_is_wrong_usage(tmp_path: Path) -> None:
    done = run(tmp_path, "--budget", "cals=5")
    assert done.exit_code == 2
    assert 'did you mean "calls"' in done.output


def test_a_search_without_an_end_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.exit_code == 1
    assert "needs an end" in done.output
