"""The command as such: help, start-up, unknown commands."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import polyarch
from polyarch.cli import COMMANDS, cli


def polyarch_imports(*arguments: str) -> set[str]:
    """The modules that are there after the command ran in a process of its own."""
    code = (
        "import json, sys\n"
        "from polyarch.cli import cli\n"
        f"cli({list(arguments)!r}, standalone_mode=False, prog_name='polyarch')\n"
        "print(chr(0) + json.dumps(sorted(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(told.stdout.split("\0")[1]))


def module(name: str) -> str:
    """The module of a command."""
    return "import_" if name == "import" else name.replace("-", "_")


def test_help_imports_no_command_and_nothing_heavy():
    modules = polyarch_imports("--help")
    assert not {f"polyarch.cli.{module(name)}" for name in COMMANDS} & modules
    heavy = {"pydantic", "networkx", "yaml", "rich", "numpy", "asyncio", "tokenizers"}
    assert not heavy & modules
    ours = {m for m in modules if m.startswith("polyarch.")}
    assert ours == {
        "polyarch.cli", "polyarch.cli.errors", "polyarch.cli.exits", "polyarch.cli.voice",
        "polyarch.compiler", "polyarch.compiler.errors", "polyarch.compiler.names",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["run", "compile", "serve-model"])
def test_help_of_a_command_imports_nothing_heavy(name: str):
    modules = polyarch_imports(name, "--help")
    assert not {"pydantic", "networkx", "yaml", "rich", "numpy", "asyncio", "starlette"} & modules


@pytest.mark.parametrize("name", COMMANDS)
def test_a_line_of_help_is_the_first_line_of_its_command(name: str):
    command = importlib.import_module(f"polyarch.cli.{module(name)}").command
    assert command.name == name
    assert command.help.splitlines()[0] == COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str):
    told = CliRunner().invoke(cli, [name, "--help"])
    assert told.exit_code == 0
    assert COMMANDS[name] in " ".join(told.output.split())


def test_help_tells_commands_and_exit_codes():
    told = CliRunner().invoke(cli, ["--help"])
    assert told.exit_code == 0
    for line in (*COMMANDS.values(), "130 stopped"):
        assert line in " ".join(told.output.split())


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, "1–512".encode()),
        ({"PYTHONIOENCODING": "latin-1"}, b"1?512"),
    ],
    ids=["a pipe is UTF-8", "unless told otherwise"],
)
def test_any_encoding_of_the_output_will_do(given: dict[str, str], shown: bytes):
    told = subprocess.run(
        [sys.executable, "-c", "from polyarch.cli import main; main()", "compile", "single"],
        capture_output=True,
        env={"PYTHONPATH": str(Path(polyarch.__file__).parents[1]), **given},
    )
    assert (told.returncode, told.stderr) == (0, b"")
    assert shown in told.stdout


def test_version():
    told = CliRunner().invoke(cli, ["--version"])
    assert (told.exit_code, told.output) == (0, f"polyarch {polyarch.__version__}\n")


def test_a_mistyped_command_gives_the_nearest():
    told = CliRunner().invoke(cli, ["compil"])
    assert told.exit_code == 2
    assert "no command 'compil'; did you mean \"compile\"?" in told.stderr


def test_a_wrong_option_is_wrong_usage():
    told = CliRunner().invoke(cli, ["run", "--sed", "1"])
    assert told.exit_code == 2
    assert "--seed" in told.stderr
