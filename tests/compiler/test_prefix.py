"""Prompts laid out to share prefixes: what is sent, what is kept, what it saves."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace
from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim import random_pipeline

import polyarch
from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted
from polyarch.compiler.emit import EMITTERS
from polyarch.compiler.layout import ORDERS, Kind, laid_out, paragraphs
from polyarch.compiler.op import Amount, Asking, Flow
from polyarch.compiler.passes.prefix import prefix
from polyarch.compiler.plan import Plan
from polyarch.compiler.registry import operator, operator_names
from polyarch.compiler.sharing import sharing
from polyarch.compiler.template import Template
from polyarch.compiler.verify import ANY_QUESTION
from polyarch.ops import _rank_lists, _rank_pairs, _rank_single, critique, fuse, rank
from polyarch.pipeline import Pipeline

QUESTION = frozenset({"question"})
GIVEN = Flow(Amount(8, 8), notes=frozenset({"critique"}), tokens=Amount(1, 200))

JUDGED = """
  drafts: {op: generate, model: m, n: 8}
  criticised: {op: critique, model: m}
  best: {op: rank, model: m, keep: 4}
  answer: {op: fuse, model: m}"""
RANKED = """
  drafts: {op: generate, model: m, n: 8}
  criticised: {op: critique, model: m}
  best: {op: rank, model: m}"""
PAIRS = """
  drafts: {op: generate, model: m, n: 5}
  best: {op: rank, model: m, method: pairwise}"""
TWICE = """
  drafts: {op: generate, model: m, n: 6}
  criticised: {op: critique, model: m}
  checked: {op: verify, model: m, votes: 2}
  graded: {op: rank, model: m, method: pointwise}"""
REFINED = """
  drafts: {op: ensemble, members: [m, other], n: 3}
  criticised: {op: critique_all, model: m}
  better: {op: refine, model: m}
  answer: {op: rank, model: m, orders: 1}"""
PIPELINES = {"judged": JUDGED, "pairs": PAIRS, "twice": TWICE, "refined": REFINED}


def planned(steps: str, layout: str = "prefix", max_tokens: int = 400) -> Plan:
    models = f"{{m: {{model: scripted/m, max_tokens: {max_tokens}}}, other: scripted/other}}"
    return polyarch.loads(f"name: p\nlayout: {layout}\nmodels: {models}\nsteps:{steps}").plan


def movable() -> list[Any]:
    """Every operator whose prompt may be laid out, once for each of its prompts."""
    found = []
    for name in operator_names():
        cls = operator(name)
        if issubclass(cls, Asking) and cls.movable:
            ways = ("listwise", "pairwise", "pointwise") if name == "rank" else ("",)
            ops = [cls(**({"method": way} if way else {})) for way in ways]
            found += [pytest.param(op, id=f"{name} {op.wording[:40]!r}") for op in ops]
    return found


def parts_of(op: Asking) -> tuple[tuple[Kind, str], ...]:
    return paragraphs(op.wording, QUESTION, frozenset(op.shows(GIVEN)))


@pytest.mark.parametrize("op", movable())
@pytest.mark.parametrize("order", ORDERS)
def test_a_layout_holds_exactly_the_paragraphs_of_the_prompt(op: Asking, order: str) -> None:
    text = laid_out(parts_of(op), ORDERS[order])
    if ORDERS[order][0] is Kind.QUESTION:
        assert text.startswith("{question}\n\n")
        text = f"### Question\n{text}"
    assert Counter(text.split("\n\n")) == Counter(op.wording.split("\n\n"))
    assert Template(text, op.variables, op.required).check() == ()


@pytest.mark.parametrize("op", movable())
def test_what_can_be_moved_reads_right_and_says_what_it_shows(op: Asking) -> None:
    words = set(op.wording.lower().replace(",", " ").replace(".", " ").split())
    assert not words & {"above", "below", "following", "preceding", "earlier:", "next:"}
    shown = set(op.shows(GIVEN))
    assert shown <= op.variables
    named = Template(op.wording, op.variables).names
    settings = named & set(type(op).model_fields)
    assert named == shown | {"question"} | settings
    assert {kind for kind, _ in parts_of(op)} == set(Kind)


def test_a_prompt_with_its_parts_in_another_order() -> None:
    (text,) = planned(JUDGED).prompts["criticised"]
    intro, _, answer, task, form = critique.PROMPT.split("\n\n")
    assert text == "\n\n".join(["{question}", intro, task, form, answer])
    (text,) = planned(JUDGED).prompts["answer"]
    intro, _, _, task = fuse.PROMPT.split("\n\n")
    assert text == "\n\n".join(["{question}", "{candidates}", intro, task])
    alone = PAIRS.replace("model: m, n: 5", "model: other, n: 5")
    (text,) = planned(alone).prompts["best"]
    intro, question, first, second, task, form = _rank_pairs.PAIRWISE.split("\n\n")
    assert text == "\n\n".join([intro, task, form, question, first, second])


def test_prompts_of_the_pipeline_stay_byte_for_byte() -> None:
    own = "Find a mistake.\\n\\n### Question\\n{question}\\n\\n### Answer\\n{candidate}"
    steps = JUDGED.replace("op: critique", f'op: critique, prompt: "{own}"')
    (text,) = planned(steps).prompts["criticised"]
    assert text == own.replace("\\n", "\n")
    same = JUDGED.replace("op: critique", f"op: critique, prompt: {json.dumps(critique.PROMPT)}")
    assert planned(same).prompts["criticised"] == (critique.PROMPT,)


def test_a_layout_of_written_leaves_the_prompts_and_only_they_tell_two_plans_apart() -> None:
    plan, written = planned(JUDGED), planned(JUDGED, "written")
    assert written.prompts["criticised"] == (critique.PROMPT,)
    assert written.prompts["best"] == (_rank_lists.LISTWISE,)
    assert written.prompts["answer"] == (fuse.PROMPT,)
    assert written.graph.notes == ()
    assert plan.digest != written.digest
    assert plan.digest == planned(JUDGED).digest
    drawn = "\n  drafts: {op: generate, model: m, n: 3}\n  answer: {op: vote}"
    assert planned(drawn).digest == planned(drawn, "written").digest


def test_a_layout_that_there_is_not_is_told_at_its_place() -> None:
    with pytest.raises(polyarch.SpecError) as caught:
        planned(JUDGED, "shortest")
    assert "2:9" in str(caught.value)
    assert "layout" in str(caught.value)


def words(seed: int, length: int) -> str:
    return "".join(f"{seed:03}-{place:04} " for place in range(length // 9 + 1))[:length]


def sent(plan: Plan, length: int = 800) -> list[Request]:
    """The requests of a run whose candidates and critiques have so many characters."""

    def reply(request: Request, draw: Draw) -> str:
        seed = draw.number + 10 * len(request.step) + sum(map(len, request.purpose.shown)) % 7
        text = words(seed, length)
        match request.purpose.role:
            case "critique":
                return json.dumps({"critique": text})
            case "critique_all":
                numbers = range(1, len(request.purpose.shown) + 1)
                return json.dumps(
                    {
                        "critiques": [
                            {"candidate": n, "critique": f"{n} {text[:60]}"} for n in numbers
                        ]
                    }
                )
            case "verify":
                return json.dumps({"reason": "so", "verdict": "right"})
            case "rank":
                return json.dumps({"ranking": list(range(1, len(request.purpose.shown) + 1))})
            case "compare":
                return json.dumps({"reason": "so", "better": "first"})
            case "score":
                return json.dumps({"reason": "so", "score": 5})
        return text

    backends = {name: Scripted(reply, keep=True) for name in plan.graph.models}

    async def run() -> None:
        pipeline = Pipeline(plan, backends=backends)
        await pipeline.acall(words(999, 1024))
        await pipeline.aclose()

    asyncio.run(run())
    return [request for backend in backends.values() for request in backend.log.seen]


def computed(requests: list[Request]) -> float:
    """The characters of all distinct prefixes, by model."""
    nodes: dict[tuple[object, str], int] = {}
    for request in requests:
        at: object = request.model
        for character in "".join(message.text for message in request.messages):
            at = nodes.setdefault((at, character), len(nodes))
    return len(nodes)


@pytest.mark.parametrize("steps", PIPELINES.values(), ids=PIPELINES)
def test_a_run_sends_the_layout_and_the_same_parts(steps: str) -> None:
    written, laid = sent(planned(steps, "written")), sent(planned(steps))
    assert len(written) == len(laid)
    for before, after in zip(written, laid, strict=True):
        assert (before.step, before.purpose) == (after.step, after.purpose)
        texts = [request.messages[-1].text for request in (before, after)]
        bare = [text.replace("### Question\n", "") for text in texts]
        assert Counter(bare[0].split("\n\n")) == Counter(bare[1].split("\n\n"))
    assert computed(laid) < computed(written)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_any_pipeline_keeps_the_parts_of_its_prompts_and_computes_no_more(seed: int) -> None:
    text = f"{random_pipeline(Random(seed))}"
    laid, written = polyarch.loads(text).plan, polyarch.loads(f"layout: written\n{text}").plan
    assert laid.prompts.keys() == written.prompts.keys()
    for step, prompts in written.prompts.items():
        for before, after in zip(prompts, laid.prompts[step], strict=True):
            bare = [prompt.replace("### Question\n", "") for prompt in (before, after)]
            assert Counter(bare[0].split("\n\n")) == Counter(bare[1].split("\n\n"))
    computed = [sum(one.computed for one in plan.sharing.values()) for plan in (laid, written)]
    assert computed[0] <= computed[1]
    assert str(laid.graph).count("<-") == str(written.graph).count("<-")


@pytest.mark.parametrize("layout", ["written", "prefix"])
@pytest.mark.parametrize("steps", [RANKED, PAIRS, TWICE], ids=["ranked", "pairs", "twice"])
def test_the_estimate_is_what_a_run_sends_and_computes(steps: str, layout: str) -> None:
    """To 5 %, with texts as long as it takes them to be."""
    plan = planned(steps, layout)
    requests = sent(plan, 4 * 200)
    share = sharing(plan.graph, Amount(256, 256)).values()
    characters = sum(len(m.text) for r in requests for m in r.messages)
    assert 4 * sum(one.sent for one in share) == pytest.approx(characters, rel=0.05)
    # The run has one question: instructions that open a prompt are not shared with others.
    assert 4 * sum(one.computed for one in share) == pytest.approx(computed(requests), rel=0.05)


@pytest.mark.parametrize("tokens", [40, 400, 4000])
@pytest.mark.parametrize("steps", PIPELINES.values(), ids=PIPELINES)
def test_no_other_orders_together_compute_less(steps: str, tokens: int) -> None:
    plan, written = planned(steps, max_tokens=tokens), planned(steps, "written", tokens)
    nodes = written.graph.nodes
    options: dict[str, list[str]] = {}
    for name, node in nodes.items():
        if isinstance(node.op, Asking) and node.op.movable:
            parts = parts_of(node.op)
            options[name] = [node.op.wording, *(laid_out(parts, o) for o in ORDERS.values())]
    found = []
    for texts in product(*options.values()):
        ops = {
            name: nodes[name].op.model_copy(update={"prompt": text})
            for name, text in zip(options, texts, strict=True)
        }
        graph = written.graph.with_nodes(
            replace(node, op=ops.get(name, node.op)) for name, node in nodes.items()
        )
        found.append(sum(one.computed for one in sharing(graph, ANY_QUESTION).values()))
    assert sum(one.computed for one in plan.sharing.values()) == min(found)


def test_a_plan_shows_what_is_sent_and_computed() -> None:
    plan = planned(JUDGED)
    told = json.loads(EMITTERS["json"](plan))
    steps = {step["name"]: step["estimated_prompt_tokens"] for step in told["steps"]}
    assert steps["drafts"] == {"sent": 256, "computed": 256}
    total = told["estimated_prompt_tokens"]
    for what in ("sent", "computed"):
        assert total[what] == sum(step[what] for step in steps.values())
    line = f"prompt tokens: about {total['computed']:,} of {total['sent']:,} computed"
    assert line in EMITTERS["table"](plan)
    before = json.loads(EMITTERS["json"](planned(JUDGED, "written")))["estimated_prompt_tokens"]
    assert total["computed"] < 0.85 * before["computed"]


def test_a_compiled_module_carries_the_layout() -> None:
    plan = planned(JUDGED)
    scope: dict[str, Any] = {"__name__": "compiled"}
    exec(compile(EMITTERS["python"](plan), "<compiled>", "exec"), scope)
    again = scope["PIPELINE"].plan
    assert again.prompts == plan.prompts
    assert again.digest == plan.digest


def test_a_long_pipeline_is_laid_out_and_the_same_twice() -> None:
    ops = ["critique", "refine"] * 30
    middle = "".join(f"\n  step{i}: {{op: {op}, model: m}}" for i, op in enumerate(ops))
    steps = f"\n  first: {{op: generate, model: m, n: 4}}{middle}\n  last: {{op: vote}}"
    plan = planned(steps)
    assert len(plan.prompts) == 61
    assert str(prefix(plan.graph)) == str(plan.graph)
    assert planned(steps).digest == plan.digest


def test_a_candidate_that_is_read_by_two_ways_has_one_text() -> None:
    plan = planned("""
  drafts: {op: generate, model: m, n: 8}
  criticised: {op: critique, model: m}
  checked: {op: verify, model: m, from: drafts}
  graded: {op: rank, model: m, from: [criticised, checked], method: pointwise}""")
    intro, _, answer, task, form = _rank_single.POINTWISE.split("\n\n")
    assert plan.prompts["graded"] == ("\n\n".join(["{question}", answer, intro, task, form]),)
    after = "\n\n".join(["", intro, task, form])
    own = sum(len(part) // 4 for part in (*after.split("{criterion}"), rank.CRITERION))
    share = plan.sharing["graded"]
    assert share.sent == 16 * (256 + len("\n\n### Answer\n") // 4 + 200 + own)
    assert share.computed == 8 * own
