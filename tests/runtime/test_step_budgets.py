"""Budgets of steps, and of several steps together, within that of the pipeline."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from random import Random

import pytest
from sim import compiled, jitter, judge, random_pipeline, simulate, solo, steady

from polyarch.backends.base import Draw, Piece, Request
from polyarch.backends.scripted import Scripted
from polyarch.compiler.errors import BudgetExhausted, NoAnswer, PlanRefused
from polyarch.compiler.model import Price
from polyarch.compiler.plan import Plan
from polyarch.compiler.values import Usage
from polyarch.runtime.result import Result
from polyarch.runtime.trace.read import read
from polyarch.runtime.trace.replay import replay
from polyarch.runtime.trace.write import TraceWriter

PRICES = {"m": Price(2, 7), "o": Price(1, 3)}

CHECKED = """\
name: p
answer: number
budget: {calls: 100}
models: {m: {model: scripted/x, max_draws: 1, max_tokens: 12}}
steps:
  drafts: {op: generate, n: 4}
  checked: {op: verify, budget: {%s}}
  answer: {op: vote, weight: verify}
"""


def mumbling(*candidates: int) -> Callable[[Request, Draw], str]:
    """A judge whose first word on these candidates cannot be read."""

    def reply(request: Request, draw: Draw) -> str:
        if request.purpose.role == "solve":
            return f"draft {draw.index} says 4"
        shown = request.messages[0].text
        mumbled = any(f"draft {index} says" in shown for index in candidates)
        return "hm" if mumbled and request.turn == 0 else steady(request, draw)

    return reply


def test_a_step_goes_on_with_what_it_has() -> None:
    # 4 verdicts; for 2 repair turns nothing is left.
    result, backend = solo(CHECKED % "calls: 4, on_budget: best", mumbling(1, 2), 1.0)
    assert (str(result), backend.log.asked) == ("4", 8)
    assert [(one.step, one.place) for one in result.lost] == [("checked", 1), ("checked", 2)]
    assert result.stopped == "checked: the next request may need 1 calls, and 0 of 4 are left"
    assert result.best is not None
    assert result.best.notes["votes"] == [["4", 2.0]]


def test_a_step_ends_the_run_by_its_name() -> None:
    with pytest.raises(BudgetExhausted, match=r"^checked: the next request may need 1 calls"):
        solo(CHECKED % "calls: 4", mumbling(1, 2), 1.0)


def test_the_pipelines_own_way_to_end_is_the_steps() -> None:
    text = (CHECKED % "calls: 4").replace("calls: 100", "calls: 100, on_budget: best")
    assert str(solo(text, mumbling(1), 1.0)[0]) == "4"
    with pytest.raises(BudgetExhausted, match=r"^checked: "):
        solo(text.replace("calls: 4}", "calls: 4, on_budget: fail}"), mumbling(1), 1.0)


SHARED = """\
name: p
answer: number
budget: {calls: 20, on_budget: best}
budgets: {judging: {share: 0.45}}
models: {m: {model: scripted/x, max_draws: 1, max_tokens: 12}}
steps:
  drafts: {op: generate, n: 4}
  checked: {op: verify, budget: judging}
  again: {op: verify, from: drafts, budget: judging}
  answer: {op: vote, from: [checked, again]}
"""


def test_steps_share_an_account() -> None:
    # 0.45 of 20 calls are 9: 8 verdicts and one repair turn, for whichever step is first.
    result, backend = solo(SHARED, mumbling(0, 1), 1.0)
    assert backend.log.asked == 4 + 9
    assert len(result.lost) == 3
    assert all(one.why.startswith("judging: ") for one in result.lost)


def test_an_unused_share_is_there_for_others() -> None:
    """Shares are ceilings: 12 of 16 calls may go to the drafts, which need 4; the judges may have
    12, too, and need all of them."""
    text = """\
name: p
answer: number
budget: {calls: 16}
models: {m: {model: scripted/x, max_draws: 1, max_tokens: 12}}
steps:
  drafts: {op: generate, n: 4, budget: {share: 0.75}}
  checked: {op: verify, votes: 3, budget: {share: 0.75}}
  answer: {op: vote}
"""
    result, backend = solo(text, mumbling(), 1.0)
    assert (result.usage.calls, backend.log.asked, result.lost) == (16, 16, ())


def test_what_was_set_aside_and_not_used_is_there_for_others() -> None:
    """Two bounds of 400 tokens fit the pipeline at once. The step's account holds one of them and
    gives back what its request did not use."""
    text = """\
name: p
answer: number
budget: {tokens: 1000}
models: {m: {model: scripted/x, max_draws: 1, max_tokens: 400}}
steps:
  one: {op: generate, n: 4, budget: {share: 0.5}}
  two: {op: generate, n: 4}
  answer: {op: vote, from: [one, two]}
"""
    result, backend = solo(text, steady, 1.0)
    assert backend.log.most_under_way == 2
    assert result.usage.calls == 8
    assert result.seconds == 4.0


def test_a_request_is_cut_to_what_a_budget_holds() -> None:
    """Sixteen draws in one request could never be set aside; they are asked for in several."""
    text = """\
name: p
answer: number
models: {m: {model: scripted/x, max_draws: 16, max_tokens: 100}}
steps:
  drafts: {op: generate, n: 16, budget: {tokens: 1000}}
  answer: {op: vote}
"""
    plan = compiled(text)
    assert plan.graph.nodes["drafts"].chunk == 4
    assert simulate(plan, {"m": Scripted(steady, latency=1.0)}).usage.calls == 16


def slow_judge(request: Request, draw: Draw) -> float:
    return 10.0 if request.purpose.role == "solve" else 2.0


def test_the_time_of_a_step_begins_with_its_first_request() -> None:
    """Drafts take 10 seconds; then every verdict has 5, and takes 2."""
    text = CHECKED % "seconds: 5, on_budget: best"
    result, backend = solo(text, steady, slow_judge)
    assert (result.seconds, result.lost, backend.log.cancelled) == (12.0, (), 0)
    result, backend = solo(text.replace("seconds: 5", "seconds: 1.5"), steady, slow_judge)
    assert (result.seconds, len(result.lost), backend.log.cancelled) == (11.5, 4, 4)
    assert str(result) == "4"
    assert "checked: no answer within 1.5 seconds" in result.stopped


def test_what_comes_after_the_time_of_a_step_is_not_asked() -> None:
    def latency(request: Request, draw: Draw) -> float:
        return 5.0 * draw.index if request.purpose.role == "solve" else 1.0

    result, backend = solo(CHECKED % "seconds: 7, on_budget: best", steady, latency)
    # Drafts come at 0, 5, 10 and 15 seconds; the account is open from 0 to 7.
    assert [one.place for one in result.lost] == [2, 3]
    assert (backend.log.asked, backend.log.cancelled) == (6, 0)


def test_time_is_the_accounts_and_not_each_steps() -> None:
    text = SHARED.replace("{share: 0.45}", "{seconds: 3}").replace(
        "again: {op: verify, from: drafts", "again: {op: verify, from: checked"
    ).replace("from: [checked, again]", "from: again")  # fmt: skip
    result, _ = solo(text, mumbling(), 2.0)
    assert {one.step for one in result.lost} == {"again"}
    assert result.seconds == 5.0


INNER = """\
name: inner
budget: {calls: 6}
budgets: {drawing: {share: 0.5}}
answer: number
models: {w: {model: scripted/z, max_draws: 1}}
steps:
  drafts: {op: generate, n: 3, budget: drawing}
  checked: {op: verify, budget: {calls: 5}}
  answer: {op: vote}
"""

OUTER = """\
name: outer
budget: {calls: 40}
budgets: {both: {calls: 13}}
answer: number
models: {m: {model: scripted/x, max_draws: 1}}
steps:
  one: {op: pipeline, file: inner.yaml, budget: {share: 0.2}}
  two: {op: pipeline, file: inner.yaml, budget: both}
  three: {op: pipeline, file: inner.yaml, budget: both}
  four: {op: pipeline, file: inner.yaml}
  answer: {op: vote, from: [one, two, three, four]}
"""


def test_accounts_of_pipelines_used_as_steps(tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(INNER)
    plan = compiled(OUTER, tmp_path)
    calls = {scope: budget.calls for scope, budget in plan.graph.budgets.items()}
    inside = {"": 6, ".drawing": 3, ".checked": 5}
    scopes = {"one.inner": inside, "both.two": inside, "both.three": inside, "four": inside}
    assert calls == {"": 40, "one": 8, "both": 13} | {
        scope + end: limit for scope, own in scopes.items() for end, limit in own.items()
    }
    assert plan.graph.nodes["one.drafts"].scope == "one.inner.drawing"
    assert plan.graph.nodes["four.answer"].scope == "four"
    backends = {name: Scripted(steady, latency=1.0) for name in plan.graph.models}
    assert simulate(plan, backends).usage.calls == 24
    with pytest.raises(PlanRefused, match=r"both needs at least 12 calls .* budget is 11"):
        compiled_and_refused(OUTER.replace("calls: 13", "calls: 11"), tmp_path)
    with pytest.raises(PlanRefused, match=r"one needs at least 6 calls .* budget is 5"):
        compiled_and_refused(OUTER.replace("{share: 0.2}", "{calls: 5}"), tmp_path)


def compiled_and_refused(text: str, folder: Path = Path()) -> None:
    compiled(text, folder).refuse()


def test_a_step_that_cannot_do_is_refused_before_the_first_call() -> None:
    backend = Scripted(steady)
    with pytest.raises(
        PlanRefused, match=r"^step 'checked' needs at least 4 calls a question and its budget is 3$"
    ):
        simulate(compiled(CHECKED % "calls: 3, on_budget: best"), {"m": backend})
    assert backend.log.asked == 0


class Metered(Scripted):
    """Counts what it hands out by step, whatever the runtime makes of it."""

    def __init__(self, price: Price, spent: dict[str, Usage], latency: object) -> None:
        super().__init__(judge, latency=latency)  # type: ignore[arg-type]
        self._price = price
        self._by_step = spent

    async def generate(self, request: Request) -> AsyncGenerator[Piece, None]:
        self._by_step[request.step] += Usage(calls=len(request.draws))
        pieces = super().generate(request)
        try:
            async for piece in pieces:
                prompt, completion = piece.prompt_tokens, piece.completion_tokens
                usd = self._price.usd(prompt, completion)
                self._by_step[request.step] += Usage(0, prompt, 0, completion, usd)
                yield piece
        finally:
            await pieces.aclose()


def exceeded(plan: Plan, spent: dict[str, Usage]) -> list[str]:
    """The limits that were exceeded, of any account."""
    graph, found = plan.graph, []
    for scope, budget in graph.budgets.items():
        inside = [n.name for n in graph.nodes.values() if not scope or n.scope == scope]
        used = sum((spent[name] for name in inside), Usage())
        for unit, slack in (("calls", 0), ("tokens", 0), ("usd", 1e-12)):
            limit = getattr(budget, unit)
            if limit is not None and getattr(used, unit) > limit + slack:
                found.append(f"{scope}: {getattr(used, unit)} {unit} of {limit}")
    return found


def overdue(plan: Plan, result: Result) -> list[str]:
    """Steps that drew after the time of an account of theirs, which began no later than its first
    request was sent."""
    found = []
    for scope, budget in plan.graph.budgets.items():
        nodes = plan.graph.nodes.values()
        inside = {n.name for n in nodes if not scope or n.scope == scope}
        events = [event for event in result.trace if event.step in inside]
        began = min((e.at for e in events if e.what == "asked"), default=0.0)
        ended = max((e.at for e in events if e.what == "drew"), default=0.0)
        if budget.seconds is not None and ended > began + budget.seconds:
            found.append(f"{scope}: {ended - began} of {budget.seconds} seconds")
    return found


def random_plan(case: int) -> Plan:
    dice = Random(case)
    own = ["", "calls: 60", "tokens: 9000, seconds: 20", "calls: 45, usd: 0.03"]
    budget = dice.choice(own)
    if budget:
        budget += f", on_budget: {dice.choice(['best', 'fail'])}"
    return compiled(random_pipeline(dice, budget, limits=Random(f"limits {case}")))


def test_no_limit_of_any_account_is_exceeded() -> None:
    """Random pipelines whose steps have budgets; `simulate` sees that nothing hangs or is left."""
    ends: Counter[str] = Counter()
    for case in range(1000):
        plan = random_plan(case)
        spent: dict[str, Usage] = defaultdict(Usage)
        backends = {n: Metered(PRICES[n], spent, jitter(case)) for n in "mo"}
        try:
            result = simulate(plan, backends, seed=case)
        except (BudgetExhausted, PlanRefused, NoAnswer) as error:
            ends[error.code] += 1
        else:
            ends["less" if result.lost else "answered"] += 1
            assert overdue(plan, result) == [], case
            assert result.usage.calls == sum(one.calls for one in spent.values()), case
        assert exceeded(plan, spent) == [], case
    assert min(ends["less"], ends["answered"], ends["budget-exhausted"]) > 100, ends


def test_a_replay_loses_what_step_budgets_did_not_reach(tmp_path: Path) -> None:
    same = 0
    for case in range(60):
        plan = random_plan(case)
        path = tmp_path / f"{case}.jsonl"
        backends = {name: Scripted(judge, latency=jitter(case)) for name in plan.graph.models}
        try:
            with TraceWriter(path, plan) as writer:
                result = simulate(plan, backends, seed=case, listeners=[writer])
        except (BudgetExhausted, PlanRefused, NoAnswer):
            continue
        (again,) = replay(read(path))
        assert again.record()["candidates"] == result.record()["candidates"], case
        same += bool(result.lost)
    assert same > 5
