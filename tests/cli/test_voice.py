"""What every command has in common: exit codes, errors as JSON, -q and -v, colours."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from polyarch.cli import COMMANDS, cli
from polyarch.cli.exits import Exit

ROOT = Path(__file__).parents[2]
POLYARCH = [sys.executable, "-c", "from polyarch.cli import main; main()"]

SLOW = """\
name: slow
models: {m: {model: scripted/m, options: {latency: 60, replies: [{texts: "4"}]}}}
steps: {a: {op: generate}}
"""
WRONG = "name: wrong\nmodels: {m: embedded/abacus}\nsteps:\n  a: {op: generat}\n"


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POLYARCH_CACHE", str(tmp_path / "replies.sqlite"))
    Path("slow.yaml").write_text(SLOW)
    Path("wrong.yaml").write_text(WRONG)
    Path("config.json").write_text(
        json.dumps(
            {"layers": [[{"type": "generator", "model": "m", "model_type": "vLLM", "branches": 2}]]}
        )
    )


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def error(*arguments: str) -> dict[str, Any]:
    """The error that a command ends with, as JSON."""
    told: dict[str, Any] = json.loads(run(*arguments, "--json").stdout)
    assert list(told) == ["error"]
    inner: dict[str, Any] = told["error"]
    assert set(inner) == {"code", "message", "file", "line", "column", "hint", "faults"}
    return inner


def on_a_terminal(*arguments: str, env: Mapping[str, str] | None = None) -> bytes:
    """All that a command writes where its streams are a terminal."""
    ours, theirs = pty.openpty()
    whole = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **(env or {})}
    with subprocess.Popen(
        [*POLYARCH, *arguments], stdout=theirs, stderr=theirs, stdin=theirs, env=whole
    ) as process:
        os.close(theirs)
        told = b""
        try:
            while part := os.read(ours, 65536):
                told += part
        except OSError:  # the terminal is gone with the process
            pass
        os.close(ours)
        assert process.wait(timeout=60) == Exit.FAILED
    return told


def test_success_is_zero() -> None:
    assert run("compile", "single").exit_code == Exit.DONE


@pytest.mark.parametrize(
    "arguments",
    [
        ["compile", "wrong.yaml"],
        ["compile", "none.yaml"],
        ["run", "wrong.yaml", "q"],
        ["run", "single", "--in", "none.jsonl"],
        ["eval", "single", "--data", "none.jsonl"],
        ["analyze", "none.jsonl", "--of", "coverage"],
        ["fit", "wrong.yaml", "--data", "none.jsonl", "--out", "o.json"],
        ["search", "none.yaml"],
        ["import", "archon", "none.json"],
        ["ops", "nope"],
        ["models", "no-such-thing"],
        ["doctor", "wrong.yaml"],
        ["trace", "none.jsonl"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_an_error_is_one_and_told_to_people_and_to_machines(arguments: list[str]) -> None:
    told = run(*arguments)
    assert (told.exit_code, told.stdout) == (Exit.FAILED, "")
    assert told.stderr
    assert "Traceback" not in told.stderr
    asked = run(*arguments, "--json")
    assert (asked.exit_code, asked.stderr) == (Exit.FAILED, "")
    assert error(*arguments)["message"]


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"completion", "schema", "serve-model"}))
def test_wrong_usage_is_two_and_told_to_people_and_to_machines(name: str) -> None:
    told = run(name, "--no-such-option")
    assert (told.exit_code, told.stdout) == (Exit.USAGE, "")
    assert "--no-such-option" in told.stderr
    asked = run(name, "--no-such-option", "--json")
    assert (asked.exit_code, asked.stderr) == (Exit.USAGE, "")
    inner = error(name, "--no-such-option")
    assert inner["code"] == "usage"
    assert "--no-such-option" in inner["message"]


def test_json_behind_a_dash_dash_is_a_question() -> None:
    told = run("run", "single", "a", "b", "--", "--json")
    assert told.exit_code == Exit.USAGE
    assert "Usage:" in told.stderr


@pytest.mark.parametrize("json_too", [False, True], ids=["people", "machines"])
def test_ctrl_c_is_130(json_too: bool) -> None:
    arguments = ["run", "slow.yaml", "q", *(["--json"] if json_too else [])]
    with subprocess.Popen(
        [*POLYARCH, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        time.sleep(2.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == Exit.STOPPED, err
    if json_too:
        assert json.loads(out)["error"]["code"] == "stopped"
    else:
        assert (out, err) == ("", "stopped\n")


def test_a_fault_has_its_place_for_machines() -> None:
    told = error("compile", "wrong.yaml")
    assert told["code"] == "spec"
    assert told["message"] == "1 fault"
    assert (Path(told["file"]).name, told["line"], told["column"]) == ("wrong.yaml", 4, 11)
    assert told["hint"] == 'did you mean "generate"?'
    (fault,) = told["faults"]
    assert fault["code"] == "unknown-operator"
    assert fault["message"] == "unknown operator 'generat'"


def test_a_line_of_data_has_its_place_for_machines() -> None:
    Path("q.jsonl").write_text('{"question": "q"}\nnot json\n')
    told = error("run", "single", "--in", "q.jsonl", "--out", "a.jsonl")
    assert (told["code"], told["file"], told["line"]) == ("input", "q.jsonl", 2)
    Path("latin.json").write_bytes(b'{\n"name": "\xe9"}')
    told = error("import", "archon", "latin.json")
    assert (told["file"], told["line"]) == ("latin.json", 2)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_may_be_quiet_or_verbose(name: str) -> None:
    told = " ".join(run(name, "--help").stdout.split())
    assert told.count("-q, --quiet Results and errors alone") == 1
    assert told.count("-v, --verbose Say more") == 1


@pytest.mark.parametrize("before", [True, False], ids=["before", "behind"])
def test_quiet_says_nothing_beside_the_result(before: bool) -> None:
    loud = run("import", "archon", "config.json")
    assert "note: " in loud.stderr
    arguments = ["import", "archon", "config.json"]
    quiet = run(*(["-q", *arguments] if before else [*arguments, "-q"]))
    assert (quiet.exit_code, quiet.stderr) == (0, "")
    assert quiet.stdout == loud.stdout


@pytest.mark.parametrize("before", [True, False], ids=["before", "behind"])
def test_verbose_says_where_an_error_was_raised_and_which_file_was_meant(before: bool) -> None:
    arguments = ["ops", "nope"]
    told = run(*(["-v", *arguments] if before else [*arguments, "-v"]))
    assert told.exit_code == Exit.FAILED
    assert "Traceback" in told.stderr
    assert told.stderr.splitlines()[-1].startswith("error: no operator 'nope'")
    assert "single.yaml" in run("-v", "compile", "single").stderr
    assert run("compile", "single").stderr == ""


def test_a_question_s_details_are_there_for_the_asking() -> None:
    question = "Ann has 3 pens. Ann finds 4 more. How many pens does Ann have?"
    assert "usage: 1 calls" in run("-v", "run", "single", question).stdout
    assert "usage" not in run("run", "single", question).stdout


def test_quiet_and_verbose_are_what_they_are_alone() -> None:
    """A second command in one process does not remember the first."""
    assert run("-q", "import", "archon", "config.json").stderr == ""
    assert run("import", "archon", "config.json").stderr != ""


def test_colours_are_for_terminals_and_for_those_who_want_them() -> None:
    colour = b"\x1b[31m"
    assert colour in on_a_terminal("ops", "nope")
    assert b"\x1b[" not in on_a_terminal("ops", "nope", env={"NO_COLOR": "1"})
    assert colour in on_a_terminal("ops", "nope", env={"NO_COLOR": ""})
    piped = subprocess.run(
        [*POLYARCH, "ops", "nope"], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True
    )
    assert b"\x1b[" not in piped.stderr


def test_what_is_fitted_and_imported_is_there_for_machines() -> None:
    told = json.loads(run("import", "archon", "config.json", "--json", "-o", "p.yaml").stdout)
    assert told["out"] == "p.yaml"
    assert Path("p.yaml").read_text() == told["text"]
    assert told["notes"][0].startswith("layers[0][0]: branches is left out")
    listed = json.loads(run("ops", "--json").stdout)
    assert {"name": "vote", "summary": "Let the candidates' answers vote."}.items() <= next(
        one for one in listed if one["name"] == "vote"
    ).items()
    (weight,) = (
        one
        for one in json.loads(run("ops", "vote", "--json").stdout)["arguments"]
        if one["name"] == "weight"
    )
    assert weight["about"].startswith("The score that a vote counts")
    assert not weight["required"]
