"""Bounds worked out by hand, refusals with both numbers, and runs that stay within the bounds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from sim import compiled, jitter, judge, random_pipeline, simulate, steady

from polyarch.backends.scripted import Scripted
from polyarch.compiler.build import build
from polyarch.compiler.errors import NoAnswer, PlanRefused
from polyarch.compiler.op import Amount
from polyarch.compiler.plan import Plan, plan
from polyarch.compiler.source import parse

HEAD = """\
name: p
answer: number
models:
  m: {model: scripted/x, max_tokens: 100, price: {prompt: 1, completion: 10}}
  j: {model: scripted/y, max_tokens: 50, price: {prompt: 2, completion: 20}}
"""


def priced(steps: str, more: str = "") -> Plan:
    return plan(build(parse(f"{HEAD}{more}steps:\n{steps}"), Path()), Amount(10, 10))


def test_cached_prompt_tokens_are_in_the_bounds_on_dollars() -> None:
    """The budget may just do when all prompts are cached."""
    text = HEAD.replace("completion: 10}", "completion: 10, cached: 0.1}")
    steps = "  drafts: {op: generate, n: 4, model: m}\n  answer: {op: vote}"
    made = plan(build(parse(f"{text}steps:\n{steps}"), Path()), Amount(10, 20))
    drafts = made.costs["drafts"]
    assert drafts.usd.low == pytest.approx((10 * 0.1 + 4 * 10) / 1e6)
    assert drafts.usd.high == pytest.approx((20 * 1 + 400 * 10) / 1e6)
    dearer = text.replace("cached: 0.1", "cached: 1.25")
    made = plan(build(parse(f"{dearer}steps:\n{steps}"), Path()), Amount(10, 20))
    drafts = made.costs["drafts"]
    assert drafts.usd.low == pytest.approx((10 * 1 + 4 * 10) / 1e6)
    assert drafts.usd.high == pytest.approx((20 * 1.25 + 400 * 10) / 1e6)


def test_a_verified_vote() -> None:
    """16 drafts in one request, 16 verdicts or, if none is readable at first, 32."""
    made = priced("""\
  drafts: {op: generate, n: 16, model: m}
  checked: {op: verify, model: j, prompt: "1234567890123456789012345678901234567890 {candidate}"}
  answer: {op: vote, weight: verify}
""")
    drafts, checked, answer = (made.costs[n] for n in ("drafts", "checked", "answer"))
    # The question is 10 tokens, shown once; a completion has 1 to 100 tokens.
    assert drafts.calls == Amount(16, 16)
    assert drafts.prompt == Amount(10, 10)
    assert drafts.completion == Amount(16, 1600)
    assert drafts.usd.low == pytest.approx((10 * 1 + 16 * 10) / 1e6)
    assert drafts.usd.high == pytest.approx((10 * 1 + 1600 * 10) / 1e6)
    # 52 characters of prompt are 13 tokens, the question may be shown, the candidate is 1 to 100;
    # a repair turn shows the reply of up to 50 tokens again and adds at most 256.
    assert checked.calls == Amount(16, 32)
    assert checked.prompt == Amount(16 * (10 + 13 + 1), 32 * (10 + 13 + 100 + 50 + 256))
    assert checked.completion == Amount(16, 32 * 50)
    assert answer.calls == Amount(0, 0)
    assert made.total.calls == Amount(32, 48)
    assert made.total.prompt == drafts.prompt + checked.prompt
    # A draft, a verdict, perhaps its repair.
    assert made.total.depth == Amount(2, 3)


def test_a_chain_is_as_deep_as_it_is_long() -> None:
    made = priced("""\
  drafts: {op: generate, n: 8, model: m}
  told: {op: critique, model: j}
  new: {op: refine, model: m}
  best: {op: rank, model: j, keep: 3}
  end: {op: fuse, model: m}
""")
    # 1 + (1 or 2) + 1 + (1 or 2) + 1
    assert made.total.depth == Amount(5, 7)
    assert made.total.calls == Amount(8 + 8 + 8 + 2 + 1, 8 + 16 + 8 + 4 + 1)


def test_branches_are_as_deep_as_the_deepest() -> None:
    made = priced("""\
  a: {op: generate, n: 2, model: m}
  new: {op: refine, model: m}
  newer: {op: refine, model: m}
  b: {op: generate, n: 9, model: m}
  end: {op: vote, from: [newer, b]}
""")
    assert made.total.depth == Amount(3, 3)
    assert made.total.calls == Amount(2 + 2 + 2 + 9, 15)


@pytest.mark.parametrize(
    ("rule", "low"),
    [
        ("stop_at: exact", 9),  # 9 of 16: seven are outstanding
        ("stop_at: 0.95", 4),  # 1 - 2**-5 = 0.969
        ("stop_at: 0.95, min_votes: 6", 6),
        ("stop_at: 0.99", 6),  # 1 - 2**-7 = 0.992
        ("otherwise: none", 16),
    ],
)
def test_the_fewest_calls_of_an_early_stop(rule: str, low: int) -> None:
    made = priced(f"  drafts: {{op: generate, n: 16, model: m}}\n  end: {{op: vote, {rule}}}\n")
    assert made.total.calls == Amount(low, 16)
    through = priced(
        f"  drafts: {{op: generate, n: 16, model: m}}\n  new: {{op: refine, model: m}}\n"
        f"  end: {{op: vote, {rule}}}\n"
    )
    assert through.total.calls == Amount(2 * low, 32)


def test_a_bound_is_reached_when_all_agree() -> None:
    text = f"{HEAD}steps:\n  drafts: {{op: generate, n: 16, model: m}}\n"
    text += "  end: {op: vote, stop_at: exact, ahead: 1}\n"
    made = compiled(text)
    result = simulate(made, {"m": Scripted(steady), "j": Scripted(steady)})
    assert made.total.calls == Amount(9, 16)
    assert result.usage.calls == 9


def test_several_inputs_are_read_in_order() -> None:
    """A step reads its second input only once the first has ended."""
    two = "  a: {op: generate, n: 2, model: m}\n  b: {op: generate, n: 5, model: m}\n"
    told = "  c: {op: refine, model: m, from: [a, b]}\n"
    one = priced(two + told + "  end: {op: select, by: first}\n")
    assert {name: cost.calls.low for name, cost in one.costs.items()} == {
        "a": 1,
        "b": 0,
        "c": 1,
        "end": 0,
    }
    # Four of seven must agree.
    vote = priced(two + told + "  end: {op: vote, stop_at: exact}\n")
    assert {name: cost.calls.low for name, cost in vote.costs.items()} == {
        "a": 2,
        "b": 2,
        "c": 4,
        "end": 0,
    }
    every = priced(two + told + "  end: {op: vote}\n")
    assert every.total.calls == Amount(14, 14)


def test_what_may_never_be_reached_may_cost_nothing() -> None:
    made = priced("""\
  a: {op: generate, n: 3, model: m}
  best: {op: rank, model: j, from: a}
  fused: {op: fuse, model: m, from: a}
  end: {op: select, by: first, from: [best, fused]}
""")
    assert made.costs["best"].calls == Amount(2, 4)
    assert made.costs["fused"].calls == Amount(0, 1)
    assert made.costs["a"].calls == Amount(3, 3)


def test_dropping_lowers_what_follows_and_not_what_came_before() -> None:
    made = priced("""\
  a: {op: generate, n: 5, model: m}
  b: {op: verify, model: j, keep_at: 0.5}
  c: {op: refine, model: m}
  end: {op: vote}
""")
    assert {name: cost.calls for name, cost in made.costs.items()} == {
        "a": Amount(5, 5),
        "b": Amount(5, 10),
        "c": Amount(0, 5),
        "end": Amount(0, 0),
    }


def test_prompts_are_paid_once_a_request() -> None:
    def prompt(arguments: str) -> Amount:
        steps = f"  a: {{op: generate, n: 10, model: m}}\n  end: {{op: vote{arguments}}}\n"
        return priced(steps).costs["a"].prompt

    assert prompt("") == Amount(10, 10)
    # Requests of 4, 4 and 2; six agreeing votes take two of them.
    assert prompt(", stop_at: exact, ahead: 4") == Amount(20, 30)
    assert prompt(", stop_at: exact, ahead: 1") == Amount(60, 100)


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        ("calls: 17", "p needs at least 18 calls a question and its budget is 17"),
        ("tokens: 50", "tokens a question and its budget is 50"),
        ("usd: 0.0000001", "usd a question and its budget is 1e-07"),
    ],
)
def test_a_budget_that_cannot_hold_is_refused(budget: str, told: str) -> None:
    made = priced(
        "  drafts: {op: generate, n: 16, model: m}\n  best: {op: rank, model: j}\n",
        f"budget: {{{budget}}}\n",
    )
    with pytest.raises(PlanRefused) as caught:
        made.refuse()
    assert told in str(caught.value)
    dearest = "'drafts' with 16" if budget.startswith("calls") else "'best' with"
    if not budget.startswith("usd"):
        assert f"the dearest step is {dearest}" in str(caught.value)


def test_a_budget_that_holds_the_lower_bound_is_not_refused() -> None:
    priced(
        "  drafts: {op: generate, n: 16, model: m}\n  best: {op: rank, model: j}\n",
        "budget: {calls: 18}\n",
    ).refuse()


def test_runs_stay_within_their_bounds() -> None:
    """Calls and completions are bounded exactly, whatever models say and however long it takes."""
    outcomes: Counter[str] = Counter()
    for case in range(400):
        made = compiled(random_pipeline(Random(case)))
        backends = {name: Scripted(judge, latency=jitter(case)) for name in "mo"}
        try:
            used = simulate(made, backends, seed=case).usage
        except NoAnswer:
            outcomes["no answer"] += 1
            continue
        total = made.total
        assert total.calls.low <= used.calls <= total.calls.high, (case, str(made.graph))
        assert used.completion_tokens <= total.completion.high, (case, str(made.graph))
        outcomes["tight" if total.calls.low == total.calls.high else "wide"] += 1
    assert outcomes["wide"] > 100
    assert outcomes["no answer"] < 40
