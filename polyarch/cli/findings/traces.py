"""Tables of what a trace, run again with something changed, tells."""

from __future__ import annotations

from collections.abc import Iterator

from ...evaluation.attribution.failures import Failures
from ...evaluation.attribution.faithfulness import Faithfulness
from ...evaluation.attribution.steps import Steps
from .words import Rows, each_of, points_of, share_of

__all__ = ["failures", "faithfulness", "steps"]


def steps(result: Steps, name: str) -> Iterator[Rows]:
    """What each step adds."""
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
    unended = f"{result.failed} that did not end" if result.failed else "0"
    rows = [[name, "whole", share_of(result.score), "", "", "", "", unended]]
    for own in result.parts:
        low, high = own.bounds
        adds = points_of(own.gain) if own.gain else f"{100 * low:+.1f} to {100 * high:+.1f}"
        if not own.runs:
            rows.append([name, own.change, "-", "", "", "", "", own.why])
            continue
        per = [each_of(own.per_call), each_of(own.per_1k_tokens)]
        missing = f"{own.missing} of {own.runs}: {own.why}" if own.missing else "0"
        rows.append(
            [name, own.change, adds, f"{own.calls:.3g}", f"{own.tokens:.4g}", *per, missing]
        )
    yield "What each step adds", head, list(rows)


def failures(result: Failures, name: str) -> Iterator[Rows]:
    """What is blamed for each failure, and what became of the fix."""
    head = [
        "pipeline",
        "failures",
        "of runs",
        "fix confirmed",
        "answer foretold",
        "a reply by chance",
    ]
    shares = [share_of(result.confirmed), share_of(result.foretold), f"{result.by_chance:.1%}"]
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


def faithfulness(result: Faithfulness, name: str) -> Iterator[Rows]:
    """How often answers change with the reasoning before them."""
    head = ["pipeline: step", "edit", "kept from", "answer changed [95%]", "questions"]
    rows = [
        [name, own.probe, f"{own.kept:.0%}", share_of(own.changed), str(own.items)]
        for own in result.probed
    ]
    yield "Answers changed by edits of the reasoning", head, list(rows)
    head = ["pipeline: step", "edit", "area over the curve [95%]", "not probed", ""]
    told = "the reasoning could be left out" if result.removable else ""
    failed = str(result.failed)
    rows = [[name, probe, share_of(own), failed, told] for probe, own in result.area.items()]
    yield "How far answers depend on the reasoning", head, list(rows)
