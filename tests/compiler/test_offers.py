"""What models offer is held against what steps need, and against what they would rather have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from polyarch.compiler.build import build
from polyarch.compiler.emit import EMITTERS
from polyarch.compiler.emit.lints import lints
from polyarch.compiler.errors import SpecError
from polyarch.compiler.plan import Plan, plan
from polyarch.compiler.registry import backend, backend_names, offers, operator_names
from polyarch.compiler.source import parse

HEAD = """\
name: p
models:
  plain: {model: scripted/plain, options: {offers: [stop]}}
  told: {model: scripted/told, options: {offers: [logprobs, guided_json]}}
"""


def planned(text: str) -> Plan:
    return plan(build(parse(text, "p.yaml"), Path()))


def fault(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        planned(text)
    (found,) = caught.value.faults
    assert found.code == "capability"
    return f"{found.span.line}: {found.message} | {found.hint}"


WRONG = {
    "  a: {op: generate, model: plain, logprobs: true}": (
        "6: step 'a' needs logprobs, which plain (scripted/plain) does not offer"
        " | logprobs: told of this pipeline offers it"
    ),
    "  a: {op: ensemble, members: [told, plain], logprobs: true}": (
        "6: step 'a' needs logprobs, which plain (scripted/plain) does not offer"
        " | logprobs: told of this pipeline offers it"
    ),
    "  a: {op: ensemble, members: [told, {model: plain, thinking: 9}]}": (
        "6: step 'a' needs thinking, which plain (scripted/plain) does not offer"
        " | thinking: backends that offer it: openai (with options: "
        "{thinking: thinking_token_budget})"
    ),
    "  a: {op: generate, model: told}\n  b: {op: score, model: told, by: reward}": (
        "7: step 'b' needs reward, which told (scripted/told) does not offer"
        " | reward: backends that offer it: openai (with options: {api: reward}), replay (with "
        "recordings that hold a score)"
    ),
    "  a: {op: generate, model: told}\n  b: {op: score, model: told, by: logprob}": (
        "7: step 'b' needs continuation, prompt_logprobs, which told (scripted/told) does not offer"
        " | continuation: backends that offer it: embedded, openai (with options: {continuation: "
        "true}); prompt_logprobs: backends that offer it: embedded, openai (with options: "
        "{prompt_logprobs: true})"
    ),
}


@pytest.mark.parametrize("steps", WRONG)
def test_a_need_that_is_not_met_is_told_with_what_would_meet_it(
    steps: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "polyarch.compiler.build.offers.backend_names", lambda: ("embedded", "openai", "replay")
    )
    last = "  z: {op: select, by: first}"
    assert fault(f"{HEAD}steps:\n{steps}\n{last}\n") == WRONG[steps]


def test_an_option_that_turns_it_on_is_named() -> None:
    told = fault(
        "name: p\n"
        'models: {m: {model: openai/x, options: {base_url: "http://localhost:1/v1"}}}\n'
        "steps:\n"
        "  a: {op: generate, logprobs: true}\n"
    )
    assert "4: step 'a' needs logprobs, which m (openai/x) does not offer | " in told
    assert "openai offers it with options: {logprobs: true}" in told
    assert "embedded" in told


def test_what_may_be_asked_instead_must_offer_it_too() -> None:
    text = HEAD.replace("[logprobs, guided_json]}", "[logprobs]}, fallback: [plain]")
    told = fault(f"{text}steps:\n  a: {{op: generate, model: told, logprobs: true}}\n")
    assert "needs logprobs, which plain (scripted/plain), the fallback of told, does not" in told
    planned(f"{text}steps:\n  a: {{op: generate, model: told}}\n")


def test_a_bound_on_reasoning_of_a_model_that_takes_none_is_a_fault() -> None:
    text = HEAD.replace("offers: [stop]}", "offers: [stop]}, thinking: 64")
    told = fault(f"{text}steps:\n  a: {{op: generate, model: told}}\n")
    assert told.startswith("3: plain (scripted/plain) does not offer thinking | ")


def test_a_bound_on_reasoning_is_settled_and_priced() -> None:
    made = planned(
        "name: p\n"
        "models: {m: {model: scripted/x, thinking: 100, max_tokens: 20}}\n"
        "steps:\n"
        "  a: {op: generate, n: 2}\n"
        "  b: {op: generate, n: 2, thinking: 0}\n"
        "  c: {op: vote, from: [a, b]}\n"
    )
    assert [made.graph.nodes[name].op.askings()[0].thinking for name in "ab"] == [100, 0]
    assert made.costs["a"].completion.high == 240
    assert made.costs["b"].completion.high == 40
    assert made.flows["a"].tokens.high == 20


def test_what_is_done_without_is_a_note_of_the_plan() -> None:
    text = HEAD.replace("[logprobs, guided_json]}", "[guided_json]}, fallback: [plain]")
    made = planned(
        f"{text}steps:\n"
        "  a: {op: generate, model: told, n: 4}\n"
        "  b: {op: verify, model: told}\n"
        "  c: {op: verify, model: plain}\n"
        "  d: {op: vote, weight: verify}\n"
    )
    words = "(scripted/plain) does not offer guided_json: replies are parsed, with one repair turn"
    told = tuple(line for line in lints(made) if "offer" in line)
    assert told == (f"step 'b': plain {words}", f"step 'c': plain {words}")
    assert f"note: step 'b': plain {words}\n" in EMITTERS["table"](made)
    without = json.loads(EMITTERS["json"](made))["without"]
    assert [(one["step"], one["model"], one["capability"]) for one in without] == [
        ("b", "plain", "guided_json"),
        ("c", "plain", "guided_json"),
    ]


def test_votes_that_weigh_by_log_probabilities_are_told_of() -> None:
    steps = "steps:\n  a: {op: generate, model: told, n: 4, logprobs: true}\n"
    (told,) = lints(planned(f"{HEAD}{steps}  b: {{op: vote, weight: logprob_mean}}\n"))
    assert "weigh by 'probability_mean'" in told
    assert lints(planned(f"{HEAD}{steps}  b: {{op: vote, weight: probability_mean}}\n")) == ()


OPTIONS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "embedded": ("abacus", {}),
    "litellm": ("anthropic/x", {}),
    "openai": ("x", {"base_url": "http://localhost:1/v1"}),
    "scripted": ("x", {}),
}


@pytest.mark.parametrize("name", sorted(OPTIONS.keys() & set(backend_names())))
def test_what_a_backend_says_it_can_offer_is_what_its_models_say(name: str) -> None:
    model, options = OPTIONS[name]
    module = backend(name)
    always = {what for what, option in offers(name).items() if not option}
    assert module.info(model, options).capabilities == always  # type: ignore[arg-type]


OPS = Path(__file__).parents[2] / "ops"
PARTS = {
    "rank": tuple(OPS.glob("_rank*.py")),
    "score": tuple(OPS.glob("_score*.py")),
    "unit_test": (OPS / "_tests.py", OPS / "_words.py"),
    "verify": tuple(OPS.glob("_verify_*.py")),
    "watch": (OPS / "_watcher.py",),
}
"""What else asks for them."""


def test_operators_that_ask_for_a_form_say_how_they_do_without_a_schema() -> None:
    for name in operator_names():
        text = "".join(file.read_text() for file in (OPS / f"{name}.py", *PARTS.get(name, ())))
        assert ("ctx.ask(" in text) == ("PARSED" in text), name
