"""What an analysis found, as tables for a terminal and as plain values for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import singledispatch
from typing import Any

import numpy as np
from rich.table import Table

from ..evaluation.analysis.abstention import Abstention
from ..evaluation.analysis.cost import IdealTime, Worth
from ..evaluation.analysis.coverage import Coverage
from ..evaluation.analysis.diversity import Diversity
from ..evaluation.analysis.forecast import Forecast
from ..evaluation.analysis.judges import Agreement, Judge
from ..evaluation.analysis.models import Errors
from ..evaluation.analysis.resampling import Resampling
from ..evaluation.analysis.saturation import Saturation
from ..evaluation.analysis.selective import Selective
from ..evaluation.analysis.split import Split
from ..evaluation.analysis.subsets import Ensembles
from ..evaluation.analysis.verifier import Verifier
from ..evaluation.attribution.failures import Failures
from ..evaluation.attribution.faithfulness import Faithfulness
from ..evaluation.attribution.steps import Steps
from ..evaluation.intervals import Interval
from ..evaluation.metrics.calibration import Calibration

__all__ = ["plain", "tables"]

Rows = tuple[str, Sequence[str], list[Sequence[str]]]

_PAIRS = 15
"""Pairs of models that the table lists, most alike first; JSON holds all."""


def tables(found: Sequence[tuple[str, object]]) -> Iterator[tuple[str, Table]]:
    """The tables of findings with their titles; those of one kind come together in one."""
    kinds: dict[str, tuple[Sequence[str], list[Sequence[str]]]] = {}
    for name, result in found:
        for title, head, rows in _rows(result, name):
            kinds.setdefault(title, (head, []))[1].extend(rows)
    for title, (head, rows) in kinds.items():
        table = Table(box=None, pad_edge=False, header_style="bold")
        for place, column in enumerate(head):
            table.add_column(column, justify="right" if place else "left", overflow="fold")
        for row in rows:
            table.add_row(*row)
        yield title, table


def plain(value: Any) -> Any:
    """A result as values of JSON: no number is None, pairs of names are joined by " & "."""
    if isinstance(value, Interval):
        return {name: plain(own) for name, own in value._asdict().items()}
    if is_dataclass(value):
        return {own.name: plain(getattr(value, own.name)) for own in fields(value)}
    if isinstance(value, Mapping):
        return {
            " & ".join(key) if isinstance(key, tuple) else key: plain(own)
            for key, own in value.items()
        }
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, tuple | list):
        return [plain(own) for own in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@singledispatch
def _rows(result: object, name: str) -> Iterator[Rows]:
    raise TypeError(f"no table shows {type(result).__name__}")


@_rows.register
def _(result: Coverage, name: str) -> Iterator[Rows]:
    rows = [[name, str(k), _share(s)] for k, s in zip(result.ks, result.shares, strict=True)]
    yield "Questions that one of k draws gets right", ["source", "k", "coverage [95%]"], list(rows)


@_rows.register
def _(result: Forecast, name: str) -> Iterator[Rows]:
    head = ["source", "fitted on", "k", "fit", "foretold [95%]", "seen [95%]", "foretold - seen"]
    seen = _share(result.seen)
    yield (
        "Coverage foretold from the first draws",
        head,
        [
            [
                *(name, str(result.fitted_on), str(result.k), one.fit),
                *(_share(one.coverage), seen, _points(one.error)),
            ]
            for one in result.predicted
        ],
    )


@_rows.register
def _(result: Saturation, name: str) -> Iterator[Rows]:
    head = ["source", "rule", *map(str, result.ns), "enough", "more adds [95%]", "best n"]
    rows = [
        [
            *(name, own.rule, *(f"{each.estimate:.1%}" for each in own.accuracy)),
            *(str(own.enough), _points(own.left), str(own.best)),
        ]
        for own in result.growth
    ]
    # Sources with other numbers of draws have other columns.
    yield f"Accuracy of choosing among n draws, n up to {result.ns[-1]}", head, list(rows)
    gaps = [[name, rule, _points(gap)] for rule, gap in result.gaps]
    yield "What the oracle has over each rule", ["source", "rule", "gap [95%]"], list(gaps)


@_rows.register
def _(result: Verifier, name: str) -> Iterator[Rows]:
    head = ["source: score", "threshold", "true positive", "false positive", "precision", "AUC"]
    shares = (result.true_positive, result.false_positive, result.precision)
    orders = (result.auc, result.auc_within)
    row = [name, f"{result.threshold:.4g}", *map(_share, shares), *map(_number, orders)]
    yield "Verifiers", [*head, "AUC within a question"], [row]


@_rows.register
def _(result: Resampling, name: str) -> Iterator[Rows]:
    head = ["source: score", "attempts", "right", "answered", "precision", "value", "", "ceiling"]
    shown = sorted({1, 2, 4, 8, 16, 32, 64, result.best, result.attempts[-1]})
    rows = [
        [name, str(k)]
        + [f"{own[k - 1]:.1%}" for own in (result.accuracy, result.answered, result.precision)]
        + [f"{result.value[k - 1]:.3f}", "best" if k == result.best else ""]
        + [f"{result.ceiling:.1%}"]
        for k in shown
        if k <= result.attempts[-1]
    ]
    yield "Drawing until the verifier accepts", head, list(rows)


@_rows.register
def _(result: Selective, name: str) -> Iterator[Rows]:
    rows = [
        [name, f"{share:.0%}", f"{risk:.1%}"]
        for share, risk in zip(result.coverages, result.risks, strict=True)
    ]
    yield "Risk when only the surest answer", ["source: score", "answered", "risk"], list(rows)
    head = ["source: score", "AURC", "best", "answering all", "threshold", "answered", "risk there"]
    cut = result.threshold
    told = ["none", "", ""]
    if cut is not None:
        told = [f">= {cut.confidence:.4g}", f"{cut.coverage:.1%}", f"{cut.seen:.1%}"]
    areas = [f"{own:.4f}" for own in (result.aurc, result.best)]
    row = [name, *areas, f"{result.chance:.1%}", *told]
    yield "Area under the risk, and the threshold for the risk asked for", head, [row]


@_rows.register
def _(result: Abstention, name: str) -> Iterator[Rows]:
    rows = [
        [name, str(own.draws), _from(own.threshold), f"{own.coverage:.1%}", _rate(own.risk)]
        for own in result.curve
    ]
    head = ["source: score", "draws", "answered from", "answered", "risk"]
    yield "Risk by draws and threshold", head, list(rows)
    told = [
        [
            *(name, f"{own.penalty:g}", str(own.joint[0]), _from(own.joint[1])),
            *(str(own.separate[0]), _from(own.separate[1])),
            *map(_number, (own.always, own.apart, own.utility, own.gain)),
        ]
        for own in result.chosen
    ]
    head = ["source: score", "an error costs", "draws", "from", "apart: draws", "from"]
    head += ["answering all [95%]", "apart [95%]", "together [95%]", "gain [95%]"]
    yield "Draws and threshold chosen on one half, and their worth on the other", head, list(told)


@_rows.register
def _(result: Calibration, name: str) -> Iterator[Rows]:
    rows = [
        [name, str(own.count), f"{own.confidence:.1%}", f"{own.accuracy:.1%}"]
        for own in result.bins
    ]
    rows.append([f"{name}: ECE {result.ece:.3f}, Brier {result.brier:.3f}", "", "", ""])
    yield "Calibration", ["source: score", "answers", "sure", "right"], list(rows)


@_rows.register
def _(result: Judge, name: str) -> Iterator[Rows]:
    head = ["judge", "pairs", "accuracy", "same in both orders", "first, of the rest", "p"]
    shares = [_share(own) for own in (result.accuracy, result.consistent, result.first)]
    row = [name, str(result.pairs), *shares, f"{result.order_p:.2g}", _share(result.longer)]
    more = ["longer wins", "length bias", "silent"]
    yield "Judges", [*head, *more], [[*row, _points(result.length_bias), str(result.silent)]]


@_rows.register
def _(result: Agreement, name: str) -> Iterator[Rows]:
    most = sorted(result.cohen.items(), key=lambda own: -own[1])
    rows = [[name, f"{result.fleiss:.3f}"]]
    rows += [[f"{one} & {other}", f"{kappa:.3f}"] for (one, other), kappa in most[:_PAIRS]]
    yield "Agreement beyond chance, most alike first", ["judges", "kappa"], list(rows)


@_rows.register
def _(result: Errors, name: str) -> Iterator[Rows]:
    best = sorted(range(len(result.models)), key=lambda row: -result.accuracy[row])
    rows = [[result.models[row], f"{result.accuracy[row]:.1%}"] for row in best]
    rows.append([f"all wrong together ({result.items:,} questions)", f"{result.together:.1%}"])
    rows.append(["  were errors independent", f"{result.independent:.1%}"])
    yield "Models", ["model", "right"], list(rows)
    pairs = [(a, b) for a in range(len(best)) for b in range(a)]
    pairs = [pair for pair in pairs if not math.isnan(result.correlation[pair])]
    pairs.sort(key=lambda pair: -result.correlation[pair])
    yield (
        "Errors together, most alike first",
        ["models", "correlation", "same wrong answer"],
        [
            [
                f"{result.models[b]} & {result.models[a]}",
                f"{result.correlation[a, b]:.3f}",
                f"{result.same[a, b]:.1%}",
            ]
            for a, b in pairs[:_PAIRS]
        ],
    )


@_rows.register
def _(result: Ensembles, name: str) -> Iterator[Rows]:
    head = ["rule", "models", "found", "chosen on", "held out [95%]", "which"]
    rows = []
    for how, found, held in (
        ("", result.best, result.held_out),
        ("greedy", result.greedy, result.greedy_held_out),
    ):
        for own, share in zip(found, held, strict=True):
            means = "exact" if own.exact else "greedy"
            if how and means == "exact":
                continue
            row = [name, str(len(own.models)), means, f"{own.accuracy:.1%}", _share(share)]
            rows.append([*row, ", ".join(own.models)])
    yield "Ensembles, chosen on one half of the questions", head, list(rows)


@_rows.register
def _(result: Diversity, name: str) -> Iterator[Rows]:
    head = ["source", "draws", "distinct", "effective", "entropy (bits)", "two agree", "unanimous"]
    numbers = (result.draws, result.distinct, result.effective, result.entropy)
    shares = (result.agreement, result.unanimous, result.silent)
    row = [name, *(f"{own:.3g}" for own in numbers), *(f"{own:.1%}" for own in shares)]
    yield "Answers to a question", [*head, "no answer"], [row]


@_rows.register
def _(result: Split, name: str) -> Iterator[Rows]:
    head = ["source: score", "cost", "solutions", "verifications", "right [95%]"]
    more = ["a vote of", "right [95%]"]
    rows = [
        [
            *(name, f"{own.budget:g}", str(own.best.solutions), str(own.best.verifications)),
            *(_share(own.best.accuracy), str(own.vote.solutions), _share(own.vote.accuracy)),
        ]
        for own in result.chosen
    ]
    yield (
        "Solutions and verifications of each, best for the cost in solutions",
        [*head, *more],
        [*rows],
    )
    head = ["source: score", "solutions", "verifications", "verifying pays from"]
    powers = (result.solutions, result.verifications)
    row = [name, *("-" if own is None else f"cost^{own:.2f}" for own in powers)]
    row.append("-" if result.pays_from is None else f"{result.pays_from:g} solutions")
    yield "How the best split grows", head, [row]


@_rows.register
def _(result: IdealTime, name: str) -> Iterator[Rows]:
    head = ["model", "base s", "s / 1,000 prompt", "s / 1,000 completion", "explained"]
    terms = (result.prompt, result.completion)
    each = ["-" if own is None else f"{1000 * own:.3f}" for own in terms]
    row = [name, f"{result.base:.3f}", *each, f"{result.explained:.1%}"]
    yield "Seconds of a call without queueing", head, [row]


@_rows.register
def _(result: Worth, name: str) -> Iterator[Rows]:
    head = ["pipeline", "beside", "score", "cost", "score there", "cost there", "a right answer"]
    told = f"{result.break_even:.4g} {result.unit}"
    if result.break_even < 0:
        told = f"pays up to {-result.break_even:.4g} {result.unit}"
    elif math.isinf(result.break_even):
        told = "never pays"
    row = [
        *(name, result.baseline, f"{result.accuracy:.1%}", f"{result.cost:.4g}"),
        *(f"{result.baseline_accuracy:.1%}", f"{result.baseline_cost:.4g}", told),
    ]
    yield "What a right answer must be worth", head, [row]


@_rows.register
def _(result: Steps, name: str) -> Iterator[Rows]:
    head = [
        "pipeline",
        "change",
        "adds [95%]",
        "calls",
        "tokens",
        "a call",
        "1,000 tokens",
        "missing",
    ]
    rows = [[name, "whole", _share(result.score), "", "", "", "", ""]]
    for own in result.parts:
        low, high = own.bounds
        adds = _points(own.gain) if own.gain else f"{100 * low:+.1f} to {100 * high:+.1f}"
        if not own.runs:
            rows.append([name, own.change, "-", "", "", "", "", own.why])
            continue
        per = [_each(own.per_call), _each(own.per_1k_tokens)]
        missing = f"{own.missing} of {own.runs}: {own.why}" if own.missing else "0"
        rows.append(
            [name, own.change, adds, f"{own.calls:.3g}", f"{own.tokens:.4g}", *per, missing]
        )
    yield "What each step adds", head, list(rows)


@_rows.register
def _(result: Failures, name: str) -> Iterator[Rows]:
    head = [
        "pipeline",
        "failures",
        "of runs",
        "fix confirmed",
        "answer foretold",
        "a reply by chance",
    ]
    shares = [_share(result.confirmed), _share(result.foretold), f"{result.by_chance:.1%}"]
    yield "Failures", head, [[name, str(len(result.found)), str(result.runs), *shares]]
    head = ["question", "reply", "outcome", "answer", "foretold", "with the fix", "cause"]
    rows = [
        [
            *(own.item, own.reply, own.outcome, str(own.before), own.prediction),
            *(str(own.after), own.why or own.cause),
        ]
        for own in result.found
    ]
    yield "What is blamed, confirmed or not", head, list(rows)


@_rows.register
def _(result: Faithfulness, name: str) -> Iterator[Rows]:
    head = ["pipeline: step", "edit", "kept from", "answer changed [95%]", "questions"]
    rows = [
        [name, own.probe, f"{own.kept:.0%}", _share(own.changed), str(own.items)]
        for own in result.probed
    ]
    yield "Answers changed by edits of the reasoning", head, list(rows)
    head = ["pipeline: step", "edit", "area over the curve [95%]", ""]
    told = "the reasoning could be left out" if result.removable else ""
    rows = [[name, probe, _share(own), told] for probe, own in result.area.items()]
    yield "How far answers depend on the reasoning", head, list(rows)


def _each(told: float | None) -> str:
    return "-" if told is None else f"{100 * told:+.2f}"


def _from(threshold: float) -> str:
    return "nothing" if math.isinf(threshold) else f">= {threshold:.4g}"


def _rate(told: float | None) -> str:
    return "-" if told is None else f"{told:.1%}"


def _share(told: Interval | None) -> str:
    if told is None:
        return "-"
    return f"{told.estimate:.1%} [{100 * told.low:.1f}, {100 * told.high:.1f}]"


def _points(told: Interval | None) -> str:
    if told is None:
        return "-"
    return f"{100 * told.estimate:+.1f} [{100 * told.low:+.1f}, {100 * told.high:+.1f}]"


def _number(told: Interval | None) -> str:
    return "-" if told is None else f"{told.estimate:.3f} [{told.low:.3f}, {told.high:.3f}]"
