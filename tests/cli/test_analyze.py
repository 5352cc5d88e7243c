"""`polyarch analyze` on records of an evaluation and on folders of recordings."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from polyarch.cli import cli
from polyarch.evaluation.record import Judged, Record, to_line

FOLDER = Path(__file__).parent.parent / "data" / "gsm8k-zeroeval"


def analyze(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["analyze", *map(str, arguments)])


def found(*arguments: object) -> list[dict[str, Any]]:
    told = analyze(*arguments, "--json")
    assert told.exit_code == 0, told.output
    out: list[dict[str, Any]] = json.loads(told.stdout)["found"]
    return out


def draw(index: int, answer: str, score: float, sure: float, step: str = "drafts") -> Judged:
    model = "big" if index else "small"
    return Judged(answer, score, step, index, {"quality": sure}, model=model, group=index)


def record(item: str, *draws: Judged, error: str = "", **scores: float) -> Record:
    best = max(draws, key=lambda one: one.scores["quality"])
    return Record(
        "p", item, 0, best.score, True, best.answer, "", draws, scores=scores, error=error
    )


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    records = [
        record("a", draw(0, "1", 1, 0.9), draw(1, "2", 0, 0.1), vote_share=0.9),
        record("b", draw(0, "1", 0, 0.8), draw(1, "2", 0, 0.2), vote_share=0.2),
        record("c", draw(0, "1", 1, 0.7), draw(1, "1", 1, 0.6), vote_share=1.0),
        record("d", draw(0, "1", 0, 0.5), draw(1, "2", 1, 0.6), vote_share=0.5),
        record("e", draw(0, "1", 0, 0.5), error="it failed"),
    ]
    path = tmp_path / "runs.jsonl"
    lines = [json.dumps({"evaluation": {}}), *map(to_line, records)]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    items = [
        {"id": f"q{n}", "question": "?", "reference": "1", "choices": ["long" * n, "short"]}
        for n in range(1, 4)
    ]
    verdicts = [
        {"item": f"q{n}", "judge": judge, "strategy": "s", "order": order, "winner": winner}
        for n in range(1, 4)
        for judge, won in (("sound", (1, 1)), ("first", (1, 2)))
        for order, winner in zip(("12", "21"), won, strict=True)
    ]
    verdicts.append({"item": "q1", "judge": "sound", "order": "1", "winner": None})
    for name, rows in (("items", items), ("judgements", verdicts)):
        with gzip.open(tmp_path / f"{name}.jsonl.gz", "wt") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    return tmp_path


def test_coverage_of_the_draws_of_an_evaluation(runs: Path) -> None:
    curve, beyond = found(runs, "--of", "coverage", "--at", 9)
    assert (curve["kind"], curve["source"], curve["items"]) == ("coverage", "p", 4)
    assert [share["estimate"] for share in curve["shares"]] == [0.5, 0.75]
    assert (beyond["fitted_on"], beyond["k"], beyond["seen"]) == (2, 9, None)
    assert curve["assumes"]


def test_saturation_by_plurality_and_by_each_score(runs: Path) -> None:
    (told,) = found(runs, "--of", "saturation")
    rules = {own["rule"]: [n["estimate"] for n in own["accuracy"]] for own in told["growth"]}
    assert rules["quality"] == [0.5, 0.75]
    assert rules["oracle"] == [0.5, 0.75]
    assert rules["plurality"][1] == 0.5


def test_the_verifier_and_what_it_can_reach(runs: Path) -> None:
    audit, reach = found(runs, "--of", "verifier", "--threshold", 0.6, "--penalty", 1)
    assert audit["source"] == "p: quality"
    assert audit["true_positive"]["estimate"] == 1.0
    assert audit["false_positive"]["estimate"] == 0.25
    assert reach["precision"][0] == pytest.approx(0.5 / (0.5 + 0.5 * 0.25))


def test_the_split_between_solutions_and_verifications(runs: Path) -> None:
    (told,) = found(runs, "--of", "split", "--votes", 10, "--ratio", 0.5)
    cells = {(c["solutions"], c["verifications"]): c for c in told["grid"]}
    assert cells[1, 0]["accuracy"]["estimate"] == pytest.approx(0.5, abs=0.05)
    assert cells[2, 10]["accuracy"]["estimate"] == 0.75
    assert cells[2, 10]["cost"] == 12
    assert "best for the cost" in analyze(runs, "--of", "split", "--votes", 10).stdout
    assert "not every score is a share" in analyze(runs, "--of", "split", "--votes", 3).stderr


def test_seconds_of_recorded_calls(tmp_path: Path) -> None:
    calls = [
        {"item": str(n), "model": model, "sample": 0, "text": "", "answer": None, "correct": True}
        | {"prompt_tokens": 30 + n % 3, "completion_tokens": length, "latency_s": 1 + 0.02 * length}
        for model, step in (("m", 7), ("flat", 0))
        for n in range(5)
        for length in [10 + step * n * n]
    ]
    calls[5:] = [{**call, "prompt_tokens": 30} for call in calls[5:]]
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(call) + "\n" for call in calls))
    done = analyze(tmp_path, "--of", "cost", "--json")
    (told,) = json.loads(done.stdout)["found"]
    assert (told["source"], told["kind"]) == ("m", "idealtime")
    assert (told["base"], told["completion"]) == pytest.approx((1, 0.02))
    assert "flat: prompts or completions must vary" in done.stderr
    assert "Seconds of a call" in analyze(tmp_path, "--of", "cost").stdout


def test_selective_goes_by_the_scores_of_results(runs: Path) -> None:
    told, table = found(runs, "--of", "selective", "--risk", 0.3)
    assert told["source"] == "p: vote_share"
    assert told["risks"][-1] == pytest.approx(0.25)
    assert told["items"] == 4
    assert table["kind"] == "calibration"


def test_abstention_goes_by_votes_and_by_scores(runs: Path) -> None:
    votes, quality = found(runs, "--of", "abstention", "--penalty", 3, "--cost", 0.01)
    assert (votes["source"], quality["source"]) == ("p: share of the votes", "p: quality")
    assert [own["penalty"] for own in quality["chosen"]] == [0, 1, 20, 3]
    assert {own["draws"] for own in quality["curve"]} == {1, 2}
    assert quality["cost"] == 0.01
    (last,) = found(runs, "--of", "abstention", "--score", "quality")
    assert last["source"] == "p: quality"
    assert "together" in analyze(runs, "--of", "abstention").stdout


def test_models_of_one_pipeline_are_told_apart(runs: Path) -> None:
    told, plurality, oracle = found(runs, "--of", "models", "--size", 2)
    assert told["models"] == ["small", "big"]
    assert told["accuracy"] == [0.5, 0.5]
    assert told["together"] == 0.25
    assert plurality["rule"] == "plurality"
    assert [own["models"] for own in oracle["best"]][1] == ["small", "big"]


def test_judges_of_a_recording(judged: Path) -> None:
    sound, first, both = found(judged, "--of", "judges")
    assert (first["source"], sound["source"]) == ("first/s", "sound/s")
    assert (first["consistent"]["estimate"], first["first"]["estimate"]) == (0.0, 1.0)
    assert (sound["accuracy"]["estimate"], sound["consistent"]["estimate"]) == (1.0, 1.0)
    assert list(both["cohen"]) == ["sound/s & first/s"]


@pytest.mark.parametrize(
    "study", ["coverage", "saturation", "verifier", "selective", "abstention", "models"]
)
def test_tables_say_what_they_assume(runs: Path, study: str) -> None:
    told = analyze(runs, "--of", study)
    assert told.exit_code == 0, told.output
    assert "assumes: " in told.stdout


def test_tables_of_judges_models_and_diversity(judged: Path) -> None:
    assert "first/s" in analyze(judged, "--of", "judges").stdout
    assert "Ensembles" in analyze(FOLDER, "--of", "models", "--size", 2).stdout
    assert "distinct" in analyze(FOLDER, "--of", "diversity").stdout


def test_only_the_sources_asked_for(runs: Path) -> None:
    assert len(found(runs, "--of", "models", "--source", "small", "--source", "big")) == 3
    told = analyze(runs, "--of", "coverage", "--source", "q")
    assert told.exit_code == 1
    assert "holds no 'q'; known: p" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.jsonl", "--of", "coverage"], "nowhere.jsonl: No such file"),
        ([FOLDER, "--of", "judges"], "holds no judgements.jsonl.gz"),
        ([FOLDER, "--of", "verifier"], "have no scores"),
        ([FOLDER, "--of", "selective"], "without a score to be sure by"),
        ([FOLDER, "--of", "saturation"], "needs two of each question"),
        ([FOLDER, "--of", "abstention"], "needs two of each question"),
    ],
)
def test_what_cannot_be_told_is_said(arguments: list[object], message: str) -> None:
    told = analyze(*arguments)
    assert told.exit_code == 1
    assert message in told.stderr


def test_an_unknown_score_is_said(runs: Path) -> None:
    told = analyze(runs, "--of", "verifier", "--score", "qality")
    assert told.exit_code == 1
    assert "quality" in told.stderr
