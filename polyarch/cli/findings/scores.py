"""Tables of what scores are worth: as verifiers, and as measures of how sure an answer is."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...evaluation.analysis.abstention import Abstention
from ...evaluation.analysis.resampling import Resampling
from ...evaluation.analysis.selective import Selective
from ...evaluation.analysis.verifier import Verifier
from ...evaluation.metrics.calibration import Calibration
from .words import Rows, number_of, share_of

__all__ = ["abstention", "calibration", "resampling", "selective", "verifier"]


def verifier(result: Verifier, name: str) -> Iterator[Rows]:
    """Error rates of a score as a verifier."""
    head = ["source: score", "threshold", "true positive", "false positive", "precision", "AUC"]
    shares = (result.true_positive, result.false_positive, result.precision)
    orders = (result.auc, result.auc_within)
    row = [name, f"{result.threshold:.4g}", *map(share_of, shares), *map(number_of, orders)]
    yield "Verifiers", [*head, "AUC within a question"], [row]


def resampling(result: Resampling, name: str) -> Iterator[Rows]:
    """What drawing until a verifier accepts comes to."""
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


def selective(result: Selective, name: str) -> Iterator[Rows]:
    """Risk by the share that is answered, and the threshold for the one asked for."""
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


def abstention(result: Abstention, name: str) -> Iterator[Rows]:
    """Risk by draws and threshold, and what choosing the two together is worth."""
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
            *map(number_of, (own.always, own.apart, own.utility, own.gain)),
        ]
        for own in result.chosen
    ]
    head = ["source: score", "an error costs", "draws", "from", "apart: draws", "from"]
    head += ["answering all [95%]", "apart [95%]", "together [95%]", "gain [95%]"]
    yield "Draws and threshold chosen on one half, and their worth on the other", head, list(told)


def calibration(result: Calibration, name: str) -> Iterator[Rows]:
    """How right answers are by how sure they are."""
    rows = [
        [name, str(own.count), f"{own.confidence:.1%}", f"{own.accuracy:.1%}"]
        for own in result.bins
    ]
    rows.append([f"{name}: ECE {result.ece:.3f}, Brier {result.brier:.3f}", "", "", ""])
    yield "Calibration", ["source: score", "answers", "sure", "right"], list(rows)


def _from(threshold: float) -> str:
    return "nothing" if math.isinf(threshold) else f">= {threshold:.4g}"


def _rate(told: float | None) -> str:
    return "-" if told is None else f"{told:.1%}"
