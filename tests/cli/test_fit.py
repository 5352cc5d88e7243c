"""What `polyarch fit` writes, pipelines use; what was fitted to other models they refuse."""

from __future__ import annotations

import json
from math import log
from pathlib import Path

import pytest
from click.testing import CliRunner

import polyarch
from polyarch.cli import cli

DATA = Path(__file__).parents[1] / "data" / "gsm8k-zeroeval"
MODELS = ("Meta-Llama-3.1-8B-Instruct", "Mistral-Nemo-Instruct-2407", "Qwen2-7B-Instruct")


def pipeline(vote: str = "", more: str = "") -> str:
    models = "".join(
        f"  m{i}: {{model: replay/{name}, options: {{recordings: '{DATA}', show: answer}}}}\n"
        for i, name in enumerate(MODELS)
    )
    return f"""\
name: p
answer: number
models:
{models}steps:
  drafts: {{op: ensemble, members: [m0, m1, m2]}}
  answer: {{op: vote{vote}}}
{more}"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.yaml").write_text(pipeline())


def fit(*more: str) -> str:
    told = ["fit", "p.yaml", "--data", str(DATA / "items.jsonl"), "--out", "f.json", *more]
    done = CliRunner().invoke(cli, told)
    assert done.exit_code == 0, done.output
    return done.output


def test_weights_are_fitted_and_weigh() -> None:
    assert fit() == "weights fitted to 20 questions: f.json\n"
    made = json.loads(Path("f.json").read_text())
    right = dict.fromkeys(MODELS, 0)
    for line in (DATA / "samples.jsonl").read_text().splitlines():
        row = json.loads(line)
        right[row["model"]] += row["correct"]
    assert made["models"] == {f"m{i}": f"replay/{name}" for i, name in enumerate(MODELS)}
    assert made["data"]["items"] == 20
    first, *others = (made["weights"][f"m{i}"] for i in range(3))
    odds = [log((right[name] + 1) / (20 - right[name] + 1)) for name in MODELS]
    # Beside the odds there is one constant: how seldom two wrong answers are the same.
    assert first > 0
    assert [first - w for w in others] == pytest.approx([odds[0] - o for o in odds[1:]])
    Path("w.yaml").write_text(pipeline(", weight: {file: f.json}"))
    item = json.loads((DATA / "items.jsonl").read_text().splitlines()[0])
    with polyarch.load("w.yaml") as pipe:
        result = pipe(item["question"], id=item["id"])
    cast = sum(weight for _, weight in result.candidates[0].notes["votes"])  # type: ignore[union-attr,misc,has-type]
    assert 0 < cast <= sum(made["weights"].values()) + 1e-6


def test_what_was_fitted_to_another_model_is_refused() -> None:
    fit()
    other = pipeline(", weight: {file: f.json}").replace(f"replay/{MODELS[0]}", "scripted/x")
    Path("w.yaml").write_text(other.replace(f"{{recordings: '{DATA}', show: answer}}", "{}", 1))
    with pytest.raises(polyarch.SpecError, match="m0 being replay/Meta-Llama") as wrong:
        polyarch.load("w.yaml")
    assert [fault.code for fault in wrong.value.faults] == ["misfit"]


def test_a_threshold_abstains() -> None:
    fit("--what", "threshold", "--risk", "0.9", "--confidence", "0.6")
    made = json.loads(Path("f.json").read_text())
    assert (made["score"], made["at_least"], made["answered"]) == ("vote", 0.0, 1.0)
    least = 0.5
    Path("f.json").write_text(json.dumps(made | {"at_least": least}))
    Path("t.yaml").write_text(pipeline(more="  sure: {op: when, holds: {file: f.json}}\n"))
    with polyarch.load("t.yaml") as pipe:
        results = {
            item["id"]: pipe(item["question"], id=item["id"])
            for item in map(json.loads, (DATA / "items.jsonl").read_text().splitlines())
        }
    given = [r.candidates[0].scores["vote"] for r in results.values() if r.candidates]
    assert len(given) < len(results)
    assert min(given) >= least


@pytest.mark.parametrize(
    ("held", "why"),
    [
        ("{}", "holds nothing that"),
        (None, "weights, not threshold"),
    ],
)
def test_a_file_of_another_kind_is_refused(held: str | None, why: str) -> None:
    fit()
    if held is not None:
        Path("f.json").write_text(held)
    Path("t.yaml").write_text(pipeline(more="  sure: {op: when, holds: {file: f.json}}\n"))
    with pytest.raises(polyarch.SpecError, match=why):
        polyarch.load("t.yaml")


def test_questions_without_a_reference_are_told() -> None:
    Path("d.jsonl").write_text('{"question": "x", "reference": "1"}\n{"question": "y"}\n')
    done = CliRunner().invoke(cli, ["fit", "p.yaml", "--data", "d.jsonl", "--out", "f.json"])
    assert done.exit_code == 1
    assert "d.jsonl:2" in done.output
    assert "reference" in done.output


def test_a_router_needs_two_models() -> None:
    told = ["fit", "p.yaml", "--data", str(DATA / "items.jsonl"), "--out", "f", "--what", "router"]
    assert CliRunner().invoke(cli, [*told, "--cases", "m0"]).exit_code == 2
    done = CliRunner().invoke(cli, [*told, "--cases", "m0,m4"])
    assert done.exit_code == 1
    assert "no model 'm4'" in done.output
