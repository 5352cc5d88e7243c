"""What the command line says of a search space."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

import polyarch
from polyarch.cli import cli

SPACE = """\
name: small
about: Some drafts.
models: {m: scripted/m}
budget: {calls: 6}
steps:
  drafts: {op: generate, n: {choose: [2, 4, 8]}, temperature: {between: [0.0, 1.0], step: 0.5}}
  checked: {optional: {op: verify, votes: {between: [1, 2]}}}
  answer: {op: vote}
where:
  - not present(checked) or drafts.n < 8
search: {objective: {maximize: exact, minus: {usd: 2}}}
"""

TABLE = """\
small: Some drafts.

hole                chosen among     exists when
─────────────────────────────────────────────────────
drafts.n            2, 4, 8
drafts.temperature  0.0, 0.5, 1.0
checked             absent, present
checked.votes       1 to 2, whole    checked: present

a search space of 21 points in 4 holes
where: not present(checked) or drafts.n < 8
searched for: exact - 2 usd
compiled: 21 points, all, 9 of them over their budget
"""


@pytest.fixture
def space(tmp_path: Path) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(SPACE)
    return str(path)


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


def test_a_table_of_holes(space: str) -> None:
    told = run("compile", space)
    assert told.exit_code == 0
    assert told.stdout == TABLE


def test_the_same_for_machines(space: str) -> None:
    told = json.loads(run("compile", space, "--json").stdout)
    assert told["size"] == 21
    assert told["holes"][0] == {
        "name": "steps.drafts.n",
        "short": "drafts.n",
        "options": [2, 4, 8],
        "when": [],
    }
    assert told["holes"][3]["when"] == [["steps.checked", True]]
    assert (told["holes"][3]["low"], told["holes"][3]["high"]) == (1, 2)
    assert told["search"]["objective"][0]["minus"] == {"usd": 2.0}
    assert told["sample"] == {"points": 21, "over_budget": 9}


def test_pipelines_at_random(space: str) -> None:
    told = run("compile", space, "--random", "5", "--seed", "3")
    assert told.exit_code == 0
    assert told.stdout == run("compile", space, "--random", "5", "--seed", "3").stdout
    assert told.stdout != run("compile", space, "--random", "5").stdout
    texts = told.stdout.split("---\n")
    assert len(texts) == 5
    assert len(list(yaml.safe_load_all(told.stdout))) == 5
    for text in texts:
        assert polyarch.loads(text).name == "small"


def test_a_pipeline_to_a_file(space: str, tmp_path: Path) -> None:
    out = tmp_path / "closed.yaml"
    assert run("compile", space, "--random", "1", "-o", str(out)).exit_code == 0
    assert run("compile", str(out), "--random", "1").exit_code == 2
    assert "operator  model" in run("compile", str(out)).stdout


@pytest.mark.parametrize(
    "words", [["--after", "settle"], ["--emit", "dot"], ["--random", "2", "--json"]]
)
def test_what_cannot_be_printed_of_a_space(space: str, words: list[str]) -> None:
    assert run("compile", space, *words).exit_code == 2


def test_a_space_cannot_run(space: str) -> None:
    told = run("run", space, "1 + 1?")
    assert told.exit_code == 1
    assert "error[open]: this pipeline has 3 holes, so it is a search space" in told.stderr
    assert "--random 1" in told.stderr


def test_faults_say_what_leads_to_them(space: str) -> None:
    Path(space).write_text(SPACE.replace("[2, 4, 8]", "[1, 2]"))
    told = run("compile", space)
    assert told.exit_code == 1
    assert "a vote over one candidate decides nothing" in told.stderr
    assert "points compiled, with drafts.n: 1" in told.stderr


def test_the_library_has_spaces() -> None:
    assert "9,576 points" in run("compile", "open/archon").stdout
    assert "9,576 points" in run("compile", "archon").stdout
    told = run("compile", "open/arcon")
    assert told.exit_code == 1
    assert 'did you mean "open/archon"?' in told.stderr
