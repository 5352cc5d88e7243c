"""How engines start, are shared, die and end: no process outlives its models."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import numpy as np
import psutil
import pytest
from local_vllm import asking, options
from safetensors.numpy import load_file, save_file

from polyarch import loads
from polyarch.backends.base import Backend, Piece, Request
from polyarch.backends.embedded.problems import problems
from polyarch.backends.vllm import open_backend
from polyarch.backends.vllm.backend import VLLM
from polyarch.compiler.errors import BackendError, BadRequest, NoSuchModel, Unreachable
from polyarch.compiler.values import Json, Message

STORY = problems("demo", 1, seed=3)[0].question
HEADS, WIDTH, RANK = 8 * 32, 256, 8


async def ask(backend: Backend, request: Request) -> list[Piece]:
    async with aclosing(backend.generate(request)) as pieces:
        return [piece async for piece in pieces]


async def said(backend: Backend, request: Request) -> str:
    return "".join(piece.text for piece in await ask(backend, request))


def opened(folder: Path, **others: Json) -> VLLM:
    made = open_backend("abacus", options(folder, **others))
    assert isinstance(made, VLLM)
    return made


def engines() -> list[psutil.Process]:
    return [p for p in psutil.Process().children(recursive=True) if "EngineCor" in p.name()]


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    """An adapter that turns every query of the first layer by chance."""
    settings = {"peft_type": "LORA", "r": RANK, "lora_alpha": 64, "target_modules": ["q_proj"]}
    (tmp_path / "adapter_config.json").write_text(json.dumps(settings))
    dice = np.random.default_rng(0)
    name = "base_model.model.model.layers.0.self_attn.q_proj"
    weights = {
        f"{name}.lora_A.weight": dice.standard_normal((RANK, WIDTH)).astype(np.float32),
        f"{name}.lora_B.weight": dice.standard_normal((HEADS, RANK)).astype(np.float32),
    }
    save_file(weights, tmp_path / "adapter_model.safetensors")
    return tmp_path


@pytest.mark.usefixtures("gone")
async def test_models_share_an_engine_and_adapters_answer_differently(
    folder: Path, lora: Path
) -> None:
    loras = {"turned": str(lora)}
    plain = opened(folder, loras=loras)
    turned = opened(folder, loras=loras, adapter="turned")
    turned.join([plain])
    first, other = await asyncio.gather(said(plain, asking(STORY)), said(turned, asking(STORY)))
    assert first != other
    assert len(engines()) == 1
    await plain.aclose()
    await plain.aclose()
    assert await said(turned, asking(STORY)) == other
    await turned.aclose()
    assert engines() == []


@pytest.mark.usefixtures("gone")
async def test_a_dead_engine_is_told_and_the_next_request_starts_another(folder: Path) -> None:
    backend = opened(folder)
    first = await said(backend, asking(STORY))
    under_way = asyncio.create_task(ask(backend, asking(STORY, 8, regex="[0-9]{60}")))
    await asyncio.sleep(0.05)
    (engine,) = engines()
    engine.kill()
    with pytest.raises(Unreachable, match="vllm/abacus lost its engine"):
        await under_way
    assert await said(backend, asking(STORY)) == first
    (other,) = engines()
    assert other.pid != engine.pid
    await backend.aclose()


@pytest.mark.usefixtures("gone")
async def test_an_engine_that_cannot_start_says_so_again_and_again(folder: Path) -> None:
    backend = opened(folder, max_model_len=100_000)
    for _ in range(2):
        with pytest.raises(BackendError, match="vllm/abacus did not start") as caught:
            await ask(backend, asking(STORY))
        assert "\n" not in str(caught.value)
        assert not caught.value.retryable
    await backend.aclose()
    assert engines() == []


@pytest.mark.usefixtures("gone")
async def test_what_ended_the_process_that_starts_is_told(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    weights = load_file(broken / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    backend = opened(broken)
    with pytest.raises(BackendError, match=r"did not start: .*model\.norm\.weight") as caught:
        await ask(backend, asking(STORY))
    assert "\n" not in str(caught.value)
    await backend.aclose()


@pytest.mark.usefixtures("gone")
async def test_a_model_that_is_nowhere() -> None:
    backend = open_backend("no-such/model-at-all", {})
    with pytest.raises(NoSuchModel, match="no-such/model-at-all"):
        await ask(backend, asking(STORY))
    await backend.aclose()


@pytest.mark.usefixtures("gone")
async def test_an_argument_that_vllm_does_not_have(folder: Path) -> None:
    backend = opened(folder, engine={"max_num_seq": 3})
    with pytest.raises(BadRequest, match=r"takes no 'max_num_seq'.*did you mean \"max_num_seqs\""):
        await ask(backend, asking(STORY))
    await backend.aclose()


@pytest.mark.usefixtures("gone")
async def test_giving_up_while_it_starts_leaves_nothing(folder: Path) -> None:
    backend = opened(folder)
    task = asyncio.create_task(ask(backend, asking(STORY)))
    while not multiprocessing.active_children():  # noqa: ASYNC110 -- in another thread
        await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await backend.aclose()
    assert engines() == []


PROGRAM = """
import asyncio, json, signal, sys
from local_vllm import asking, prepare
from polyarch.backends.vllm import open_backend

async def main():
    backend = open_backend("abacus", json.loads(sys.argv[1]))
    request = asking("Why?", 64, temperature=1.0, max_tokens=400, regex="[0-9]{390}")
    try:
        while True:
            async for _ in backend.generate(request):
                print("under way", flush=True)
    finally:
        await backend.aclose()

if __name__ == "__main__":
    # Programs in the background of a shell begin with this signal ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    prepare()
    asyncio.run(main())
"""


def starting(program: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The program's processes, once that of its engine is among them."""
    while program.poll() is None:
        found = psutil.Process(program.pid).children(recursive=True)
        if any("spawn_main" in " ".join(process.cmdline()) for process in found):
            return found
        time.sleep(0.05)
    raise AssertionError("it ended before its engine was there")


def started(program: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The program's processes, once its engine is at work."""
    assert program.stdout is not None
    assert program.stdout.readline() == b"under way\n"
    found = psutil.Process(program.pid).children(recursive=True)
    assert any("EngineCor" in process.name() for process in found)
    return found


@pytest.mark.parametrize("when", [starting, started])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_program_leaves_no_process(
    folder: Path,
    tmp_path: Path,
    how: signal.Signals,
    when: Callable[[subprocess.Popen[bytes]], list[psutil.Process]],
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    root = Path(__file__).parent.parent.parent
    program = subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py"), json.dumps(options(folder))],
        env={**os.environ, "PYTHONPATH": f"{root}:{root / 'tests'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert program.stdout is not None
    there = when(program)
    program.send_signal(how)
    program.stdout.read()
    program.wait()
    _, alive = psutil.wait_procs(there, timeout=30)
    assert [process.name() for process in alive] == []


PIPELINE = """
name: two
answer: number
models:
  solver: {{model: vllm/abacus, options: {options}}}
  seeded: {{model: vllm/abacus, options: {seeded}}}
  judge: {{model: vllm/other, options: {other}}}
steps:
  drafts: {{op: generate, model: solver, n: 8, temperature: 0.8}}
  more: {{op: generate, model: seeded, n: 4, temperature: 0.8}}
  better:
    op: refine
    from: drafts
    model: judge
    temperature: 0
    prompt: "<fuse> {{question}}<given>{{candidate}}"
  answer: {{op: vote, from: [better, more]}}
"""


@pytest.mark.usefixtures("gone")
def test_a_pipeline_with_two_engines(folder: Path) -> None:
    page = PIPELINE.format(
        options=json.dumps(options(folder)),
        seeded=json.dumps(options(folder, seed=True)),
        other=json.dumps(options(folder, engine={"max_num_seqs": 32})),
    )
    with loads(page) as pipeline:
        results = list(pipeline.map([p.question for p in problems("demo", 4, seed=5)]))
        assert len(engines()) == 2
    assert engines() == []
    for result in results:
        assert result.usage.calls == 20
        assert result.usage.completion_tokens > 20
        assert str(result).strip()


@pytest.mark.usefixtures("gone")
async def test_embeddings(folder: Path) -> None:
    backend = opened(folder, task="embedding")
    vectors = []
    for text in ("Tom has 12 apples.", "Tom has 12 apples.", "Ann buys boxes."):
        (piece,) = await ask(backend, asking(text, wants="embedding"))
        assert (piece.finish, piece.completion_tokens) == ("stop", 0)
        assert piece.prompt_tokens == backend.prompt_tokens(asking(text, wants="embedding"))
        vectors.append(piece.values)
    assert len(vectors[0]) == WIDTH
    assert vectors[0] == pytest.approx(vectors[1], abs=1e-5)
    assert vectors[0] != pytest.approx(vectors[2], abs=1e-2)
    with pytest.raises(BadRequest):
        await ask(backend, asking(STORY))
    await backend.aclose()


@pytest.fixture
def rewarding(folder: Path, tmp_path: Path) -> Path:
    """A reward model: a head that reads one number off the last hidden state."""
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "architectures": ["LlamaForSequenceClassification"],
        "id2label": {"0": "reward"},
        "tie_word_embeddings": False,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    weights = load_file(folder / "model.safetensors")
    head = np.random.default_rng(1).standard_normal((1, WIDTH)).astype(np.float16)
    save_file({**weights, "score.weight": head}, tmp_path / "model.safetensors", {"format": "pt"})
    return tmp_path


@pytest.mark.usefixtures("gone")
async def test_rewards(rewarding: Path) -> None:
    backend = opened(rewarding, task="reward")
    found = []
    for reply in ("answer: 12", "answer: 12", "answer: 99"):
        turns = (Message("user", STORY), Message("assistant", reply))
        (piece,) = await ask(backend, asking(STORY, messages=turns, wants="reward"))
        assert len(piece.values) == 1
        assert piece.prompt_tokens > 20
        found += piece.values
    assert found[0] == pytest.approx(found[1], abs=1e-4)
    assert found[0] != pytest.approx(found[2], abs=1e-3)
    await backend.aclose()
