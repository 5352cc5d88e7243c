"""Find the settings with which a model is fastest on this machine."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from .completing import files
from .errors import as_json
from .options import allow_keys
from .voice import aside

if TYPE_CHECKING:
    from ..search.tuning.study import Tuned

__all__ = ["command"]


@click.command("tune")
@click.argument("what", metavar="FILE|BACKEND/MODEL", shell_complete=files)
@click.option("--model", metavar="NAME", help="Which model of FILE is tuned.")
@click.option("--option", "options", metavar="NAME=VALUE", multiple=True, help="Of BACKEND/MODEL.")
@click.option(
    "--try",
    "tries",
    metavar="NAME=VALUE,VALUE,…",
    multiple=True,
    help="An option and values to try, the backend's own if left out.",
)
@click.option("--data", default="embedded:65", show_default=True, help="Questions, as for search.")
@click.option("--questions", type=click.IntRange(min=2), default=65, show_default=True)
@click.option("--draws", type=click.IntRange(min=1), default=8, show_default=True)
@click.option("--concurrency", type=click.IntRange(min=1), default=16, show_default=True)
@click.option("--trials", type=click.IntRange(min=1), default=64, show_default=True)
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Begin none after.")
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--strategy", default="tpe", show_default=True, help="Where not all are measured.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", default="profile.json", show_default=True, metavar="JSON")
@allow_keys
@click.option("--json", is_flag=True, callback=as_json, help="The outcome, or errors, as JSON.")
def command(
    what: str,
    options: tuple[str, ...],
    tries: tuple[str, ...],
    json: bool,
    **given: Any,
) -> None:
    """Find the settings with which a model is fastest on this machine.

    Every measurement is a process of its own that answers --questions, --concurrency at once, and
    counts the completion tokens of a second. Small spaces are measured whole. The fastest settings
    are then measured again, in turn with the options as they are. The profile in --out is for
    `profile:` of a model in pipelines beside it; measurements are kept next to it, and the same
    command goes on with them.
    """
    from ..search.tuning.call import tune

    def watch(values: Mapping[str, Any], told: float | str) -> None:
        if not json:
            said = told if isinstance(told, str) else f"{told:,.0f} tokens/s"
            aside(f"{_line(values)}: {said}")

    found = tune(
        what,
        options={name: _value(value) for name, value in map(_pair, options)},
        tries={n: [_value(v) for v in told.split(",")] for n, told in map(_pair, tries)} or None,
        watch=watch,
        **given,
    )
    _tell(found, str(given["out"]), json)


def _tell(found: Tuned, out: str, as_json: bool) -> None:
    profile = found.profile
    if as_json:
        sys.stdout.write(profile.model_dump_json() + "\n")
        return
    variables = {f"env.{name}": value for name, value in profile.environment.items()}
    if not profile.options and not profile.environment:
        click.echo("nothing that was tried is faster than the options as they are")
    for name, value in {**profile.options, **variables}.items():
        click.echo(f"{name}: {value}")
    rate, plain, ratio = profile.rate, profile.plain, profile.ratio
    times = f"{ratio.median:.2f} times as fast ({ratio.least:.2f} to {ratio.most:.2f} in turn)"
    click.echo(f"\n{rate.median:,.0f} tokens/s, {plain.median:,.0f} as it was: {times}")
    count = f"{profile.measured} settings measured, {len(found.failed)} did not work"
    click.echo(f"{count}; {found.why}")
    click.echo(f"\nwritten: {out}")


def _line(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _pair(told: str) -> tuple[str, str]:
    name, sign, value = told.partition("=")
    if not name or not sign or not value:
        raise click.BadParameter(f"{told!r} is not NAME=VALUE")
    return name, value


def _value(told: str) -> Any:
    from json import loads

    try:
        return loads(told)
    except ValueError:
        return told
