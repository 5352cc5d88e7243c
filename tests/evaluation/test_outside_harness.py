"""lm-evaluation-harness, unmodified, asks a served pipeline, and scores it as polyarch does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from polyarch.cli import cli
from polyarch.evaluation.data.jsonl import rows

ROOT = Path(__file__).parent.parent.parent
EXTRACT = ROOT / "tests" / "data" / "gsm8k-zeroeval"
"""20 questions of GSM8K, and what three models answered to each."""

TASK = {
    "task": "gsm8k_extract",
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": str(EXTRACT / "items.jsonl")}},
    "test_split": "test",
    "output_type": "generate_until",
    "doc_to_text": "{{question}}",
    "doc_to_target": "{{reference}}",
    "generation_kwargs": {"until": [], "do_sample": False},
    # As the harness's own gsm8k does, but for the reading: these models answered in JSON.
    "filter_list": [
        {
            "name": "stated",
            "filter": [
                {"function": "regex", "regex_pattern": r'"answer":\s*"?\$?(-?[0-9.,]+)'},
                {"function": "take_first"},
            ],
        }
    ],
    "metric_list": [
        {
            "metric": "exact_match",
            "aggregation": "mean",
            "higher_is_better": True,
            "regexes_to_ignore": [",", r"\$", r"\.$"],
        }
    ],
}


def _pipeline() -> dict[str, Any]:
    """A vote of the three models, each saying what was recorded."""
    questions = {row.fields["id"]: row.fields["question"] for row in rows(EXTRACT / "items.jsonl")}
    replies: dict[str, list[dict[str, Any]]] = {}
    for row in rows(EXTRACT / "samples.jsonl"):
        said = {"question": questions[row.fields["item"]], "texts": [row.fields["text"]]}
        replies.setdefault(str(row.fields["model"]), []).append({**said, "cycle": True})
    return {
        "name": "three",
        "answer": {"json": {"field": "answer"}},
        "models": {
            f"m{place}": {"model": f"scripted/{name}", "options": {"replies": own}}
            for place, (name, own) in enumerate(replies.items())
        },
        "steps": {
            "drafts": {"op": "ensemble", "members": [f"m{place}" for place in range(len(replies))]},
            "answer": {"op": "vote"},
        },
    }


@contextmanager
def _served(pipeline: Path) -> Iterator[str]:
    """The address of a server in a process of its own."""
    code = "from polyarch.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", str(pipeline), "--port", "0"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        try:
            assert process.stdout is not None
            told = process.stdout.readline()
            while "http" not in told:
                assert told, "the server ended"
                told = process.stdout.readline()
            yield next(word for word in told.split() if word.startswith("http"))
        finally:
            process.terminate()


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    path = tmp_path / "three.yaml"
    path.write_text(yaml.safe_dump(_pipeline(), sort_keys=False, allow_unicode=True))
    return path


def _ours(pipeline: Path, out: Path) -> dict[str, float]:
    told = CliRunner().invoke(
        cli,
        ["eval", str(pipeline), "--data", str(EXTRACT / "items.jsonl"), "--out", str(out), "-q"],
    )
    assert told.exit_code == 0, told.output
    return {row.fields["item"]: row.fields["score"] for row in list(rows(out))[1:]}  # type: ignore[misc]


def _theirs(pipeline: Path, folder: Path) -> tuple[float, dict[str, float]]:
    """The harness's score, and that of each question."""
    (folder / "extract.yaml").write_text(yaml.safe_dump(TASK))
    with _served(pipeline) as url:
        command = [
            *(sys.executable, "-m", "lm_eval", "--model", "local-chat-completions"),
            *("--model_args", f"model=three,base_url={url}/chat/completions,num_concurrent=8"),
            *("--tasks", "gsm8k_extract", "--include_path", str(folder), "--apply_chat_template"),
            *("--output_path", str(folder / "out"), "--log_samples"),
        ]
        home = {"HF_HOME": str(folder / "home"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
        env = {**os.environ, **home, "OPENAI_API_KEY": "none"}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    (results,) = (folder / "out").rglob("results_*.json")
    (samples,) = (folder / "out").rglob("samples_*.jsonl")
    told = json.loads(results.read_text())["results"]["gsm8k_extract"]
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    return told["exact_match,stated"], {one["doc"]["id"]: one["exact_match"] for one in lines}


def test_the_harness_scores_a_served_pipeline_as_we_do(pipeline: Path, tmp_path: Path) -> None:
    ours = _ours(pipeline, tmp_path / "ours.jsonl")
    score, theirs = _theirs(pipeline, tmp_path)
    assert len(ours) == 20
    assert theirs == ours
    assert score == pytest.approx(sum(ours.values()) / len(ours))
    assert 0 < score < 1
