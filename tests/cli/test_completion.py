"""Completion, in the shells themselves: what they offer after a word and a key press."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from polyarch.cli import COMMANDS, cli
from polyarch.pipelines import names

ROOT = Path(__file__).parents[2]

_BASH = """
source {script}
COMP_WORDS=({words} "{last}")
COMP_CWORD={count}
compopt() {{ printf 'compopt %s %s\n' "$@"; }}
_polyarch_completion polyarch
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A machine whose PATH has `polyarch`, as an installation would put it there."""
    program = tmp_path / "bin" / "polyarch"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom polyarch.cli import main\nmain()\n")
    program.chmod(0o755)
    path = f"{program.parent}:/usr/bin:/bin"
    return {"PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "TERM": "dumb"}


def script(shell: str, folder: Path) -> Path:
    """What `polyarch completion` prints, in a file."""
    told = CliRunner().invoke(cli, ["completion", shell])
    assert told.exit_code == 0
    path = folder / f"complete.{shell}"
    path.write_text(told.stdout)
    return path


def bash(env: dict[str, str], folder: Path, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    code = _BASH.format(
        script=script("bash", folder),
        words=" ".join(("polyarch", *words[:-1])),
        last=words[-1],
        count=len(words),
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", code], env=env, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split("\n")[:-1]


def test_bash_completes_commands(env: dict[str, str], tmp_path: Path) -> None:
    assert bash(env, tmp_path, "comp") == ["compile", "completion"]
    assert bash(env, tmp_path, "-v", "doc") == ["doctor"]
    assert set(bash(env, tmp_path, "")) == set(COMMANDS)


def test_bash_completes_options_operators_and_passes(env: dict[str, str], tmp_path: Path) -> None:
    assert bash(env, tmp_path, "run", "--ca") == ["--cache"]
    assert bash(env, tmp_path, "run", "--qu") == ["--quiet"]
    assert bash(env, tmp_path, "ops", "crit") == ["critique", "critique_all"]
    assert bash(env, tmp_path, "compile", "single", "--after", "co") == ["coalesce"]
    assert bash(env, tmp_path, "import", "a") == ["archon"]


def test_bash_completes_pipelines_and_falls_back_on_files(
    env: dict[str, str], tmp_path: Path
) -> None:
    files, *found = bash(env, tmp_path, "run", "self_")
    assert files == "compopt -o default"
    assert found == [name for name in names() if name.startswith("self_")]
    assert bash(env, tmp_path, "eval", "single", "./x") == ["compopt -o default", ""]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh here")
def test_zsh_completes(env: dict[str, str], tmp_path: Path) -> None:
    code = (
        "autoload -U compinit && compinit -u -D\n"
        f"source {script('zsh', tmp_path)}\n"
        "print registered ${_comps[polyarch]}\n"
        'compadd() { print -l -- "${(@P)@[-1]}" }\n'
        'words=(polyarch ops crit) CURRENT=3\n'
        "_polyarch_completion\n"
    )  # fmt: skip
    done = subprocess.run(
        ["zsh", "-f", "-c", code], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == [
        "registered", "_polyarch_completion", "critique", "critique_all",
    ], done.stderr  # fmt: skip


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish here")
def test_fish_completes(env: dict[str, str], tmp_path: Path) -> None:
    code = f"source {script('fish', tmp_path)}; complete -C 'polyarch ops crit'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", code], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["critique", "critique_all"], done.stderr


def test_another_shell_is_wrong_usage() -> None:
    told = CliRunner().invoke(cli, ["completion", "tcsh"])
    assert told.exit_code == 2
    assert "'bash', 'zsh', 'fish'" in told.stderr


def test_completion_is_quick(env: dict[str, str]) -> None:
    """It imports no command but the one that is completed, and nothing heavy."""
    code = (
        "import sys\n"
        "from polyarch.cli import cli\n"
        "from click.shell_completion import ShellComplete\n"
        "print(len(ShellComplete(cli, {}, 'polyarch', 'X').get_completions(['run'], '--')))\n"
        "print(*sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=True,
    )
    count, modules = done.stdout.split("\n")[:2]
    assert int(count) > 10
    assert not {"pydantic", "networkx", "yaml", "rich", "numpy"} & set(modules.split())
