"""Tools on the command line: what `compile` prints, what `run` wants granted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import polyarch
from polyarch.cli import cli

PIPELINE = """\
name: p
models:
  m:
    model: scripted/x
    options:
      replies:
        - {role: plan, texts: "1. leap(2024)\\n2. calculator(\\"1 + 1\\")", cycle: true}
        - {role: join, contains: "leap(year=2024) = true", texts: leap, cycle: true}
        - {role: join, texts: none, cycle: true}
answer: text
tools:
  leap: {python: "calendar:isleap", usd: 0.25}
  calculator: {builtin: calculator}
  unused: {mcp: {command: [nothing]}}
steps:
  answer: {op: tools, tools: [leap, calculator], rounds: 1, most: 2}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "p.yaml"
    path.write_text(PIPELINE)
    return str(path)


def test_compile_tells_the_tools_and_what_grants_them(file: str) -> None:
    printed = CliRunner().invoke(cli, ["compile", file]).output
    assert "tools: 0–2 calls" in printed
    assert "tool leap: python calendar:isleap, $0.25 a call, needs --allow-tool leap" in printed
    assert "tool calculator: builtin calculator, needs no grant" in printed
    assert "unused" not in printed
    told = json.loads(CliRunner().invoke(cli, ["compile", file, "--json"]).output)
    assert told["tools"]["leap"]["needs_grant"] is True
    assert told["tools"]["calculator"]["needs_grant"] is False
    assert told["total"]["tool_calls"] == {"low": 0, "high": 2}
    assert told["total"]["usd"] == {"low": 0.0, "high": 0.5}


def test_run_wants_each_tool_granted(file: str) -> None:
    refused = CliRunner().invoke(cli, ["run", "-q", file, "?"])
    assert refused.exit_code == 1
    assert isinstance(refused.exception, polyarch.PolyarchError | SystemExit)
    for grant in ("leap", "all"):
        done = CliRunner().invoke(cli, ["run", "-q", file, "?", "--allow-tool", grant])
        assert done.output == "leap\n"
    wrong = CliRunner().invoke(cli, ["run", "-q", file, "?", "--allow-tool", "lep"])
    assert wrong.exit_code == 1


def test_a_file_of_questions_takes_grants_too(file: str, tmp_path: Path) -> None:
    questions, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    questions.write_text('"a"\n"b"\n')
    command = ["run", "-q", file, "--in", str(questions), "--out", str(out), "--allow-tool", "leap"]
    assert CliRunner().invoke(cli, command).exit_code == 0
    assert len(out.read_text().splitlines()) == 2


def test_a_compiled_module_holds_its_tools_and_takes_grants(file: str, tmp_path: Path) -> None:
    module = tmp_path / "p.py"
    assert (
        CliRunner().invoke(cli, ["compile", file, "--emit", "python", "-o", str(module)]).exit_code
        == 0
    )
    held: dict[str, object] = {}
    exec(compile(module.read_text(), "p.py", "exec"), held)
    made = held["PIPELINE"]
    with pytest.raises(polyarch.PolyarchError, match="not granted"):
        made("?")  # type: ignore[operator]
    granted = made.granting(allow_tools=["leap"])  # type: ignore[attr-defined]
    assert str(granted("?")) == "leap"
    assert granted.plan.digest == polyarch.load(file).plan.digest
    granted.close()
    made.close()  # type: ignore[attr-defined]
