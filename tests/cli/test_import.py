"""`polyarch import`: where it reads, where it writes, and what it tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from polyarch.cli import cli

GENERATOR = {"type": "generator", "model": "gpt-4o", "model_type": "OpenAI_API", "top_k": 1}
CONFIG = json.dumps({"name": "one", "layers": [[GENERATOR]]})
NOTE = (
    "note: layers[0][0]: top_k is left out: Archon reads top_k of a ranker and of a "
    "unit_test_evaluator alone\n"
)


def run(*arguments: str, given: bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["import", *arguments], input=given)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.json"
    path.write_text(CONFIG)
    return path


def test_the_file_goes_to_standard_output_and_notes_beside_it(config: Path) -> None:
    told = run("archon", str(config))
    assert told.exit_code == 0
    assert told.stderr == NOTE
    assert told.stdout.endswith("steps:\n  answer: {op: generate, model: gpt_4o}\n")


def test_what_is_written_compiles(config: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.yaml"
    told = run("archon", str(config), "--out", str(made))
    assert (told.exit_code, told.stdout, told.stderr) == (0, "", NOTE)
    compiled = CliRunner().invoke(cli, ["compile", str(made)])
    assert compiled.exit_code == 0
    assert compiled.stdout.startswith("one: Archon's one\n")


def test_standard_input_is_read() -> None:
    assert run("archon", "-", given=CONFIG.encode()).stdout.startswith("# Imported")
    broken = run("archon", "-", given=b"{")
    assert broken.exit_code == 1
    assert broken.stderr.startswith("standard input:1:2: error[json]: not JSON")


def test_an_approach_is_imported(tmp_path: Path) -> None:
    made = tmp_path / "made.yaml"
    told = run("optillm", "moa&self_consistency-gpt-4o", "-o", str(made))
    assert told.exit_code == 0
    assert CliRunner().invoke(cli, ["compile", str(made)]).exit_code == 0


def test_what_cannot_be_imported_ends_with_an_error(tmp_path: Path) -> None:
    missing = run("archon", str(tmp_path / "no.json"))
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "No such file" in missing.stderr
    latin = tmp_path / "latin.json"
    latin.write_bytes(b'{\n"name": "\xe9"}')
    assert f"{latin}:2: not UTF-8" in run("archon", str(latin)).stderr
    large = tmp_path / "large.json"
    large.write_bytes(b" " * ((4 << 20) + 1))
    assert "larger than 4 MiB" in run("archon", str(large)).stderr
    assert "has no equal here" in run("optillm", "mcts-gpt-4o").stderr
    assert run("langchain", "x").exit_code == 2
