"""List backends and the models that are known, or tell what is known of some."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from .errors import as_json

if TYPE_CHECKING:
    from ..compiler.model import Price
    from .known import Known, Offer

__all__ = ["command"]


@click.command("models")
@click.argument("name", required=False)
@click.option("--json", is_flag=True, callback=as_json, help="Tell it, or errors, as JSON.")
def command(name: str | None, json: bool) -> None:
    """List backends and the models that are known, or tell what is known of some.

    NAME is a model as a pipeline names it, such as embedded/abacus or openai/gpt-4o, or part of a
    name: then all models are listed that are known by such a name. Prices are in dollars per
    million tokens, of litellm's table where litellm is installed; shapes are those that come with
    polyarch. A backend takes other models, too. Nothing is asked of any model.
    """
    from ..compiler.errors import InputError
    from ..compiler.registry import backend_names
    from .known import backends, one, some

    if name is None:
        offered = list(backends())
        click.echo(jsonlib.dumps([asdict(it) for it in offered]) if json else _backends(offered))
        return
    exact = name.partition("/")[0] in backend_names() and not name.endswith("/")
    found = [one(name)] if exact and "/" in name else list(some(name))
    if not found:
        raise InputError(f"no model is known with {name!r} in its name; backends take others, too")
    if json:
        click.echo(jsonlib.dumps([asdict(model) for model in found]))
    else:
        click.echo("\n".join(_explained(found[0]) if len(found) == 1 else _listed(found)))


def _backends(offered: Sequence[Offer]) -> str:
    return "\n\n".join("\n".join(_backend(each)) for each in offered)


def _backend(each: Offer) -> Iterator[str]:
    yield f"{each.name}: {each.about}"
    if each.lacks:
        yield f"  missing: {each.lacks}"
    plain = [name for name, how in each.offers.items() if not how]
    if plain:
        yield f"  offers {', '.join(plain)}"
    ways: dict[str, list[str]] = {}
    for name, how in each.offers.items():
        if how:
            ways.setdefault(how, []).append(name)
    for how, names in ways.items():
        yield f"  {', '.join(names)}: {how}"


def _explained(model: Known) -> Iterator[str]:
    yield model.model
    for name, value in (
        ("context", _count(model.context)),
        ("completion", _count(model.max_tokens)),
        ("price", _price(model.price)),
        ("parameters", _billions(model.billions)),
        ("offers", ", ".join(model.offers)),
    ):
        if value:
            yield f"  {name:<10}  {value}"


def _listed(found: Sequence[Known]) -> Iterator[str]:
    head = ("model", "context", "parameters", "prompt", "completion")
    rows = [head, *(_row(model) for model in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        yield "  ".join((first.ljust(widths[0]), *cells))


def _row(model: Known) -> tuple[str, ...]:
    price = model.price
    dollars = ("", "") if price is None else (f"${price.prompt:g}", f"${price.completion:g}")
    size = "" if model.billions is None else f"{model.billions:.3g} B"
    return (model.model, f"{model.context:,}" if model.context else "", size, *dollars)


def _count(tokens: int | None) -> str:
    return "" if tokens is None else f"{tokens:,} tokens"


def _billions(size: float | None) -> str:
    return "" if size is None else f"{size:.3g} billion"


def _price(price: Price | None) -> str:
    if price is None:
        return "not known"
    if not (price.prompt or price.completion):
        return "free"
    cached = "" if price.cached is None else f", {price.cached:g} for what is cached"
    return f"${price.prompt:g} for a million tokens of prompt{cached}, {price.completion:g} out"
