"""Archon's configurations: what becomes of each shape, and what is refused where."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
import yaml
from sim import compiled, simulate

import polyarch
from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted
from polyarch.compiler.errors import InputError, SpecError
from polyarch.importing import from_archon

Made = dict[str, Any]


def component(kind: str, **more: Any) -> Made:
    return {
        "type": kind,
        "model": "gpt-4o",
        "model_type": "OpenAI_API",
        "temperature": 0.7,
        "max_tokens": 2048,
        **more,
    }


def config(*layers: Any) -> str:
    return json.dumps({"name": "Mine", "layers": layers}, indent=2)


DRAFTS = [component("generator", samples=5)]
WRITER = [component("unit_test_generator", samples=1, unit_test_cap=4)]
FUSER = [component("fuser", samples=1)]


def imported(*layers: Any) -> tuple[Made, tuple[str, ...]]:
    """What the imported file says, after it was compiled, and the notes."""
    made = from_archon(config(*layers), "mine.json")
    polyarch.loads(made.text).plan.refuse()
    told: Made = yaml.safe_load(made.text)
    return told, made.notes


def steps(*layers: Any) -> Made:
    told: Made = imported(*layers)[0]["steps"]
    return told


def refused(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        from_archon(text, "mine.json")
    return str(caught.value)


def test_the_file_of_a_small_configuration() -> None:
    ranker = component("ranker", top_k=3)
    made = from_archon(config(DRAFTS, [ranker], FUSER))
    assert made.text == (
        "# Imported from an Archon configuration.\n"
        "name: mine\n"
        "about: Archon's Mine\n"
        "source: 'Archon: An Architecture Search Framework for Inference-Time Techniques "
        "(Saad-Falcon et al., 2024)'\n"
        "\n"
        "models:\n"
        "  gpt_4o: {model: openai/gpt-4o, temperature: 0.7, max_tokens: 2048}\n"
        "\n"
        "steps:\n"
        "  drafts: {op: generate, model: gpt_4o, n: 5}\n"
        "  ranked: {op: rank, model: gpt_4o, orders: 1, keep: 3}\n"
        "  answer: {op: fuse, model: gpt_4o}\n"
    )
    assert made.notes == ()
    polyarch.loads(made.text).plan.refuse()


def test_the_older_form_of_a_layer_is_the_same() -> None:
    older = [{"branches": 1, "models": DRAFTS}, {"models": FUSER}]
    told, notes = imported(*older)
    assert told == imported(DRAFTS, FUSER)[0]
    assert notes == ("layers[0]: branches is left out: Archon no longer reads branches",)


def test_several_generators_are_an_ensemble() -> None:
    other = component("generator", model="Qwen/Qwen2-72B", model_type="Together_API")
    assert steps([component("generator"), other], FUSER)["drafts"] == {
        "op": "ensemble",
        "members": ["gpt_4o", "qwen2_72b"],
    }
    threes = [component("generator", samples=3), {**other, "samples": 3}]
    assert steps(threes, FUSER)["drafts"]["n"] == 3
    mixed = [component("generator", samples=3), {**other, "samples": 1}]
    assert steps(mixed, FUSER)["drafts"]["members"] == [{"model": "gpt_4o", "n": 3}, "qwen2_72b"]


def test_what_uses_of_a_model_differ_in_stands_with_the_steps() -> None:
    told, _ = imported(DRAFTS, [component("fuser", temperature=0.1)])
    assert told["models"] == {"gpt_4o": {"model": "openai/gpt-4o", "max_tokens": 2048}}
    assert told["steps"]["drafts"]["temperature"] == 0.7
    assert told["steps"]["answer"] == {"op": "fuse", "model": "gpt_4o", "temperature": 0.1}


@pytest.mark.parametrize(
    ("kind", "name", "more", "model"),
    [
        ("OpenAI_API", "gpt-4o", {}, "openai/gpt-4o"),
        ("Together_API", "Qwen/Q", {}, "litellm/together_ai/Qwen/Q"),
        ("Anthropic_API", "claude-3", {}, "litellm/anthropic/claude-3"),
        ("Groq_API", "llama", {}, "litellm/groq/llama"),
        ("Google_API", "gemini-1.5-pro", {}, "litellm/gemini/gemini-1.5-pro"),
        ("Bedrock_API", "anthropic.claude", {}, "litellm/bedrock/anthropic.claude"),
        ("Bedrock_API", "bedrock/anthropic.claude", {}, "litellm/bedrock/anthropic.claude"),
        ("vLLM", "facebook/opt-125m", {}, "vllm/facebook/opt-125m"),
        ("vLLM", "m", {"base_url": "http://127.0.0.1:8000/v1/"}, "openai/m"),
        ("local", "m", {"api_base": "http://127.0.0.1:8000/v1"}, "openai/m"),
        ("tgi", "http://127.0.0.1:8080/v1", {}, "openai/tgi"),
        ("local", "m", {}, "vllm/m"),
        ("Acme_API", "m", {}, "litellm/acme/m"),
    ],
)
def test_where_models_are(kind: str, name: str, more: Made, model: str) -> None:
    given = component("generator", model=name, model_type=kind, **more)
    told, notes = imported([given])
    (entry,) = told["models"].values()
    assert entry["model"] == model
    if model.startswith("openai/") and model != "openai/gpt-4o":
        assert entry["options"]["base_url"].rstrip("/") in (name, "http://127.0.0.1:8000/v1")
    assert any("model_type" in note for note in notes) == (kind == "Acme_API" or model == "vllm/m")


def test_models_of_one_last_name_have_names_of_their_own() -> None:
    two = [
        component("generator", model="a/m", model_type="Together_API"),
        component("generator", model="b/m", model_type="Together_API"),
    ]
    assert list(imported(two, FUSER)[0]["models"]) == ["m", "m_2", "gpt_4o"]


def test_critiques_are_of_all_candidates_at_once_and_need_a_fuser() -> None:
    critic = [component("critic", samples=1)]
    assert steps(DRAFTS, critic, FUSER)["critiques"] == {"op": "critique_all", "model": "gpt_4o"}
    told, notes = imported(DRAFTS, critic, [component("ranker", top_k=1)])
    assert list(told["steps"]) == ["drafts", "answer"]
    assert notes[0].startswith("layers[1][0]: the critic is left out: no fuser reads")


def test_a_ranker_keeps_all_where_it_asks_for_as_many() -> None:
    told = steps(DRAFTS, [component("ranker", top_k=9)], FUSER)
    assert told["ranked"]["keep"] == "all"
    alone, notes = imported([component("generator")], [component("ranker", top_k=1)])
    assert alone["steps"] == {"answer": {"op": "generate", "model": "gpt_4o"}}
    assert notes == ("layers[1][0]: the ranker is left out: it has one candidate",)


def test_the_fuser_after_it_compares_pairs_in_the_place_of_pairrm() -> None:
    pairs = component("ranker", model="llm-blender/PairRM", top_k=2, ranker_batch_size=16)
    told, notes = imported(DRAFTS, [pairs], [component("fuser", model="gpt-4o-mini")])
    assert told["steps"]["ranked"] == {
        "op": "rank",
        "model": "gpt_4o_mini",
        "temperature": 0,
        "method": "pairwise",
        "orders": 1,
        "keep": 2,
    }
    assert list(told["models"]) == ["gpt_4o", "gpt_4o_mini"]
    assert "layers[1][0]: PairRM cannot be asked here: gpt_4o_mini compares every two instead" in (
        notes
    )


def test_a_verifier_lets_all_through_when_none_is_right() -> None:
    told = steps(DRAFTS, [component("verifier", samples=1, first_k=2)], FUSER)
    assert told["verdicts"] == {"op": "verify", "model": "gpt_4o"}
    assert told["right"] == {"op": "select", "by": "verify", "at_least": 1, "keep": 2}
    assert told["verified"] == {"op": "either", "from": ["right", "verdicts"]}
    assert steps(DRAFTS, [component("verifier")], FUSER)["right"]["keep"] == 5


def test_tests_are_written_and_judged_in_one_step() -> None:
    judge = component("unit_test_evaluator", temperature=0, remove_unit_tests_from_prompt=True)
    told, notes = imported(WRITER, DRAFTS, [{**judge, "top_k": 1}])
    assert told["steps"]["answer"] == {
        "op": "unit_test",
        "tests": "words",
        "model": "gpt_4o",
        "temperature": 0.7,
        "max_tokens": 2048,
        "most": 4,
        "judge": {"model": "gpt_4o", "temperature": 0, "max_tokens": 2048},
        "keep": 1,
    }
    assert any("as in the paper" in note for note in notes)
    assert any("remove_unit_tests_from_prompt is left out" in note for note in notes)


def test_the_first_that_passes_all_tests_ends_it() -> None:
    for first in ({"first_pass": True}, {"first_k": 1}, {"first_k": 1, "first_pass": False}):
        judge = component("unit_test_evaluator", top_k=1, **first)
        assert steps(WRITER, DRAFTS, [judge])["answer"]["method"] == "first_pass"


def test_so_many_that_pass_all_tests_or_else_the_best() -> None:
    judge = component("unit_test_evaluator", top_k=2, first_k=3)
    told = steps(WRITER, DRAFTS, [judge], FUSER)
    assert told["passing"] == {"op": "select", "by": "tests", "at_least": 1, "keep": 3}
    assert told["enough"] == {"op": "when", "holds": {"candidates": 3}, "from": "passing"}
    assert told["best"]["keep"] == 2
    assert told["evaluated"] == {"op": "either", "from": ["enough", "best"]}
    without = steps(WRITER, DRAFTS, [component("unit_test_evaluator", first_k=3)], FUSER)
    assert without["evaluated"]["from"] == ["enough", "tested"]


def test_tests_that_nobody_evaluates_are_left_out() -> None:
    told, notes = imported(DRAFTS, WRITER, FUSER)
    assert list(told["steps"]) == ["drafts", "answer"]
    assert "no evaluator reads its tests" in notes[0]
    assert "the paper does not" in notes[0]


def test_every_component_of_a_layer_reads_the_layer_before() -> None:
    fusers = [component("fuser", samples=2), component("fuser", model="gpt-4o-mini")]
    told = steps(DRAFTS, fusers, FUSER)
    assert told["fused"] == {"op": "fuse", "model": "gpt_4o", "n": 2}
    assert told["fused_2"] == {"op": "fuse", "model": "gpt_4o_mini", "from": "drafts"}
    assert told["answer"]["from"] == ["fused", "fused_2"]
    mixed = steps(DRAFTS, [component("ranker", top_k=2), component("verifier")], FUSER)
    assert mixed["answer"]["from"] == ["ranked", "verified"]


def test_several_results_are_cut_to_one() -> None:
    told, notes = imported(DRAFTS)
    assert told["steps"]["answer"] == {"op": "select", "by": "first"}
    assert notes[-1].startswith("layers[0]: several candidates come out")


def test_a_fuser_of_one_candidate_rewrites_it() -> None:
    told = steps([component("generator")], [component("fuser", samples=2)], FUSER)
    assert told["fused"] == {"op": "refine", "model": "gpt_4o"}
    assert told["fused_2"] == {"op": "refine", "model": "gpt_4o", "from": "drafts"}
    assert told["answer"]["from"] == ["fused", "fused_2"]
    critic = [component("critic")]
    one = [component("generator")]
    assert steps(one, critic, [component("verifier")], FUSER)["answer"]["op"] == "fuse"


def test_the_length_is_bounded_by_the_prompt() -> None:
    told = steps(DRAFTS, [component("fuser", length_control=True)])
    assert told["answer"]["prompt"].endswith("the longest of the given answers.")
    assert "{candidates}" in told["answer"]["prompt"]


def test_dead_and_strange_keys_are_told_once_with_all_their_places() -> None:
    dead = component("generator", top_k=1, no_system=True, weight=3)
    text = json.dumps({"layers": [[dead, dead], FUSER], "custom": True, "by": "me"})
    made = from_archon(text)
    assert made.notes == (
        "the file: by is left out: it is no key that Archon reads",
        "custom: custom components and generators are Python code, which is not read",
        "layers[0][0], layers[0][1]: top_k is left out: Archon reads top_k of a ranker and of a "
        "unit_test_evaluator alone",
        "layers[0][0], layers[0][1]: no_system is left out: nothing adds a system message here",
        "layers[0][0], layers[0][1]: weight is left out: it is no key that Archon reads",
    )
    assert yaml.safe_load(made.text)["name"] == "archon"
    for note in made.notes:
        assert note in " ".join(made.text.replace("\n#  ", "").split())


def test_what_archon_sends_otherwise_is_told() -> None:
    claude = component("generator", model="claude", model_type="Anthropic_API")
    assert any("max_tokens 4096" in note for note in imported([claude])[1])
    bedrock = component("generator", model="m", model_type="Bedrock_API")
    assert any("Bedrock neither" in note for note in imported([bedrock])[1])
    bare = component("generator", model="o1-mini-2024-09-12")
    assert imported([bare])[0]["models"] == {"o1_mini_2024_09_12": "openai/o1-mini-2024-09-12"}


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([FUSER], "layers[0][0]: a fuser needs candidates: a generator first"),
        ([DRAFTS, DRAFTS], "layers[1][0]: a generator would throw away the candidates so far"),
        ([WRITER], "layers: no generator: nothing gives a candidate"),
        (
            [DRAFTS, [component("unit_test_evaluator")]],
            "layers[1][0]: no unit_test_generator in a layer before it",
        ),
        (
            [DRAFTS, [component("critic"), *FUSER]],
            "layers[1][0]: a critic stands alone in its layer",
        ),
        ([[]], 'layers[0]: a layer is a list of components, or {"models": […]}'),
        ([{"models": 3}], "layers[0].models: a layer is a list of components"),
        (["x"], "layers[0]: a layer is a list of components"),
        ([[3]], "layers[0][0]: a component is an object with type, model and model_type"),
        ([[{"type": "generator"}]], "layers[0][0]: a component wants model, a text"),
        ([[{"model": "m"}]], "layers[0][0]: a component wants a type: generator, fuser"),
        ([[component("generatr")]], "layers[0][0].type: unknown type 'generatr'"),
        ([[component("generator", samples=0)]], "layers[0][0].samples: a whole number, at least 1"),
        (
            [[component("generator", samples=True)]],
            "layers[0][0].samples: a whole number, at least 1",
        ),
        (
            [[component("generator", temperature="hot")]],
            "layers[0][0].temperature: a number from 0 to 5",
        ),
        (
            [[component("unit_test_generator", unit_test_cap=300)]],
            "layers[0][0].unit_test_cap: a whole number, at least 1 and at most 256",
        ),
        (
            [[component("fuser", length_control="no")]],
            "layers[0][0].length_control: true or false",
        ),
        (
            [[component("generator", model_type="tgi")]],
            "layers[0][0].model: the server is an address like",
        ),
        (
            [[component("generator", base_url="here")]],
            "layers[0][0].base_url: the server is an address like",
        ),
        ([[component("generator", base_url=3)]], "layers[0][0].base_url: an address is a text"),
    ],
)
def test_what_is_wrong_is_told_with_its_path(layers: list[Any], message: str) -> None:
    assert f"error[import]: {message}" in refused(config(*layers))


def test_a_fault_has_its_line_and_a_caret() -> None:
    text = '{"layers": [[\n\t{"type": "generatr", "model": "m", "model_type": "vLLM"}\n]]}'
    assert refused(text) == (
        "mine.json:2:11: error[import]: layers[0][0].type: unknown type 'generatr'\n"
        '  2 |  {"type": "generatr", "model": "m", "model_type": "vLLM"}\n'
        "    |           ^^^^^^^^^^\n"
        '    = did you mean "generator"?; custom components are Python code'
    )


def test_all_that_is_wrong_is_told_at_once() -> None:
    told = refused(config([component("generator", samples=-1, max_tokens=1.5)], [component("x")]))
    assert told.count("error[import]") == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "mine.json:1:1: error[json]: not JSON: Expecting value"),
        ('{"layers": [[}', "mine.json:1:14: error[json]: not JSON: Expecting value"),
        ('{"layers":\n [],}', "mine.json:2:5: error[json]: not JSON"),
        ('{"layers": 1,\n "layers": 2}', "mine.json:2:2: error[json]: layers: written twice"),
        ('{"layers": [NaN]}', "mine.json:1:13: error[json]: not JSON: NaN"),
        (
            '{"name": "\\ud800"}',
            "mine.json:1:10: error[json]: half of a surrogate pair, which is no text",
        ),
        ("[]", 'mine.json:1:1: error[import]: the file: a configuration is an object with "lay'),
        ("{}", "error[import]: the file: a configuration is an object"),
        ('{"layers": []}', "mine.json:1:12: error[import]: layers: a list of layers, at least one"),
        ('{"layers": 7}', "error[import]: layers: a list of layers, at least one"),
        ('{"name": 3, "layers": [[1]]}', "mine.json:1:10: error[import]: name: the name is a text"),
    ],
)
def test_what_is_no_configuration_is_told_with_its_place(text: str, message: str) -> None:
    assert message in refused(text)


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 900 + "]" * 900, "[" + "9" * 5000 + "]"])
def test_what_cannot_be_held_is_refused(text: str) -> None:
    with pytest.raises((InputError, SpecError)):
        from_archon(text)


def test_a_name_stays_within_its_quotes_and_comments() -> None:
    wild = component("generator", model='a"b: {c}\n- d', model_type="Together_API")
    wild["evil\nsteps: {}"] = 1
    made = from_archon(json.dumps({"name": "x: [y\nz", "layers": [[wild]]}))
    told = yaml.safe_load(made.text)
    assert list(told) == ["name", "about", "source", "models", "steps"]
    assert told["about"] == "Archon's x: [y\nz"


def answered(*layers: Any, right: str = "", passing: str = "") -> str | None:
    """What an imported pipeline answers whose draws are A, B, C, …: those in `right` verify, those
    in `passing` meet both tests, all others one of the two."""

    def reply(request: Request, draw: Draw) -> str:
        shown = request.purpose.shown
        match request.purpose.role:
            case "solve":
                return "ABCDE"[draw.index]
            case "fuse":
                return "+".join(shown)
            case "verify":
                return json.dumps({"reason": "", "verdict": _verdict(shown[0] in right)})
            case "write_tests":
                return json.dumps({"tests": ["easy", "hard"]})
            case "check":
                met = shown[0] in passing or shown[1] == "easy"
                return json.dumps({"reason": "", "verdict": "pass" if met else "fail"})
        raise AssertionError(request.purpose.role)

    text = from_archon(config(*layers)).text.replace("openai/gpt-4o", "scripted/x")
    return simulate(compiled(text), {"gpt_4o": Scripted(reply)}).answer


def _verdict(right: bool) -> str:
    return "right" if right else "wrong"


@pytest.mark.parametrize(
    ("right", "first", "fused"),
    [("BDE", None, "B+D+E"), ("BDE", 2, "B+D"), ("E", 2, "E"), ("", 2, "A+B+C+D+E")],
)
def test_what_a_verifier_lets_through(right: str, first: int | None, fused: str) -> None:
    verifier = [component("verifier", first_k=first)]
    assert answered(DRAFTS, verifier, FUSER, right=right) == fused


@pytest.mark.parametrize(
    ("passing", "first", "keep", "fused"),
    [
        ("D", None, 2, "D+A"),
        ("BD", 1, 2, "B"),
        ("", 1, 2, "A+B"),
        ("BDE", 2, 4, "B+D"),
        ("B", 2, 4, "B+A+C+D"),
        ("B", 2, None, "B+A+C+D+E"),
        ("BDE", 9, 2, "B+D"),
    ],
)
def test_what_evaluators_let_through(
    passing: str, first: int | None, keep: int | None, fused: str
) -> None:
    evaluator = [component("unit_test_evaluator", first_k=first, top_k=keep)]
    assert answered(WRITER, DRAFTS, evaluator, FUSER, passing=passing) == fused


def test_what_two_components_let_through_is_there_once() -> None:
    ranker = component("ranker")
    told = steps([component("generator")], [ranker, ranker], FUSER)
    assert [step.get("op") for step in told.values()] == ["generate", "refine"]
    told = steps(DRAFTS, [component("fuser"), ranker], [component("critic")], [ranker, ranker])
    assert told["answer"] == {"op": "select", "by": "first", "from": ["ranked_2", "ranked_3"]}


_KEYS: Made = {
    "temperature": (0, 0.7, 2.0),
    "max_tokens": (1, 8192),
    "samples": (1, 2, 5),
    "top_k": (1, 3),
    "first_k": (1, 2),
    "first_pass": (True, False),
    "unit_test_cap": (1, 5),
    "length_control": (True, False),
    "use_critiques": (True, False),
    "ranker_batch_size": (5,),
    "remove_unit_tests_from_prompt": (True,),
    "base_url": ("http://127.0.0.1:8000/v1",),
    "weight_of_mine": (1,),
}
_MODELS = (
    ("OpenAI_API", "gpt-4o"),
    ("Together_API", "Qwen/Qwen2-72B-Instruct"),
    ("Anthropic_API", "claude-3-opus"),
    ("Groq_API", "llama3-70b-8192"),
    ("Google_API", "gemini-1.5-pro"),
    ("Bedrock_API", "meta.llama3-70b-instruct-v1:0"),
    ("vLLM", "facebook/opt-125m"),
    ("tgi", "http://127.0.0.1:8080/v1"),
    ("My_API", "a model of mine"),
)
_LATER = ("fuser", "critic", "ranker", "verifier", "unit_test_generator", "unit_test_evaluator")


def _any_component(rng: Random, kind: str) -> Made:
    model_type, model = rng.choice(_MODELS)
    keys = {key: rng.choice(values) for key, values in _KEYS.items() if rng.random() < 0.35}
    if kind == "ranker" and rng.random() < 0.25:
        model_type, model = "Together_API", "llm-blender/PairRM"
    return {"type": kind, "model": model, "model_type": model_type, **keys}


def _any_layers(rng: Random) -> Iterator[Any]:
    """Layers in any order that Archon can run: tests are written before they are evaluated."""
    yield [_any_component(rng, "generator") for _ in range(rng.randint(1, 3))]
    written = False
    for _ in range(rng.randint(0, 5)):
        kind = rng.choice(_LATER if written else _LATER[:-1])
        layer = [_any_component(rng, kind)]
        if kind != "critic" and rng.random() < 0.4:
            layer.append(_any_component(rng, rng.choice(("fuser", "ranker", "verifier", kind))))
        yield {"models": layer} if rng.random() < 0.3 else layer
        written |= kind == "unit_test_generator"


@pytest.mark.parametrize("seed", range(60))
def test_configurations_of_any_shape_compile(seed: int) -> None:
    layers = list(_any_layers(Random(seed)))
    made = from_archon(config(*layers), "any.json")
    plan = polyarch.loads(made.text).plan
    plan.refuse()
    assert plan.flows[plan.graph.output].count.high == 1
    if "weight_of_mine" in str(layers):
        assert any("weight_of_mine is left out" in note for note in made.notes)
