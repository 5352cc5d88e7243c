"""Search a space for the best pipeline within a budget."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import click

from .completing import spaces
from .errors import as_json
from .options import allow_keys, allow_unsandboxed

if TYPE_CHECKING:
    from ..compiler.space import Hole
    from ..search.display import Display
    from ..search.found import Found
    from ..search.search import Work
    from ..search.trial import Trial

__all__ = ["command"]

_BUDGET = ("calls", "tokens", "usd", "minutes")


@click.command("search")
@click.argument("space", shell_complete=spaces)
@click.option("--data", metavar="DATA", help="Questions: a file, a folder, hf:NAME, embedded:300.")
@click.option("--budget", metavar="UNIT=LIMIT,…", help="For all: calls, tokens, usd, minutes.")
@click.option("--metric", metavar="NAME", help="What scores answers; the data's own if left out.")
@click.option("--minus", metavar="UNIT=WORTH,…", help="What a call, token, … costs of the score.")
@click.option("--least", metavar="UNIT", multiple=True, help="A cost as an objective of its own.")
@click.option(
    "--at-most",
    metavar="UNIT=LIMIT,…|default",
    help="What a question may cost on average; default: what the space's first point costs.",
)
@click.option("--strategy", metavar="NAME", help="Who decides what to try. [default: frugal]")
@click.option("--argument", metavar="NAME=VALUE", multiple=True, help="Of the strategy.")
@click.option("--trials", type=click.IntRange(min=1), help="The most points tried.")
@click.option("--workers", type=click.IntRange(min=1), default=1, help="Points tried at once.")
@click.option("--study", default="", metavar="NAME|URL", help="The study, or its database.")
@click.option("--out", metavar="FOLDER", help="Where results go. [default: NAME-search]")
@click.option("--seed", type=int, help="Decides every random choice. [default: 0]")
@click.option("--confirm", type=click.IntRange(min=1), help="Questions to confirm the best with.")
@click.option("--test", type=click.IntRange(min=0), help="Locked questions to report on; 0: none.")
@click.option(
    "--guard", is_flag=True, help="Hold questions back, to tell how far the others were fitted."
)
@click.option("--start", metavar="FILE", multiple=True, help="A pipeline that is tried first.")
@click.option("--after", metavar="FOLDER", multiple=True, help="An earlier search to go on from.")
@click.option("--memory", metavar="FILE|URL", help="Tasks searched before: start from the nearest.")
@click.option("--pruner", type=click.Choice(["flip", "wilcoxon"]), default="flip")
@click.option("--optuna", metavar="FILE|URL", help="Also write an Optuna study, for its dashboard.")
@allow_keys
@allow_unsandboxed
@click.option("--json", is_flag=True, callback=as_json, help="The outcome, or errors, as JSON.")
def command(
    space: str,
    data: str | None,
    budget: str | None,
    metric: str | None,
    minus: str | None,
    least: tuple[str, ...],
    at_most: str | None,
    strategy: str | None,
    argument: tuple[str, ...],
    trials: int | None,
    workers: int,
    study: str,
    out: str | None,
    seed: int | None,
    confirm: int | None,
    test: int | None,
    guard: bool,
    start: tuple[str, ...],
    after: tuple[str, ...],
    memory: str | None,
    pruner: str,
    optuna: str | None,
    keys: tuple[str, ...],
    allow_unsandboxed: bool,
    json: bool,
) -> None:
    """Search a space for the best pipeline within a budget.

    SPACE is a pipeline file with holes, or the name of one in the library. Half of the data
    decides, the other half is opened once, to report on the winner. Ctrl-C ends the search with the
    best so far; the same command goes on with it, as it does after any interruption, and pays for
    no reply that had arrived. Several processes may work on one study.
    """
    from ..compiler.space import open_space
    from ..search.call import search
    from ..search.display import Display
    from .files import pipeline_file
    from .voice import quiet

    opened = open_space(pipeline_file(space))
    limits = _numbers(budget, "--budget", _BUDGET)
    display = Display()
    with _shown(display, quiet() or json):
        found = search(
            opened,
            data,
            calls=_whole(limits.get("calls")),
            tokens=_whole(limits.get("tokens")),
            usd=limits.get("usd"),
            minutes=limits.get("minutes"),
            metric=metric,
            minus=_numbers(minus, "--minus"),
            least=least,
            at_most=at_most if at_most == "default" else _numbers(at_most, "--at-most"),
            strategy=strategy,
            arguments=dict(_argument(one) for one in argument),
            trials=trials,
            workers=workers,
            study=study,
            out=out,
            seed=seed,
            confirm=confirm,
            test=test,
            pruner=pruner,
            guard=guard or None,
            start=start,
            after=after,
            memory=memory,
            keys=keys,
            allow_unsandboxed=allow_unsandboxed,
            watch=_watch(display, optuna, opened.name, opened.holes),
        )
    _tell(found, json)


def _tell(found: Found, as_json: bool) -> None:
    from json import dumps

    from ..search.output import figures, record

    if as_json:
        click.echo(dumps(record(found), ensure_ascii=False))
        return
    for name, value in found.told:
        click.echo(f"{name}: {value}")
    click.echo()
    for line in figures(found):
        click.echo(line)
    click.echo(f"\nwritten: {found.out}/best.yaml, report.html, search.json")


def _watch(
    display: Display, optuna: str | None, name: str, holes: tuple[Hole, ...]
) -> Callable[[Trial, Work], None]:
    """Who is told of every step of a trial: the display, and the study of Optuna's if one is
    wanted."""
    if optuna is None:
        return display
    from ..search.strategy.sampled import Mirror

    mirrors: list[Mirror] = []

    def told(trial: Trial, work: Work) -> None:
        display(trial, work)
        if not mirrors:
            mirrors.append(Mirror(optuna, name, holes, work.wanted.aims))
        mirrors[0](trial)

    return told


def _shown(display: Display, quiet: bool) -> AbstractContextManager[object]:
    if quiet or not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console
    from rich.live import Live

    console = Console(file=sys.stderr)
    return Live(display, console=console, transient=True, refresh_per_second=2)


def _numbers(
    text: str | None, option: str, units: tuple[str, ...] | None = None
) -> Mapping[str, float]:
    from ..compiler.names import nearest
    from ..search.aim import UNITS

    known: tuple[str, ...] = units or UNITS
    made: dict[str, float] = {}
    for part in (text or "").split(",") if text else ():
        unit, _, limit = part.strip().partition("=")
        try:
            made[unit] = float(limit.replace("_", ""))
        except ValueError:
            made[unit] = -1.0
        if unit not in known or not made[unit] > 0:
            hint = nearest(unit, known)
            told = f"{part!r} is not UNIT=NUMBER with a number above 0; {hint}"
            raise click.BadParameter(told, param_hint=option)
    return made


def _whole(limit: float | None) -> int | None:
    return None if limit is None else int(limit)


def _argument(told: str) -> tuple[str, object]:
    from json import loads

    name, _, value = told.partition("=")
    try:
        return name, loads(value)
    except ValueError:
        return name, value
