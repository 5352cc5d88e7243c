"""A table names the case that answered such questions best."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from polyarch.compiler import fitted
from polyarch.compiler.answers import answer_kind
from polyarch.compiler.op import Amount, Mismatch
from polyarch.ops.table import Table

from .fake import Fake, candidates, decide, flow

EXACT = answer_kind("exact")


def made(by: str, rows: Mapping[str, str]) -> Table:
    told = {
        "made": "2026-01-01",
        "pipeline": "p",
        "data": {"file": "d", "sha256": "0" * 64, "items": 1},
        "models": {},
        "by": by,
        "draws": 4,
        "cases": ["cheap", "dear"],
        "table": rows,
        "otherwise": "dear",
    }
    return Table(by=fitted.Table.model_validate(told))


@pytest.mark.parametrize(
    ("texts", "case", "agreement"),
    [
        (("a", "a", "b", "c"), "cheap", 0.5),
        (("a", "a", "", ""), "cheap", 0.5),
        (("a", "a"), "cheap", 0.5),  # two were lost
        (("a", "a", "a", "c"), "dear", 0.75),  # nothing says that more agreement is easier
        (("a", "b", "c", "d"), "dear", 0.25),  # not in the table
        (("", "", "", ""), "dear", 0.0),
    ],
)
def test_agreement_is_looked_up(texts: tuple[str, ...], case: str, agreement: float) -> None:
    op = made("agreement", {"2/4": "cheap", "3/4": "dear"})
    (out,) = decide(op, Fake(answer=EXACT), candidates(*texts))
    assert (out.text, out.scores) == (case, {"agreement": agreement})


def test_answers_are_looked_up_in_order() -> None:
    op = made("answers", {"no|no||yes": "cheap"})
    ctx = Fake(answer=EXACT)
    assert decide(op, ctx, candidates("no", "no", "", "yes"))[0].text == "cheap"
    assert decide(op, ctx, candidates("no", "no", "yes", ""))[0].text == "dear"
    assert ctx.notes[-1] == ("looked up", {"key": "no|no|yes|", "case": "dear", "known": False})


def test_it_is_for_as_many_draws_as_it_was_fitted_to() -> None:
    op = made("agreement", {})
    assert op.flow(flow(4)).count == Amount(1, 1)
    with pytest.raises(Mismatch, match="fitted to 4 draws"):
        op.flow(flow(5))
    with pytest.raises(ValidationError, match="no case"):
        made("agreement", {"1/4": "other"})
