import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import polyarch
from polyarch.cli import cli
from polyarch.compiler.emit import EMITTERS

TEXT = """
name: tiny
answer: number
budget: {calls: 4}
models: {m: {model: scripted/x, options: {replies: [{texts: ["1", "2"]}]}}}
steps:
  drafts: {op: generate, n: 2}
  loose: {op: generate, n: 2}
  answer: {from: drafts, op: vote}
"""
BROKEN = """\
name: x
answr: number
steps:
  a: {op: generat}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(TEXT)
    return tmp_path


def compiling(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["compile", *arguments])


def test_the_plan_is_a_table():
    told = compiling("tiny.yaml")
    assert told.exit_code == 0
    assert told.stdout == EMITTERS["table"](polyarch.load("tiny.yaml").plan)
    assert told.stderr == ""


@pytest.mark.parametrize("kind", EMITTERS)
def test_it_is_written_in_every_way(kind: str):
    told = compiling("tiny.yaml", "--emit", kind)
    assert told.exit_code == 0
    assert told.stdout == EMITTERS[kind](polyarch.load("tiny.yaml").plan)


def test_json_is_the_json_emitter():
    assert (
        compiling("tiny.yaml", "--json").stdout == compiling("tiny.yaml", "--emit", "json").stdout
    )


def test_the_graph_after_a_pass():
    before, after = (
        compiling("tiny.yaml", "--after", "inline"),
        compiling("tiny.yaml", "--after", "prune"),
    )
    assert "loose = generate(n=2) <- question" in before.stdout
    assert "loose" not in after.stdout
    assert "drafts = generate(model=m, " in after.stdout


def test_it_is_written_to_a_file():
    told = compiling("tiny.yaml", "--emit", "python", "-o", "made.py")
    assert (told.exit_code, told.output) == (0, "")
    assert Path("made.py").read_text() == EMITTERS["python"](polyarch.load("tiny.yaml").plan)


def test_a_longer_question_is_dearer():
    told = compiling("tiny.yaml", "--question-tokens", "9", "--json")
    assert json.loads(told.stdout)["question_tokens"] == {"low": 1, "high": 9}
    assert compiling("tiny.yaml", "--question-tokens", "0").exit_code == 2


def test_a_pipeline_of_the_library():
    told = compiling("verified_vote")
    assert told.exit_code == 0
    assert told.stdout.startswith("verified_vote: ")


def test_a_file_goes_before_the_library():
    Path("verified_vote").write_text(TEXT)
    assert compiling("verified_vote").stdout.startswith("tiny")


@pytest.mark.parametrize(
    ("word", "near"), [("verifed_vote", "verified_vote"), ("tinny.yaml", "tiny.yaml")]
)
def test_a_mistyped_pipeline_gives_the_nearest(word: str, near: str):
    told = compiling(word)
    assert told.exit_code == 1
    assert told.stderr == (
        f"error: no file and no pipeline of the library is called '{word}'; "
        f'did you mean "{near}"?\n'
    )


def test_all_faults_are_told_at_once():
    Path("broken.yaml").write_text(BROKEN)
    told = compiling("broken.yaml")
    assert (told.exit_code, told.stdout) == (1, "")
    assert (
        told.stderr
        == """\
broken.yaml:2:1: error[unknown-key]: unknown key 'answr'
  2 | answr: number
    | ^^^^^
    = did you mean "answer"?

broken.yaml:4:11: error[unknown-operator]: unknown operator 'generat'
  4 |   a: {op: generat}
    |           ^^^^^^^
    = did you mean "generate"?

2 errors
"""
    )


def test_one_fault_is_one_error():
    Path("broken.yaml").write_text(BROKEN.replace("answr", "answer"))
    assert compiling("broken.yaml").stderr.endswith("\n\n1 error\n")


def test_faults_as_json():
    Path("broken.yaml").write_text(BROKEN)
    told = compiling("broken.yaml", "--json")
    assert (told.exit_code, told.stderr) == (1, "")
    error = json.loads(told.stdout)["error"]
    assert (error["code"], error["message"]) == ("spec", "2 faults")
    assert error["faults"][0] == {
        "file": "broken.yaml",
        "line": 2,
        "column": 1,
        "code": "unknown-key",
        "message": "unknown key 'answr'",
        "hint": 'did you mean "answer"?',
    }


def test_another_error_as_json():
    told = compiling("nothing", "--json")
    assert told.exit_code == 1
    assert json.loads(told.stdout)["error"]["code"] == "input"


def test_a_budget_too_small_is_an_error_after_the_table():
    Path("poor.yaml").write_text(TEXT.replace("calls: 4", "calls: 1"))
    told = compiling("poor.yaml")
    assert told.exit_code == 1
    assert "budget: 1 calls, too little for 2" in told.stdout
    assert told.stderr.startswith(
        "error: tiny needs at least 2 calls a question and its budget is 1"
    )


def test_a_budget_too_small_makes_no_module():
    Path("poor.yaml").write_text(TEXT.replace("calls: 4", "calls: 1"))
    told = compiling("poor.yaml", "--emit", "python", "-o", "made.py")
    assert told.exit_code == 1
    assert not Path("made.py").exists()
    told = compiling("poor.yaml", "--json")
    assert json.loads(told.stdout)["error"]["code"] == "plan-refused"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--emit", "pythn"], "no 'pythn'; did you mean \"python\"?"),
        (["--after", "prun"], "no pass 'prun'; did you mean \"prune\"?"),
        (["--after", "prune", "--json"], "exclude one another"),
        (["--emit", "dot", "--json"], "exclude one another"),
    ],
)
def test_wrong_usage(options: list[str], told: str):
    result = compiling("tiny.yaml", *options)
    assert result.exit_code == 2
    if "--json" in options:
        assert told in json.loads(result.stdout)["error"]["message"]
    else:
        assert result.stdout == ""
        assert told in result.stderr


def test_a_file_that_cannot_be_written():
    told = compiling("tiny.yaml", "-o", "no/where")
    assert (told.exit_code, told.stderr) == (1, "error: no/where: No such file or directory\n")


@pytest.mark.parametrize("given", [{}, {"NO_COLOR": "1"}])
def test_errors_have_colour_on_a_terminal_only(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert "\x1b" not in compiling("nothing").stderr
    coloured = CliRunner().invoke(cli, ["compile", "nothing"], color=True).stderr
    assert ("\x1b" in coloured) is ("NO_COLOR" not in os.environ)
