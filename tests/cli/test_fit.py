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
    words = ["fit", "p.yaml", "--data", "d.jsonl", "--out", "f.json", "--json"]
    told = json.loads(CliRunner().invoke(cli, words).stdout)["error"]
    assert (told["file"], told["line"]) == ("d.jsonl", 2)


def test_a_router_needs_two_models() -> None:
    told = ["fit", "p.yaml", "--data", str(DATA / "items.jsonl"), "--out", "f", "--what", "router"]
    assert CliRunner().invoke(cli, [*told, "--cases", "m0"]).exit_code == 2
    done = CliRunner().invoke(cli, [*told, "--cases", "m0,m4"])
    assert done.exit_code == 1
    assert "no model 'm4'" in done.output


TRIED = f"""\
name: p
answer: number
models:
  weak: {{model: replay/{MODELS[0]}, options: {{recordings: '{DATA}', show: answer}}}}
  other: {{model: replay/{MODELS[1]}, options: {{recordings: '{DATA}', show: answer}}}}
  strong: {{model: replay/{MODELS[2]}, options: {{recordings: '{DATA}', show: answer}}}}
steps:
  probe: {{op: ensemble, members: [weak, other]}}
  cheap: {{op: vote}}
  dear: {{op: generate, model: strong}}
  both: {{op: gather, from: [cheap, dear]}}
output: {{from: both, keep: 2}}
"""
LOOKED_UP = (
    TRIED[: TRIED.index("  cheap:")]
    + """\
  answer:
    op: route
    from: probe
    by: {op: table, by: {file: f.json}}
    cases: {cheap: {op: vote}, dear: {op: generate, model: strong}}
    otherwise: dear
"""
)
TABLE = ("--what", "table", "--probe", "probe", "--cases", "cheap,dear")


def table(*more: str) -> dict[str, str]:
    Path("p.yaml").write_text(TRIED)
    fit(*TABLE, *more)
    rows: dict[str, str] = json.loads(Path("f.json").read_text())["table"]
    return rows


def test_a_table_holds_the_case_that_was_right_most_often() -> None:
    rows = [json.loads(line) for line in (DATA / "samples.jsonl").read_text().splitlines()]
    drawn = {(row["item"], row["model"]): row for row in rows}
    right: dict[str, list[tuple[bool, bool]]] = {}
    for item in {row["item"] for row in rows}:
        one, other, strong = (drawn[item, name] for name in MODELS)
        key = "2/2" if one["answer"] == other["answer"] else "1/2"
        right.setdefault(key, []).append((one["correct"], strong["correct"]))
    expected = {
        key: "dear" if sum(s for _, s in pairs) > sum(c for c, _ in pairs) else "cheap"
        for key, pairs in right.items()
        if len(pairs) >= 5
    }
    assert table() == expected
    assert set(expected) == {"1/2", "2/2"}
    # Where nothing may be paid for a right answer, what costs nothing is best.
    assert set(table("--most", "0.001").values()) == {"cheap"}


def test_a_route_looks_it_up_and_asks_no_other_case() -> None:
    rows = table()
    Path("r.yaml").write_text(LOOKED_UP)
    items = map(json.loads, (DATA / "items.jsonl").read_text().splitlines())
    with polyarch.load("r.yaml") as pipe:
        results = [pipe(item["question"], id=item["id"]) for item in items]
    for result in results:
        note = next(e.data for e in result.trace if e.data.get("note") == "looked up")
        case = rows.get(str(note["key"]), "")
        assert note["case"] == case
        assert result.usage.calls == (3 if case == "dear" else 2)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--what", "table", "--cases", "cheap,dear"), "a table needs --probe"),
        (("--what", "table", "--probe", "probe", "--cases", "cheap"), "two steps or more"),
        (("--what", "table", "--probe", "prob", "--cases", "cheap,dear"), 'mean "probe"'),
    ],
)
def test_a_table_needs_steps(more: tuple[str, ...], why: str) -> None:
    Path("p.yaml").write_text(TRIED)
    told = ["fit", "p.yaml", "--data", str(DATA / "items.jsonl"), "--out", "f", *more]
    done = CliRunner().invoke(cli, told)
    assert done.exit_code != 0
    assert why in done.output


def test_a_stop_is_fitted_and_stops() -> None:
    text = pipeline().replace(
        "  answer: {op: vote}\n",
        "  voted: {op: check, equals: 1}\noutput: {from: voted, keep: 3}\n",
    )
    Path("p.yaml").write_text(text)
    fit("--what", "stopping", "--score", "check", "--cost", "0.1")
    made = json.loads(Path("f.json").read_text())
    assert (made["fitted"], made["score"], made["cost"]) == ("stopping", "check", 0.1)
    stopping = text[: text.index("output:")] + (
        "  best: {op: select, by: check, stop_at: {file: f.json}, otherwise: first}\n"
    )
    Path("s.yaml").write_text(stopping)
    item = json.loads((DATA / "items.jsonl").read_text().splitlines()[0])
    with polyarch.load("s.yaml") as pipe:
        assert pipe(item["question"], id=item["id"]).usage.calls == 1
    Path("s.yaml").write_text(stopping.replace("by: check", "by: other"))
    with pytest.raises(polyarch.SpecError, match="for the score 'check'"):
        polyarch.load("s.yaml")


def recorded(folder: Path) -> Path:
    """Sums that a weak model can do, and stories that only a strong one can."""
    items, samples = [], []
    for number in range(24):
        easy = number % 2 == 0
        text = (
            f"{number} + 1 = ?" if easy else f"Tom has {number} pens. Ann gives Tom one. How many?"
        )
        name, answer = f"q{number}", str(number + 1)
        items.append({"id": name, "question": text, "reference": answer, "metric": "numeric"})
        for model in ("weak", "strong"):
            right = easy or model == "strong"
            told = answer if right else "0"
            row = {"item": name, "model": model, "sample": 0, "text": told, "answer": told}
            samples.append(row | {"correct": right})
    for kind, rows in (("items", items), ("samples", samples)):
        (folder / f"{kind}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "items.jsonl"


def test_a_router_of_embeddings_asks_for_one_and_goes_where_it_should(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    data = recorded(tmp_path)
    models = "".join(
        f"  {name}: {{model: replay/{name}, options: {{recordings: '{tmp_path}'}}}}\n"
        for name in ("weak", "strong")
    )
    head = f"name: p\nanswer: number\nmodels:\n{models}  eyes: {{model: embedded/abacus}}\nsteps:\n"
    both = "  drafts: {op: ensemble, members: [weak, strong]}\n  answer: {op: vote}\n"
    Path("p.yaml").write_text(head + both)
    told = ["fit", "p.yaml", "--data", str(data), "--out", "f.json", "--what", "router"]
    told += ["--cases", "weak,strong", "--embedder"]
    done = CliRunner().invoke(cli, [*told, "eyes"])
    assert done.exit_code == 0, done.output
    made = json.loads(Path("f.json").read_text())
    assert (made["embedder"], set(made["models"])) == ("eyes", {"weak", "strong", "eyes"})
    routed = head + (
        "  answer:\n    op: route\n    by: {op: router, by: {file: f.json}}\n"
        "    cases: {weak: {op: generate, model: weak}, strong: {op: generate, model: strong}}\n"
        "    otherwise: strong\n"
    )
    Path("r.yaml").write_text(routed)
    with polyarch.load("r.yaml") as pipe:
        assert pipe.plan.total.calls.high == 3
        rows = map(json.loads, data.read_text().splitlines())
        results = [pipe(row["question"], id=row["id"]) for row in rows]
    went = [result.candidates[0].origin.model for result in results]
    assert sum(one == ("weak", "strong")[n % 2] for n, one in enumerate(went)) >= 22
    assert {result.usage.calls for result in results} == {2}
    for wrong, why in (("weak", "offers no embeddings"), ("eye", 'did you mean "eyes"')):
        refused = CliRunner().invoke(cli, [*told, wrong])
        assert refused.exit_code == 1
        assert why in refused.output
