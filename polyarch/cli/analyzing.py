"""What `polyarch analyze` does; apart from it, so that its help imports none of this."""

from __future__ import annotations

import json as jsonlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import click

from ..compiler.errors import InputError
from ..compiler.names import nearest
from ..evaluation.analysis.abstention import abstention
from ..evaluation.analysis.confidence import Sure, by_score, by_votes
from ..evaluation.analysis.cost import fit_ideal_time, worth
from ..evaluation.analysis.coverage import coverage
from ..evaluation.analysis.decided import decided
from ..evaluation.analysis.diversity import diversity
from ..evaluation.analysis.draws import Draws, gathered
from ..evaluation.analysis.forecast import forecast
from ..evaluation.analysis.judgements import read_judgements
from ..evaluation.analysis.judges import agreement, judge
from ..evaluation.analysis.models import answers_of, errors
from ..evaluation.analysis.resampling import resampling
from ..evaluation.analysis.saturation import saturation
from ..evaluation.analysis.selective import selective
from ..evaluation.analysis.source import read_draws, read_results
from ..evaluation.analysis.split import split, verdicts_of
from ..evaluation.analysis.subsets import ensembles
from ..evaluation.analysis.timing import read_calls
from ..evaluation.analysis.verifier import verifier
from ..evaluation.metrics.calibration import calibration
from ..evaluation.outfile import is_records, read_out
from ..evaluation.report.summary import summary
from .attributing import Again, failures, probes, steps
from .findings import plain, tables

__all__ = ["Ask", "analyze"]

_PIPED = 160
"""Columns where there is no terminal to ask."""

_PENALTIES = (0.0, 1.0, 20.0)
"""Prices of a wrong answer: none, as much as a right one is worth, and where errors are grave."""

_MORE = 10
"""How many times the draws there are a forecast reaches, unless told."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is to be told, and of what."""

    where: str
    study: str
    sources: tuple[str, ...]
    score: str | None
    fit_on: int | None
    at: int | None
    tolerance: float
    threshold: float | None
    penalty: float
    cost: float
    risk: float
    size: int
    votes: int
    ratio: float
    rule: Literal["weighted", "best"]
    again: Again


def analyze(ask: Ask, *, json: bool) -> None:
    """Analyse and print. Raises `InputError` for what cannot be analysed."""
    try:
        found = [(name, result) for name, result in _STUDIES[ask.study](ask)]
    except ValueError as error:
        raise InputError(f"{ask.where}: {error}") from error
    if json:
        told = [{"source": name, "kind": _kind(one), **plain(one)} for name, one in found]
        click.echo(jsonlib.dumps({"of": ask.study, "found": told}, ensure_ascii=False))
        return
    from rich.console import Console

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _PIPED)
    for title, table in tables(found):
        console.print(f"[bold]{title}[/bold]", highlight=False)
        console.print(table, highlight=False)
        console.print()
    for name, one in found:
        if stopped := getattr(one, "stopped", ""):
            console.print(f"{name} stopped early: {stopped}", highlight=False, markup=False)
    for line in dict.fromkeys(line for _, one in found for line in getattr(one, "assumes", ())):
        console.print(f"assumes: {line}", highlight=False, markup=False)


def _kind(result: object) -> str:
    return type(result).__name__.lower()


def _of(ask: Ask, found: Mapping[str, Any]) -> list[str]:
    """The sources asked for; all, unless any is. Raises `InputError` for one that is not there."""
    for name in ask.sources:
        if name not in found:
            raise InputError(f"{ask.where} holds no {name!r}; {nearest(name, list(found))}")
    return list(ask.sources or found)


def _draws(ask: Ask) -> list[Draws]:
    found = {own.source: own for own in gathered(read_draws(Path(ask.where)))}
    return [found[name] for name in _of(ask, found)]


def _coverage(ask: Ask) -> Iterator[tuple[str, object]]:
    for own in _draws(ask):
        yield own.source, coverage(own.hits, own.counts)
        least = min(own.counts)
        fit_on = ask.fit_on or least // 4
        right = [each.tolist() for each in own.right]
        if fit_on >= 2 and fit_on < least:
            yield own.source, forecast(right, fit_on=fit_on, k=least)
        if least >= 2:
            yield own.source, forecast(right, fit_on=least, k=ask.at or _MORE * least)


def _saturation(ask: Ask) -> Iterator[tuple[str, object]]:
    for own in _draws(ask):
        yield own.source, saturation(own, tolerance=ask.tolerance)


def _diversity(ask: Ask) -> Iterator[tuple[str, object]]:
    for own in _draws(ask):
        yield own.source, diversity(own)


def _verifier(ask: Ask) -> Iterator[tuple[str, object]]:
    for own in _draws(ask):
        for name in _scores(ask, own):
            told = verifier(own.scores[name], own.right, threshold=ask.threshold)
            label = f"{own.source}: {name}"
            yield label, told
            if told.true_positive is not None and told.false_positive is not None:
                chances = [hits / count for hits, count in zip(own.hits, own.counts, strict=True)]
                yield (
                    label,
                    resampling(
                        chances,
                        true_positive=told.true_positive.estimate,
                        false_positive=told.false_positive.estimate,
                        penalty=ask.penalty,
                    ),
                )


def _scores(ask: Ask, own: Draws) -> list[str]:
    if not own.scores:
        raise InputError(f"the draws of {own.source} have no scores")
    if ask.score is not None and ask.score not in own.scores:
        raise InputError(
            f"the draws of {own.source} have no score {ask.score!r}; "
            f"{nearest(ask.score, list(own.scores))}"
        )
    return [ask.score] if ask.score is not None else list(own.scores)


def _selective(ask: Ask) -> Iterator[tuple[str, object]]:
    found = {own.source: own for own in gathered(read_results(Path(ask.where)))}
    for source in _of(ask, found):
        for name, sure in _sure(ask, found[source]):
            label = f"{source}: {name}"
            yield label, selective(sure.confidence, sure.right, risk=ask.risk)
            if sure.confidence.min() >= 0 and sure.confidence.max() <= 1:
                yield label, calibration(sure.confidence.tolist(), sure.right.tolist())


def _sure(ask: Ask, own: Draws) -> Iterator[tuple[str, Sure]]:
    if ask.score is not None or own.scores:
        for name in _scores(ask, own):
            yield name, by_score(own, name)
    elif max(own.counts) > 1:
        yield "share of the votes", by_votes(own)
    else:
        raise InputError(f"{own.source} has one draw of a question, without a score to be sure by")


def _abstention(ask: Ask) -> Iterator[tuple[str, object]]:
    penalties = dict.fromkeys((*_PENALTIES, ask.penalty))
    for own in _draws(ask):
        names: list[str | None] = [None] if ask.score is None else []
        if ask.score is not None or own.scores:
            names += _scores(ask, own)
        for name in names:
            told = abstention(decided(own, name), penalties=tuple(penalties), cost=ask.cost)
            yield f"{own.source}: {name or 'share of the votes'}", told


def _judges(ask: Ask) -> Iterator[tuple[str, object]]:
    verdicts, pairs = read_judgements(Path(ask.where))
    names = _of(ask, dict.fromkeys(verdict.judge for verdict in verdicts))
    for name in names:
        yield name, judge([verdict for verdict in verdicts if verdict.judge == name], pairs)
    if len(names) > 1:
        yield "all judges", agreement(verdict for verdict in verdicts if verdict.judge in names)


def _models(ask: Ask) -> Iterator[tuple[str, object]]:
    draws = read_draws(Path(ask.where), by_model=True)
    names = _of(ask, dict.fromkeys(draw.source for draw in draws))
    answers = answers_of(draw for draw in draws if draw.source in names)
    yield "all models", errors(answers)
    for rule in ("plurality", "oracle"):
        yield rule, ensembles(answers, min(ask.size, len(answers.models)), rule=rule)


def _split(ask: Ask) -> Iterator[tuple[str, object]]:
    for own in _draws(ask):
        for name in _scores(ask, own):
            accepted = [verdicts_of(scores, ask.votes) for scores in own.scores[name]]
            told = split(own.right, own.groups, accepted, ask.votes, ratio=ask.ratio, rule=ask.rule)
            yield f"{own.source}: {name}", told


def _cost(ask: Ask) -> Iterator[tuple[str, object]]:
    if is_records(Path(ask.where)):
        yield from _worth(ask)
        return
    found = {calls.model: calls for calls in read_calls(Path(ask.where))}
    names, unfit = _of(ask, found), ""
    for name in names:
        own = found[name]
        try:
            yield name, fit_ideal_time(own.seconds, own.prompt, own.completion)
        except ValueError as error:
            unfit = f"{name}: {error}"
            click.echo(unfit, err=True)
            names = [other for other in names if other != name]
    if not names:
        raise InputError(f"{ask.where}: of no model can the seconds of a call be told; {unfit}")


def _worth(ask: Ask) -> Iterator[tuple[str, object]]:
    """Every pipeline beside the first."""
    records = read_out(Path(ask.where))[1]
    pipelines = dict.fromkeys(record.pipeline for record in records)
    found = {n: summary(n, [one for one in records if one.pipeline == n]) for n in pipelines}
    names = _of(ask, found)
    if len(names) < 2:
        raise InputError(f"{ask.where} holds one pipeline, and what it is worth is beside another")
    first = found[names[0]]
    unit = "usd" if all(found[name].cost.usd > 0 for name in names) else "tokens"
    for own in (found[name] for name in names[1:]):
        costs = [getattr(one.cost, unit) for one in (own, first)]
        scores = [one.score.estimate for one in (own, first)]
        yield own.name, worth(own.name, scores[0], costs[0], first.name, scores[1], costs[1], unit)


_STUDIES: Mapping[str, Callable[[Ask], Iterator[tuple[str, object]]]] = MappingProxyType(
    {
        "coverage": _coverage,
        "saturation": _saturation,
        "verifier": _verifier,
        "selective": _selective,
        "abstention": _abstention,
        "judges": _judges,
        "models": _models,
        "diversity": _diversity,
        "split": _split,
        "cost": _cost,
        "steps": steps,
        "failures": failures,
        "faithfulness": probes,
    }
)
