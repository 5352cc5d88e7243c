"""optillm's names: approaches, how they are joined, and what has no equal."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from sim import compiled, simulate

import polyarch
from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted
from polyarch.compiler.errors import InputError
from polyarch.importing import from_optillm
from polyarch.importing.optillm_approaches import ALIASES, APPROACHES, LACKING
from polyarch.pipelines import names


def imported(name: str) -> dict[str, Any]:
    """What the imported file says, after it was compiled."""
    made = from_optillm(name)
    polyarch.loads(made.text).plan.refuse()
    told: dict[str, Any] = yaml.safe_load(made.text)
    return told


def refused(name: str) -> str:
    with pytest.raises(InputError) as caught:
        from_optillm(name)
    return str(caught.value)


@pytest.mark.parametrize("approach", [*APPROACHES, *ALIASES])
def test_every_approach_compiles_alone_and_joined(approach: str) -> None:
    assert imported(f"{approach}-gpt-4o")["models"] == {"model": "openai/gpt-4o"}
    for sign in "&|":
        imported(f"{approach}{sign}moa{sign}{approach}-gpt-4o")


def test_one_approach_is_its_pipeline_with_its_own_numbers() -> None:
    assert from_optillm("self_consistency-gpt-4o").text == (
        "# Imported from a name of optillm's.\n"
        "# self_consistency: optillm groups texts that look alike; the answers vote here, read as\n"
        "#   `answer:` says\n"
        "# answer: number is a guess; it is the kind of your answers that belongs there\n"
        "name: self_consistency\n"
        "about: optillm's self_consistency-gpt-4o\n"
        "\n"
        "models:\n"
        "  model: openai/gpt-4o\n"
        "\n"
        "answer: number\n"
        "\n"
        "steps:\n"
        "  drafts: {op: generate, n: 5, temperature: 1, max_tokens: 4096}\n"
        "  answer: {op: vote}\n"
    )


def test_an_ampersand_asks_the_next_what_the_one_before_replied() -> None:
    told = imported("moa&bon-gpt-4o")["steps"]
    assert list(told) == ["moa_drafts", "moa_feedback", "moa_answer", "bon"]
    assert told["moa_feedback"]["op"] == "critique_all"
    assert {key: told["bon"][key] for key in ("op", "split", "most")} == {
        "op": "map",
        "split": "whole",
        "most": 1,
    }
    assert list(told["bon"]["steps"]) == ["drafts", "scored", "answer"]


def test_a_chain_asks_the_model_what_it_replied() -> None:
    text = from_optillm("none&re2-m").text.replace("openai/m", "scripted/m")
    asked: list[object] = []

    def reply(request: Request, draw: Draw) -> str:
        asked.append(request.messages[-1].content)
        return f"reply {len(asked)}\n\nand more"

    result = simulate(compiled(text), {"model": Scripted(reply)}, question="first?")
    assert asked == [
        "first?",
        "reply 1\n\nand more\nRead the question again: reply 1\n\nand more",
    ]
    assert result.answer == "reply 2\n\nand more"


def test_a_bar_runs_all_and_gives_all_replies() -> None:
    told = imported("re2|none|re2-gpt-4o")
    assert list(told["steps"]) == ["re2_1_answer", "none_answer", "re2_3_answer", "answers"]
    assert told["output"] == {"from": "answers", "keep": 3}


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("moa-gpt-4o-mini", "openai/gpt-4o-mini"),
        ("moa", "openai/gpt-4o-mini"),
        ("moa-openai/gpt-4o", "openai/gpt-4o"),
        ("moa-gemini/gemini-1.5-flash-002", "litellm/gemini/gemini-1.5-flash-002"),
        ("moa-meta-llama/Llama-3.2-1B-Instruct", "vllm/meta-llama/Llama-3.2-1B-Instruct"),
    ],
)
def test_where_the_model_is(name: str, model: str) -> None:
    assert imported(name)["models"] == {"model": model}


def test_of_approaches_without_a_sign_the_first_runs() -> None:
    made = from_optillm("none-moa-gpt-4o")
    assert yaml.safe_load(made.text)["steps"] == {"answer": {"op": "generate"}}
    assert made.notes == (
        "of approaches joined by hyphens optillm runs the first alone; & joins them",
    )


@pytest.mark.parametrize("approach", LACKING)
def test_what_has_no_equal_is_refused_with_the_nearest(approach: str) -> None:
    _, near = LACKING[approach]
    assert set(near) <= set(names())
    for name in (f"{approach}-gpt-4o", f"moa&{approach}-gpt-4o", f"{approach}|moa-x"):
        message = refused(name)
        assert f"optillm's {approach!r} has no equal here" in message
        assert all(pipeline in message for pipeline in near)


def test_no_search_over_trees() -> None:
    assert refused("mcts-gpt-4o") == (
        "optillm's 'mcts' has no equal here: there is no tree search; the nearest in the library: "
        "revision_chains, refine_until_verified, best_of_n"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "gpt-4o",
            "'gpt-4o' begins with no approach of optillm's (for the model alone, ",
        ),
        ("", "begins with no approach"),
        ("mao-gpt-4o", 'did you mean "moa"?'),
        ("moa&bom-gpt-4o", "no approach 'bom' in optillm; did you mean \"bon\"?"),
        ("moa&bon|re2-x", "& and | do not go together"),
        ("moa&bon-re2|moa-x", "& and | do not go together"),
        ("moa&-x", "no approach '' in optillm"),
        ("moa-meta/a+b", "adapters on top of a model have no equal here"),
    ],
)
def test_what_is_no_name_is_refused(name: str, message: str) -> None:
    assert message in refused(name)
