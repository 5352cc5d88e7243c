"""`polyarch tune`: what it prints, what it writes, how it refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from polyarch.cli import cli
from polyarch.search.tuning.load import Job

PIPELINE = """\
name: two
models: {a: embedded/abacus, b: {model: embedded/abacus, options: {batch: 8}}}
answer: number
steps: {drafts: {op: generate, model: a, n: 2}, answer: {op: fuse, model: b}}
"""


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Measured without a process: the larger the batch, the faster, and 256 does not work."""
    from polyarch.search.tuning import call
    from polyarch.search.tuning.measuring import Failed

    done: list[Job] = []

    class Quick:
        async def __call__(self, job: Job, environment: Mapping[str, str]) -> float:
            done.append(job)
            batch = job.options.get("batch", 20)
            if batch == 256:
                raise Failed("out of memory")
            return float(batch)

    monkeypatch.setattr(call, "Apart", Quick)
    return done


def test_it_prints_the_fastest_settings_and_writes_a_profile(
    jobs: list[Job], tmp_path: Path
) -> None:
    out = tmp_path / "fast.json"
    words = ["tune", "embedded/abacus", "--try", "batch=10,256,40", "--out", str(out)]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    assert "batch=256: out of memory" in done.output
    assert "batch: 40\n\n40 tokens/s, 20 as it was: 2.00 times as fast (2.00 to 2.00" in done.output
    assert "2 settings measured, 1 did not work; all settings were measured" in done.output
    told = json.loads(out.read_text())
    assert told["options"] == {"batch": 40}
    assert len(jobs) == 3 + 3 * 3


def test_the_backend_s_own_settings_are_tried_of_the_model_named(
    jobs: list[Job], tmp_path: Path
) -> None:
    (tmp_path / "two.yaml").write_text(PIPELINE)
    words = ["tune", str(tmp_path / "two.yaml"), "--out", str(tmp_path / "p.json"), "--json"]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 1
    assert "which model of" in done.output
    done = CliRunner().invoke(cli, [*words, "--model", "b", "--repeats", "1"])
    assert json.loads(done.stdout)["options"] == {"batch": 128}
    assert {job.load.model for job in jobs} == {"b"}
    assert len(jobs) == 8 * 3 + 1 + 3


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["abacus"], 1, "no pipeline file, and no backend/model"),
        (["scripted/x"], 1, "has no settings of its own"),
        (["embedded/abacus", "--try", "batch"], 2, "is not NAME=VALUE"),
        (["embedded/abacus", "--data", "embedded:1"], 1, "two questions are needed"),
    ],
)
def test_what_cannot_be_tuned_is_refused(
    jobs: list[Job], tmp_path: Path, words: list[str], code: int, told: str
) -> None:
    done = CliRunner().invoke(cli, ["tune", *words, "--out", str(tmp_path / "p.json")])
    assert done.exit_code == code, done.output
    assert told in done.output
