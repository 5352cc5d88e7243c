"""The vllm backend without vLLM: options, what follows from them, and readings of outputs. What
needs the engine itself is in `tests/vllm`, run by `make test-vllm`."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace as Told
from typing import Any, cast

import pytest

from polyarch.backends.base import Draw, Piece, Request, TokenLogprob
from polyarch.backends.vllm import info, open_backend
from polyarch.backends.vllm.arguments import arguments, known
from polyarch.backends.vllm.backend import VLLM
from polyarch.backends.vllm.cause import Cause
from polyarch.backends.vllm.faults import Faults
from polyarch.backends.vllm.files import folder_of, state_of
from polyarch.backends.vllm.messages import chat, template_kwargs
from polyarch.backends.vllm.options import Options, checked
from polyarch.backends.vllm.reading import Reading, reward
from polyarch.backends.vllm.sampling import guides, sampling
from polyarch.backends.vllm.starting import Starting
from polyarch.backends.vllm.stats import Queue
from polyarch.backends.vllm.watch import Watch
from polyarch.compiler.errors import (
    BackendError,
    BadRequest,
    MissingPackage,
    NoSuchModel,
    ServerFailed,
    TooLong,
    Unreachable,
)
from polyarch.compiler.model import Capability
from polyarch.compiler.spec import ModelSpec
from polyarch.compiler.values import Image, Json, Message, Purpose, Tool, ToolCall
from polyarch.runtime.models import Models

ROOT = Path(__file__).parent.parent.parent


def asking(draws: int = 1, **fields: Any) -> Request:
    numbered = tuple(Draw(5 + i, i, 100 + i) for i in range(draws))
    messages = (Message("user", "What?"),)
    return Request("m", messages, Purpose("solve", "What?"), numbered, 64, **fields)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 4096}))
    return tmp_path


def test_it_says_what_it_can_without_vllm(folder: Path) -> None:
    told = info("m", {"path": str(folder)})
    assert (told.context, told.max_tokens, told.max_draws) == (4096, 1024, 256)
    assert told.roles is None
    assert Capability.GUIDED_GRAMMAR in told.capabilities
    assert Capability.PROMPT_LOGPROBS in told.capabilities
    assert not {Capability.IMAGES, Capability.TOOLS, Capability.THINKING} & told.capabilities
    assert "vllm" not in sys.modules


def test_the_options_bound_the_context(folder: Path) -> None:
    assert info("m", {"path": str(folder), "max_model_len": 512}).context == 512
    assert info("Qwen/Qwen3-8B", {"max_model_len": 512}).context == 512
    assert info("no/such-model", {}).context == 32_768


def test_a_context_is_read_out_of_the_cache_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    kept = tmp_path / "models--org--name"
    snapshot = kept / "snapshots" / "abc123"
    snapshot.mkdir(parents=True)
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text("abc123")
    nested = {"text_config": {"max_position_embeddings": 777}}
    (snapshot / "config.json").write_text(json.dumps(nested))
    assert info("org/name", {}).context == 777
    assert info("org/name", {"revision": "abc123"}).context == 777
    assert info("org/name", {"revision": "other"}).context == 32_768
    assert folder_of("org/name") == snapshot
    assert state_of("org/name") == "abc123"


def test_the_state_of_a_folder_changes_with_its_files(folder: Path) -> None:
    before = state_of(str(folder))
    assert before == state_of(str(folder)) != ""
    (folder / "model.safetensors").write_bytes(b"0")
    assert state_of(str(folder)) != before
    assert state_of(str(folder / "nowhere")) == ""


@pytest.mark.parametrize(
    ("options", "gains"),
    [
        ({"seed": True}, {Capability.SEED}),
        ({"loras": {"a": "x"}}, {Capability.LORA}),
    ],
)
def test_options_add_capabilities(options: dict[str, Json], gains: set[Capability]) -> None:
    assert info("m", options).capabilities - info("m", {}).capabilities == gains


@pytest.mark.parametrize(
    ("task", "offers"), [("reward", Capability.REWARD), ("embedding", Capability.EMBEDDINGS)]
)
def test_an_engine_that_scores_does_not_write(task: str, offers: Capability) -> None:
    told = info("m", {"task": task})
    assert told.capabilities == {offers, Capability.CANCEL}
    assert told.max_draws == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"dtyp": "auto"}, "vllm/m has no option 'dtyp'; did you mean \"dtype\"?"),
        ({"dtype": "int3"}, "option dtype of vllm/m: Input should be 'auto', 'half'"),
        ({"path": "/no/such/folder"}, "option path of vllm/m: no folder '/no/such/folder'"),
        ({"gpu_memory_utilization": 1.5}, "option gpu_memory_utilization of vllm/m: Input should"),
        ({"max_model_len": 0}, "option max_model_len of vllm/m: Input should be greater"),
        ({"max_lora_rank": 12}, "option max_lora_rank of vllm/m: Input should be 1, 8"),
        ({"adapter": "sql"}, "option adapter of vllm/m: no adapter 'sql' in loras; it is empty"),
        (
            {"loras": {"sql": "x"}, "adapter": "sqll"},
            "option adapter of vllm/m: no adapter 'sqll' in loras; did you mean \"sql\"?",
        ),
        ({"loras": {"a": "x"}, "task": "reward"}, "adapters are for task generate"),
        ({"engine": {"max_loras": 3}}, "option engine of vllm/m: max_loras is written by"),
        ({"chat_template": "/no/such.jinja"}, "option chat_template of vllm/m: no file"),
    ],
)
def test_wrong_options_are_told(options: dict[str, Json], told: str) -> None:
    with pytest.raises(BadRequest) as caught:
        info("m", options)
    assert told in str(caught.value)


def test_a_missing_package_is_told_when_a_model_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("polyarch.backends.vllm.find_spec", lambda name: None)
    with pytest.raises(MissingPackage) as caught:
        open_backend("m", {})
    assert str(caught.value) == "vllm models need vllm: pip install 'polyarch[vllm]'"


def test_a_pipeline_compiles_without_vllm(tmp_path: Path) -> None:
    page = "models: {m: vllm/Qwen/Qwen3-8B}\nsteps: {a: {op: generate, n: 8}, b: {op: vote}}\n"
    (tmp_path / "p.yaml").write_text(f"name: p\nanswer: number\n{page}")
    program = (
        "import sys, polyarch; made = polyarch.load(sys.argv[1]);"
        "assert made.plan.total.calls.high == 8; assert 'vllm' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "p.yaml")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_options_become_arguments_of_the_engine() -> None:
    options = checked(
        "org/m",
        {
            "max_model_len": 512,
            "gpu_memory_utilization": 0.5,
            "quantization": "fp8",
            "revision": "v2",
            "tokenizer": "org/other",
            "speculative": {"method": "ngram", "num_speculative_tokens": 2},
            "loras": {"a": "/x", "b": "/y"},
            "engine": {"max_num_seqs": 64},
        },
    )
    assert arguments("org/m", options) == {
        "model": "org/m",
        "runner": "generate",
        "dtype": "auto",
        "tensor_parallel_size": 1,
        "enable_prefix_caching": True,
        "enforce_eager": False,
        "trust_remote_code": False,
        "disable_log_stats": True,
        "max_model_len": 512,
        "gpu_memory_utilization": 0.5,
        "quantization": "fp8",
        "revision": "v2",
        "tokenizer": "org/other",
        "speculative_config": {"method": "ngram", "num_speculative_tokens": 2},
        "enable_lora": True,
        "max_loras": 2,
        "max_lora_rank": 16,
        "max_num_seqs": 64,
    }


def test_what_is_asked_of_the_engine_is_left_to_it() -> None:
    made = arguments("org/m", Options(path="/models/m", task="embedding"))
    assert made["model"] == "/models/m"
    assert (made["runner"], made["convert"]) == ("pooling", "embed")
    assert "max_model_len" not in made
    assert "gpu_memory_utilization" not in made


def test_unknown_arguments_of_the_engine_are_told_with_the_nearest() -> None:
    known("m", ["max_num_seqs"], ["max_num_seqs", "seed"])
    with pytest.raises(BadRequest, match=r'did you mean "max_num_seqs"'):
        known("m", ["max_num_seq"], ["max_num_seqs", "seed"])


def test_models_that_differ_in_how_they_are_asked_share_an_engine() -> None:
    loras = {"a": "/x"}
    plain = VLLM("m", Options(loras=loras))
    adapted = VLLM("m", Options(loras=loras, adapter="a", seed=True, chat_template="{{ 1 }}"))
    other = VLLM("m", Options(loras=loras, dtype="float32"))
    adapted.join([other, plain])
    other.join([plain])
    assert adapted._engine is plain._engine
    assert other._engine is not plain._engine


async def test_models_of_one_run_share_an_engine(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr("polyarch.backends.vllm.find_spec", lambda name: name)
    options: dict[str, Json] = {"path": str(folder), "max_model_len": 512}
    specs = {
        "plain": ModelSpec(model="vllm/m", options=options),
        "seeded": ModelSpec(model="vllm/m", options={**options, "seed": True}),
        "longer": ModelSpec(model="vllm/m", options={**options, "max_model_len": 1024}),
    }
    models = Models(specs)
    engines = [cast(VLLM, models[name].backend)._engine for name in specs]
    assert engines[0] is engines[1]
    assert engines[0] is not engines[2]
    await models.aclose()


def test_a_request_becomes_sampling_parameters() -> None:
    request = asking(3, temperature=0.8, top_k=5, stop=("\n\n",), logprobs=2, prompt_logprobs=0)
    assert sampling(request, request.draws, seeded=False) == {
        "n": 3,
        "max_tokens": 64,
        "temperature": 0.8,
        "top_p": 1.0,
        "top_k": 5,
        "stop": ["\n\n"],
        "logprobs": 2,
        "prompt_logprobs": 0,
    }
    assert sampling(request, request.draws[1:2], seeded=True)["seed"] == 101
    assert sampling(request, request.draws[1:2], seeded=True)["n"] == 1


@pytest.mark.parametrize(
    ("fields", "made"),
    [
        ({}, {}),
        ({"schema": {"type": "object"}}, {"json": {"type": "object"}}),
        ({"regex": "[0-9]+"}, {"regex": "[0-9]+"}),
        ({"grammar": 'root ::= "a"'}, {"grammar": 'root ::= "a"'}),
        ({"choice": ("yes", "no")}, {"choice": ["yes", "no"]}),
    ],
)
def test_replies_are_guided(fields: dict[str, Any], made: dict[str, Any]) -> None:
    assert guides(asking(**fields)) == made


def test_messages_are_what_templates_read() -> None:
    messages = (
        Message("system", "Be brief."),
        Message("user", ("See: ", Image("data:x"))),
        Message("assistant", "", (ToolCall("c1", "add", '{"a": 1}'),)),
        Message("tool", "2", call="c1"),
    )
    request = Request("m", messages, Purpose("solve", ""), (Draw(0, 0, 0),), 8, prefix="So")
    function = {"name": "add", "arguments": '{"a": 1}'}
    assert chat(request) == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "See: "},
                {"type": "image_url", "image_url": {"url": "data:x"}},
            ],
        },
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c1", "type": "function", "function": function}],
        },
        {"role": "tool", "content": "2", "tool_call_id": "c1"},
        {"role": "assistant", "content": "So"},
    ]
    assert template_kwargs(request) == {
        "add_generation_prompt": False,
        "continue_final_message": True,
    }
    assert template_kwargs(asking()) == {"add_generation_prompt": True}
    assert template_kwargs(asking(wants="reward")) == {"add_generation_prompt": False}


def at(*found: tuple[int, str, float]) -> Mapping[int, Told]:
    return {
        token: Told(decoded_token=text, logprob=value, rank=rank + 1)
        for rank, (token, text, value) in enumerate(found)
    }


def part(index: int, text: str, ids: list[int], finish: str | None = None, **more: Any) -> Told:
    fields = {"logprobs": None, **more}
    return Told(index=index, text=text, token_ids=ids, finish_reason=finish, **fields)


def output(*parts: Told, prompt_logprobs: Any = None, cached: int | None = 16) -> Told:
    return Told(
        outputs=list(parts),
        prompt_token_ids=[7, 8, 9],
        prompt_logprobs=prompt_logprobs,
        num_cached_tokens=cached,
    )


def test_outputs_are_read_into_pieces_and_the_prompt_is_charged_once() -> None:
    reading = Reading(asking(2).draws, None, Faults("m"))
    first = list(reading.pieces(output(part(1, "a", [1, 2]), cached=2), None))
    then = list(reading.pieces(output(part(0, "b", [3], "length"), part(1, "", [4], "stop")), None))
    assert first == [Piece(6, "a", 3, 2, 2)]
    assert then == [Piece(5, "b", 0, 0, 1, "length"), Piece(6, "", 0, 0, 1, "stop")]


def test_no_more_tokens_are_cached_than_the_prompt_has() -> None:
    reading = Reading(asking().draws, None, Faults("m"))
    (piece,) = reading.pieces(output(part(0, "a", [1])), None)
    assert (piece.prompt_tokens, piece.cached_tokens) == (3, 3)


def test_probabilities_are_told_with_as_many_alternatives_as_were_asked_for() -> None:
    reading = Reading(asking().draws, 1, Faults("m"))
    told = [at((1, "x", -0.1), (2, "y", -2.5))]
    prompt = [None, at((8, "p", -1.0)), at((3, "r", -0.5), (9, "q", -3.0))]
    (piece,) = reading.pieces(
        output(part(0, "y", [2], logprobs=told), prompt_logprobs=prompt), prompt_logprobs=1
    )
    assert piece.logprobs == (TokenLogprob("y", -2.5, (("x", -0.1),)),)
    assert piece.prompt_logprobs == (
        TokenLogprob("p", -1.0, (("p", -1.0),)),
        TokenLogprob("q", -3.0, (("r", -0.5),)),
    )


def test_a_draw_that_was_given_up_is_an_error() -> None:
    reading = Reading(asking().draws, None, Faults("m"))
    with pytest.raises(ServerFailed, match="gave up"):
        list(reading.pieces(output(part(0, "", [], "abort")), None))


@pytest.mark.parametrize(
    ("values", "found"),
    [([0.5], 0.5), ([[0.1], [0.7]], 0.7), ([0.1, 0.9], None), ([[0.1, 0.9]], None), ([], None)],
)
def test_a_reward_is_one_number(values: list[Any], found: float | None) -> None:
    assert reward(values) == found


class EngineDeadError(Exception):
    """As vLLM's is called."""


class EngineGenerateError(Exception):
    """As vLLM's is called."""


class VLLMClientError(Exception):
    """As vLLM's is called."""


class RepositoryNotFoundError(Exception):
    """As the hub's is called."""


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (EngineDeadError(), Unreachable, "lost its engine"),
        (VLLMClientError("maximum context length is 5"), TooLong, "maximum context length is 5"),
        (VLLMClientError("no such thing"), BadRequest, "refuses the request: no such thing"),
        (ValueError("is longer than the maximum model length"), TooLong, "longer than"),
        (RuntimeError("boom"), ServerFailed, "vllm/m failed: boom"),
    ],
)
def test_errors_of_requests(error: Exception, kind: type[BackendError], told: str) -> None:
    made = Faults("m").of(error)
    assert type(made) is kind
    assert told in str(made)


def test_the_cause_of_a_failed_request_is_told() -> None:
    error = EngineGenerateError()
    error.__cause__ = ValueError("a bad value")
    made = Faults("m").of(error)
    assert type(made) is BadRequest
    assert "a bad value" in str(made)


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (RepositoryNotFoundError("404"), NoSuchModel, "not on this machine nor on the hub"),
        (OSError("x is not a local folder and is not a valid model id"), NoSuchModel, "hub"),
        (RuntimeError("CUDA out of memory. Tried"), BackendError, "lower gpu_memory_utilization"),
        (RuntimeError("Engine core initialization failed."), BackendError, "wrote above says why"),
        (ValueError("odd"), BackendError, "did not start: odd"),
    ],
)
def test_errors_of_a_start(error: Exception, kind: type[BackendError], told: str) -> None:
    made = Faults("m").start(error)
    assert type(made) is kind
    assert told in str(made)
    assert not made.retryable


def test_the_cause_of_a_failed_start_is_told() -> None:
    error = RuntimeError("Engine core initialization failed.")
    assert str(Faults("m").start(error, "KeyError: 'k'")) == "vllm/m did not start: KeyError: 'k'"
    assert "lower gpu_memory_utilization" in str(
        Faults("m").start(error, "OutOfMemoryError: out of memory")
    )


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"wants": "reward"}, "vllm/m does not offer reward"),
        ({"tools": (Tool("t", "", {}),), "thinking": 9}, "vllm/m does not offer tools, thinking"),
    ],
)
def test_what_it_cannot_do_is_refused_at_once(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        VLLM("m", Options()).generate(asking(**fields))


def test_an_engine_that_scores_refuses_to_write() -> None:
    with pytest.raises(BadRequest, match="is started for task reward, not for texts"):
        VLLM("m", Options(task="reward")).generate(asking())


def test_a_prompt_is_bounded_before_the_engine_runs() -> None:
    backend = VLLM("m", Options())
    assert backend.prompt_tokens(asking()) >= len(b"What?")
    assert backend.prompt_tokens(asking(prefix="So far")) > backend.prompt_tokens(asking())
    assert asyncio.run(backend.waiting()) is None


@pytest.mark.parametrize("killed", [True, False])
def test_what_is_watched_ends_with_the_process_that_watches(killed: bool) -> None:
    engine = subprocess.Popen(["sleep", "600"])
    ending = "import os; os._exit(9)" if killed else "watch.end(); watch.end()"
    program = (
        "import sys; from polyarch.backends.vllm.watch import Watch;"
        f"watch = Watch(); watch.follow(int(sys.argv[1])); {ending}"
    )
    try:
        arguments = [sys.executable, "-c", program, str(engine.pid)]
        subprocess.run(arguments, cwd=ROOT, check=False)
        if killed:
            assert engine.wait(timeout=30) == -signal.SIGTERM
        else:
            assert engine.poll() is None
    finally:
        engine.kill()
        engine.wait()


def test_a_start_that_is_given_up_ends_its_process() -> None:
    followed: list[int] = []
    process = get_context("spawn").Process(target=time.sleep, args=(600,), name="EngineCore")
    with Starting(cast(Watch, Told(follow=followed.append))) as starting:
        process.start()
        starting.give_up()
        process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert followed == [process.pid]


def test_the_last_error_in_a_log_is_the_cause() -> None:
    with Cause() as cause:
        assert cause.told() == ""
        log = ["Failed to start", "Traceback:", "KeyError: 1", "x.y.OddError: no 'k'", "  bye"]
        cause._log.write_text("\n".join(log))
        assert cause.told() == "x.y.OddError: no 'k'"
    assert not cause._log.parent.exists()


def test_the_queue_is_summed_over_replicas() -> None:
    queue = Queue()
    cache = Told(queries=10, hits=4)

    def step(running: int, waiting: int, skipped: int) -> Told:
        return Told(
            num_running_reqs=running,
            num_waiting_reqs=waiting,
            num_skipped_waiting_reqs=skipped,
            prefix_cache_stats=cache,
        )

    queue.record(step(3, 1, 1), None, engine_idx=0)
    queue.record(step(2, 0, 0), None, engine_idx=1)
    queue.record(None, None)
    assert (queue.running, queue.waiting, queue.asked, queue.hits) == (5, 2, 20, 8)
    queue.record(step(0, 0, 0), None, engine_idx=0)
    assert (queue.running, queue.waiting) == (2, 0)
