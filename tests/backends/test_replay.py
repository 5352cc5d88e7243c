"""Recorded draws, each under its own number; what was not recorded is never made up."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from polyarch.backends.base import Backend, Draw, Request
from polyarch.compiler.build import build
from polyarch.compiler.errors import (
    BadRequest,
    NotRecorded,
    SpecError,
    StepFailed,
)
from polyarch.compiler.plan import plan
from polyarch.compiler.registry import backend
from polyarch.compiler.source import parse
from polyarch.compiler.values import Json, Message, Purpose
from polyarch.runtime.result import Result
from polyarch.runtime.session import Session
from polyarch.runtime.virtual import run

DATA = Path(__file__).parent.parent / "data" / "gsm8k-zeroeval"
MODELS = ("Meta-Llama-3.1-8B-Instruct", "Mistral-Nemo-Instruct-2407", "Qwen2-7B-Instruct")


def rows(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


def answered(text: str, items: list[dict[str, str]]) -> list[Result]:
    made = plan(build(parse(text), Path()))

    async def main() -> list[Result]:
        async with Session(made) as session:
            return [await session.ask(item["question"], id=item["id"]) for item in items]

    return run(main())


def voters(*names: str, folder: Path = DATA) -> str:
    models = "".join(
        f"  m{i}: {{model: replay/{name}, options: {{recordings: '{folder}'}}}}\n"
        for i, name in enumerate(names)
    )
    members = ", ".join(f"m{i}" for i in range(len(names)))
    return f"""\
name: p
answer: number
models:
{models}steps:
  drafts: {{op: ensemble, members: [{members}]}}
  answer: {{op: vote}}
"""


def test_an_ensemble_votes_on_what_was_recorded() -> None:
    items = rows("items.jsonl")
    assert len(items) == 20
    said = {(row["item"], row["model"]): row for row in rows("samples.jsonl")}
    expected = []
    for item in items:
        votes = Counter(said[item["id"], name]["answer"] for name in MODELS)
        # Counter keeps first-seen order, and its sort is stable: ties go to the first.
        expected.append(votes.most_common(1)[0][0])
    results = answered(voters(*MODELS), items)
    assert [result.answer for result in results] == expected
    right = sum(r.answer == item["reference"] for r, item in zip(results, items, strict=True))
    # Two questions each of: all right; three patterns of two right; only the first right, a tie.
    assert right == 10
    made = [e for e in results[0].trace if e.what == "made" and e.step == "drafts"]
    texts = [said[items[0]["id"], name]["text"] for name in MODELS]
    assert [event.data["text"] for event in made] == texts


def test_what_is_not_recorded_is_an_error() -> None:
    (item, *_) = rows("items.jsonl")
    with pytest.raises(StepFailed) as caught:
        answered(voters(*MODELS), [{"id": "gsm8k-test-9999", "question": item["question"]}])
    assert isinstance(caught.value.__cause__, NotRecorded)
    assert "for item 'gsm8k-test-9999'" in str(caught.value)
    # Each model was asked once: a second draw is not there, under whatever name.
    with pytest.raises(StepFailed, match="no draw 1 of Qwen2"):
        answered(voters(MODELS[2], MODELS[2]), [item])


def test_a_recording_cannot_judge() -> None:
    text = voters(*MODELS).replace("op: vote", "op: rank, model: m0")
    with pytest.raises(SpecError) as caught:
        build(parse(text), Path())
    (fault,) = caught.value.faults
    assert fault.code == "capability"
    assert "cannot rank" in fault.message


def test_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(SpecError) as caught:
        build(parse(voters("Qwen2-7B-Instrct", MODELS[0])), Path())
    (fault,) = caught.value.faults
    assert fault.code == "no-such-model"
    assert 'did you mean "Qwen2-7B-Instruct"?' in fault.message


@pytest.fixture
def sampled(tmp_path: Path) -> Path:
    """Six draws of one model for one item."""
    lines = [
        json.dumps(
            {
                "item": "q",
                "model": "a/b",
                "sample": n,
                "text": f"the answer is {n}",
                "prompt_tokens": 7,
                "completion_tokens": 3,
                "latency_s": 2.5,
            }
        )
        for n in range(6)
    ]
    with gzip.open(tmp_path / "samples.jsonl.gz", "wt") as opened:
        opened.write("\n".join(lines))
    return tmp_path


def drawn(folder: Path, steps: str, models: str) -> dict[str, list[object]]:
    named = "".join(
        f"  {name}: {{model: replay/a/b, options: {{recordings: '{folder}'}}}}\n"
        for name in models.split()
    )
    text = f"name: p\nanswer: number\nmodels:\n{named}steps:\n{steps}"
    (result,) = answered(text, [{"id": "q", "question": "What?"}])
    told: dict[str, list[object]] = {}
    for event in result.trace:
        if event.what == "made" and event.step != "end":
            told.setdefault(event.step, []).append(event.data["answer"])
    assert result.usage.completion_tokens == 3 * result.usage.calls
    return told


@pytest.mark.parametrize("models", ["m", "m other"])
def test_equal_prompts_draw_different_samples(sampled: Path, models: str) -> None:
    """Two steps are two independent draws, also where a model goes by two names."""
    second = models.split()[-1]
    steps = f"""\
  one: {{op: generate, n: 2, model: m}}
  two: {{op: generate, n: 3, model: {second}}}
  end: {{op: vote, from: [one, two]}}
"""
    told = drawn(sampled, steps, models)
    assert told == {"one": ["0", "1"], "two": ["2", "3", "4"]}


def test_a_member_named_twice_draws_twice(sampled: Path) -> None:
    steps = "  one: {op: ensemble, members: [m, m], n: 3}\n  end: {op: vote}\n"
    assert drawn(sampled, steps, "m") == {"one": [str(n) for n in range(6)]}


def test_more_draws_than_there_are(sampled: Path) -> None:
    with pytest.raises(StepFailed, match="no draw 6 of a/b for item 'q'"):
        drawn(sampled, "  one: {op: generate, n: 7}\n  end: {op: vote}\n", "m")


def test_latencies_can_be_replayed(sampled: Path) -> None:
    options: dict[str, Json] = {"recordings": str(sampled), "latency": True}
    opened = backend("replay").open_backend("a/b", options)
    assert isinstance(opened, Backend)
    draws = (Draw(0, 4, 0),)
    asked = Request("m", (Message("user", "x"),), Purpose("solve", "x"), draws, 99, question="q")

    async def main() -> tuple[str, float]:
        (piece,) = [piece async for piece in opened.generate(asked)]
        return piece.text, asyncio.get_running_loop().time()

    assert run(main()) == ("the answer is 4", 2.5)


@pytest.mark.parametrize("text", ["{", '{"item": "q"}', "[]", '"x"'])
def test_a_broken_recording_names_the_line(tmp_path: Path, text: str) -> None:
    good = '{"item": "q", "model": "m", "sample": 0, "text": "x"}'
    (tmp_path / "samples.jsonl").write_text(f"{good}\n{text}\n")
    with pytest.raises(BadRequest, match="line 2 of the samples"):
        backend("replay").info("m", {"recordings": str(tmp_path)})


def test_no_folder_no_options(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="holds no samples"):
        backend("replay").info("m", {"recordings": str(tmp_path / "gone")})
    with pytest.raises(BadRequest, match="recordings"):
        backend("replay").info("m", {})


def test_the_licences_are_beside_the_recordings() -> None:
    assert {p.name for p in DATA.iterdir()} == {
        "LICENSE",
        "LICENSE.gsm8k",
        "README.md",
        "items.jsonl",
        "samples.jsonl",
    }
    assert "WildEval/ZeroEval, commit 8c1485e" in (DATA / "README.md").read_text()
