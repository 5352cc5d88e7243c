"""Tables of what scores are worth: as verifiers, and as measures of how sure an answer is."""

from __future__ import annotations

from collections.abc import Iterator

from ...evaluation.analysis.resampling import Resampling
from ...evaluation.analysis.selective import Selective
from ...evaluation.analysis.verifier import Verifier
from ...evaluation.metrics.calibration import Calibration
from .words import Rows, number_of, share_of

__all__ = ["calibration", "resampling", "selective", "verifier"]


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


def calibration(result: Calibration, name: str) -> Iterator[Rows]:
    """How right answers are by how sure they are."""
    rows = [
        [name, str(own.count), f"{own.confidence:.1%}", f"{own.accuracy:.1%}"]
        for own in result.bins
    ]
    rows.append([f"{name}: ECE {result.ece:.3f}, Brier {result.brier:.3f}", "", "", ""])
    yield "Calibration", ["source: score", "answers", "sure", "right"], list(rows)
