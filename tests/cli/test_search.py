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
    assert page.count("<svg") == 5
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


def test_a_search_starts_from_a_pipeline_and_an_earlier_search_under_a_guard(
    tmp_path: Path,
) -> None:
    good = SPACE.replace("{choose: [4, 2]}", "2").replace("name: tiny", "name: good")
    (tmp_path / "good.yaml").write_text(good.partition("search:")[0])
    words = ["--trials", "1", "--test", "0", "-q", "--guard"]
    done = run(tmp_path, *words, "--start", str(tmp_path / "good.yaml"))
    assert done.exit_code == 0, done.output
    assert "drafts.n: 2" in done.output
    assert f"tried first, {tmp_path / 'good.yaml'}: came in 1 of 1" in done.output
    assert "guard: " in done.output
    more = ["--after", str(tmp_path / "out"), "--out", str(tmp_path / "second"), "--seed", "2"]
    done = run(tmp_path, *words, *more)
    assert f"tried first, from {tmp_path / 'out'}: came in 1 of 1" in done.output
    assert "1 of 2 points tried" in done.output


def test_a_start_that_is_no_point_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "--trials", "1", "--start", "verified_vote")
    assert done.exit_code == 1
    assert "verified_vote is no point of tiny: step 'drafts' (generate): n is 16" in done.output


def test_the_space_itself_says_where_to_start_and_asks_for_a_guard(tmp_path: Path) -> None:
    good = SPACE.replace("{choose: [4, 2]}", "2").partition("search:")[0]
    (tmp_path / "good.yaml").write_text(good)
    told = SPACE.replace("search: {", "search: {guard: true, start: [good.yaml], trials: 1, ")
    run(tmp_path, "--trials", "1")
    (tmp_path / "tiny.yaml").write_text(told)
    words = ["search", str(tmp_path / "tiny.yaml"), "--data", str(tmp_path / "data.jsonl")]
    done = CliRunner().invoke(cli, [*words, "--out", str(tmp_path / "again"), "--json"])
    found = json.loads(done.output)
    assert found["guard"]["questions"] > 5
    assert [one["source"] for one in found["started"]] == ["good.yaml"]
    assert found["best"]["chosen"]["drafts.n"] == "2"


def test_a_data_set_without_questions_and_a_study_of_another_space_are_told(tmp_path: Path) -> None:
    assert run(tmp_path, "--trials", "1").exit_code == 0
    other = SPACE.replace("[4, 2]", "[4, 3]")
    (tmp_path / "tiny.yaml").write_text(other)
    words = ["search", str(tmp_path / "tiny.yaml"), "--trials", "1", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(cli, [*words, "--data", str(tmp_path / "data.jsonl")])
    assert done.exit_code == 1
    assert "the study 'tiny' is one of another space" in done.output
    (tmp_path / "empty.jsonl").write_text("")
    done = CliRunner().invoke(cli, [*words, "--data", str(tmp_path / "empty.jsonl")])
    assert done.exit_code == 1
    assert "empty.jsonl: no items" in done.output


def test_a_journal_holds_the_study(tmp_path: Path) -> None:
    done = run(tmp_path, "--trials", "2", "--study", f"journal:{tmp_path / 'study.journal'}")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "study.journal").stat().st_size > 0
    assert not (tmp_path / "out" / "study.db").exists()
    done = run(tmp_path, "--trials", "2", "--study", f"journal:{tmp_path / 'study.journal'}")
    assert "the locked questions were opened 2 times" in done.output
