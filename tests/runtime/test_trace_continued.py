"""A recorded question run on: what was said is said again, what was not is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from sim import compiled
from traced import trace_of

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted
from polyarch.compiler.errors import BudgetExhausted, InputError
from polyarch.compiler.spec import Budget
from polyarch.runtime.ledger import BATCH, Ledger
from polyarch.runtime.result import Result
from polyarch.runtime.trace.continued import go_on
from polyarch.runtime.trace.outline import Run, outline
from polyarch.runtime.trace.replay import Edit
from polyarch.runtime.virtual import run

TEXT = """\
name: p
answer: number
models:
  m: {model: scripted/x, max_draws: 8, price: {prompt: 1, completion: 2}}
  j: scripted/y
steps:
  drafts: {op: generate, model: m, n: 3}
  better: {op: refine, model: j}
  answer: {op: vote}
"""

PLAN = compiled(TEXT)


def said(request: Request, draw: Draw) -> str:
    if request.purpose.role == "solve":
        return f"{request.prefix and 'on '}draft {draw.index}"
    return f"after {request.purpose.shown[0]}: 4"


@pytest.fixture
def recorded(tmp_path: Path) -> Run:
    backends = {name: Scripted(said) for name in ("m", "j")}
    trace = trace_of(PLAN, backends, {"q": "how many"}, tmp_path / "t.jsonl")
    return outline(trace.events)[0]


def again(
    recorded: Run, *edits: Edit, account: Ledger | None = None, prefixed: bool = False
) -> tuple[Result, dict[str, Scripted]]:
    live = {name: Scripted(said, keep=True) for name in ("m", "j")}
    paid = account or Ledger(BATCH, Budget())
    return run(go_on(PLAN, recorded, live, paid, edits, prefixed=prefixed)), live


def test_with_nothing_changed_nobody_is_asked(recorded: Run) -> None:
    result, live = again(recorded)
    assert result.answer == "4"
    assert [backend.log.asked for backend in live.values()] == [0, 0]
    # It costs the run what it did then.
    assert result.usage.calls == 6
    assert result.usage.completion_tokens > 6


def test_what_an_edit_changes_is_asked_and_charged_alone(recorded: Run) -> None:
    account = Ledger(BATCH, Budget(calls=1))
    result, live = again(recorded, Edit("drafts", (1,), "another draft"), account=account)
    assert [backend.log.asked for backend in live.values()] == [0, 1]
    (request,) = live["j"].log.seen
    assert request.purpose.shown == ("another draft",)
    assert account.spent.calls == 1
    assert result.answer == "4"


def test_a_model_goes_on_from_an_edit(recorded: Run) -> None:
    account = Ledger(BATCH, Budget())
    _, live = again(recorded, Edit("drafts", (1,), "I think "), account=account, prefixed=True)
    (request,) = live["m"].log.seen
    assert (request.prefix, len(request.draws)) == ("I think ", 1)
    (asked,) = live["j"].log.seen
    assert asked.purpose.shown == ("I think on draft 1",)
    assert account.spent.calls == 2
    assert account.spent.usd > 0


def test_the_account_is_kept(recorded: Run) -> None:
    with pytest.raises(BudgetExhausted):
        again(recorded, Edit("drafts", (1,), "x"), account=Ledger(BATCH, Budget(tokens=3)))


def test_mistakes_are_said(recorded: Run) -> None:
    with pytest.raises(InputError, match="no step 'draft'"):
        again(recorded, Edit("draft", (1,), "x"))
    with pytest.raises(InputError, match="no model was opened for 'm'"):
        run(go_on(PLAN, recorded, {}, Ledger(BATCH, Budget())))
