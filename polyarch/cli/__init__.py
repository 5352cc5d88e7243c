"""The command line: one command a file, loaded when it is named."""

from __future__ import annotations

import os
import sys
from copy import copy
from importlib import import_module
from io import TextIOWrapper
from keyword import iskeyword
from typing import Any, cast

import click

from .. import __version__
from ..compiler.errors import PolyarchError
from ..compiler.names import nearest
from .errors import report, report_stop, report_usage
from .exits import Exit
from .voice import OPTIONS, color

__all__ = ["COMMANDS", "cli", "main"]

COMMANDS = {
    "compile": "Check a pipeline, price it, and print the plan.",
    "run": "Answer a question, or a file of questions, with a pipeline.",
    "eval": "Evaluate pipelines on data: scores, differences, costs, and how sure they are.",
    "analyze": "Tell why scores are what they are, and what would change them.",
    "fit": "Fit weights, a threshold, a stopping value, a table or a router to known answers.",
    "search": "Search a space for the best pipeline within a budget.",
    "tune": "Find the settings with which a model is fastest on this machine.",
    "import": "Turn a configuration of Archon or optillm into a pipeline file.",
    "ops": "List the operators, or explain one.",
    "models": "List backends and the models that are known, or tell what is known of some.",
    "schema": "Print the JSON Schema of pipeline files, for editors.",
    "cache": "Show, prune or clear the cache of replies.",
    "doctor": "Tell what is installed, set and running here, and what a pipeline lacks.",
    "serve": "Serve pipelines behind an OpenAI-compatible endpoint.",
    "completion": "Print what lets a shell complete commands, options and names.",
    "serve-model": "Serve a model behind an OpenAI-compatible endpoint.",
    "trace": "Show a trace, write it as a page, or run it again without a model.",
}
"""Every command with its line of help; here, so that help imports no command."""

_EPILOG = """\
FILE is a pipeline file, or the name of a pipeline in the library. -q and -v may also stand behind a
command, and --json makes most of them answer machines. Exit codes: 0 success, 1 error, 2 wrong
usage, 130 stopped with Ctrl-C.
"""


class _Commands(click.Group):
    """A group that imports a command when it is called, and turns errors into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = copy(cast(click.Command, _module(name).command))
        command.params = [*command.params, *OPTIONS]
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            ctx.fail(f"no command {name!r}; {nearest(name, COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        # A command that cannot be parsed has no `--json` yet.
        as_json = "--json" in ctx.args[: (*ctx.args, "--").index("--")]
        try:
            return super().invoke(ctx)
        except PolyarchError as error:
            report(error, ctx)
            ctx.exit(Exit.FAILED)
        except KeyboardInterrupt:
            report_stop(ctx)
            ctx.exit(Exit.STOPPED)
        except click.UsageError as error:
            if not as_json:
                raise
            report_usage(error)
            ctx.exit(Exit.USAGE)


def _module(name: str) -> Any:
    """The module of a command: its name with underscores, and one behind a word of Python's."""
    word = name.replace("-", "_")
    return import_module(f".{word}_" if iskeyword(word) else f".{word}", __name__)


@click.group(
    cls=_Commands,
    params=list(OPTIONS),
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)
@click.version_option(__version__, prog_name="polyarch", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Compile pipelines of inference-time operators over language models, and run them."""
    ctx.color = color()


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            _make_safe(stream)
    cli(prog_name="polyarch")


def _make_safe(stream: TextIOWrapper) -> None:
    """Let a stream take any text: UTF-8 into files and pipes, what a terminal can show on one."""
    chosen = stream.isatty() or "PYTHONIOENCODING" in os.environ
    stream.reconfigure(encoding=None if chosen else "utf-8", errors="replace")
