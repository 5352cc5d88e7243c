"""Parameters against the published totals, caches by hand, and shapes out of configurations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from polyarch.compiler.errors import InputError
from polyarch.compiler.place.config import folder_shape, from_config
from polyarch.compiler.place.known import known_models, known_shape, published
from polyarch.compiler.place.shape import Experts, Shape

LLAMA = {
    "model_type": "llama",
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "torch_dtype": "bfloat16",
    "tie_word_embeddings": False,
}
DEEPSEEK = {
    "model_type": "deepseek_v3",
    "num_hidden_layers": 61,
    "hidden_size": 7168,
    "intermediate_size": 18432,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "vocab_size": 129280,
    "kv_lora_rank": 512,
    "q_lora_rank": 1536,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_experts_per_tok": 8,
    "moe_intermediate_size": 2048,
    "first_k_dense_replace": 3,
    "head_dim": 128,
    "max_position_embeddings": 163840,
    "torch_dtype": "bfloat16",
    "quantization_config": {"quant_method": "fp8"},
}
GPT_OSS = {
    "model_type": "gpt_oss",
    "num_hidden_layers": 24,
    "hidden_size": 2880,
    "intermediate_size": 2880,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "vocab_size": 201088,
    "num_local_experts": 32,
    "num_experts_per_tok": 4,
    "sliding_window": 128,
    "layer_types": ["sliding_attention", "full_attention"] * 12,
    "tie_word_embeddings": False,
    "max_position_embeddings": 131072,
    "quantization_config": {"quant_method": "mxfp4"},
}
TINY = Shape(
    layers=2, hidden=8, heads=4, kv_heads=2, head=2, intermediate=16, vocab=10, dtype="fp16"
)


@pytest.mark.parametrize("name", published())
def test_parameters_are_the_published_number(name: str) -> None:
    assert known_models()[name].parameters / 1e9 == pytest.approx(published()[name], rel=0.01)


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("mistralai/Mixtral-8x7B-v0.1", 12.9),
        ("deepseek-ai/DeepSeek-V3", 37),
        ("Qwen/Qwen3-30B-A3B", 3.3),
        ("openai/gpt-oss-20b", 3.6),
        ("openai/gpt-oss-120b", 5.1),
    ],
)
def test_active_parameters_with_the_output_are_the_published_number(
    name: str, billions: float
) -> None:
    # Some count the input's rows too: both are near.
    shape = known_models()[name]
    low = shape.active + shape.vocab * shape.hidden
    assert low / 1e9 <= billions * 1.03
    assert (low + shape.vocab * shape.hidden) / 1e9 >= billions * 0.97


def test_a_small_one_by_hand() -> None:
    # A layer: q and o 8x8 each, k and v 8x4 each; three matrices of 8x16.
    assert TINY.parts.attention == 2 * (2 * 64 + 2 * 32)
    assert TINY.parts.dense == 2 * 3 * 128
    assert TINY.parameters == 384 + 768 + 2 * 80
    assert TINY.weights == 2 * TINY.parameters
    # Two layers of keys and values, two heads of two numbers of two bytes.
    assert TINY.cache(5) == 5 * 2 * 2 * 4 * 2
    # All but the rows of the input are read.
    assert TINY.read(1) == 2 * (TINY.parameters - 80)


def test_a_tied_model_reads_its_only_embedding() -> None:
    tied = TINY.model_copy(update={"tied": True})
    assert tied.parameters == TINY.parameters - 80
    assert tied.read(1) == tied.weights


@pytest.mark.parametrize(
    ("name", "bytes_per_token"),
    [
        ("meta-llama/Llama-3.1-8B", 32 * 2 * 8 * 128 * 2),
        ("meta-llama/Llama-3.1-70B", 80 * 2 * 8 * 128 * 2),
        ("deepseek-ai/DeepSeek-V3", 61 * (512 + 64) * 2),
    ],
)
def test_the_cache_of_a_token(name: str, bytes_per_token: int) -> None:
    assert known_models()[name].cache(1) == bytes_per_token


def test_a_window_bounds_its_layers() -> None:
    shape = TINY.model_copy(update={"window": 4, "windowed": 1})
    assert shape.cache(10) == (10 + 4) * 2 * 4 * 2


def test_experts_that_nobody_drew_are_not_read() -> None:
    experts = Experts(count=8, active=2, intermediate=4)
    assert experts.touched(1) == pytest.approx(2)
    assert experts.touched(2) == pytest.approx(8 * (1 - 0.75**2))
    assert experts.touched(1000) == pytest.approx(8)


def test_quantized_weights_leave_the_embeddings() -> None:
    whole, small = known_shape("Qwen/Qwen3-8B"), known_shape("Qwen/Qwen3-8B-FP8")
    assert whole is not None
    assert small is not None
    parts = whole.parts
    assert small.weights == 2 * (parts.embedding + parts.head) + parts.attention + parts.dense


def test_gpt_oss_fits_the_card_it_is_made_for() -> None:
    shape = known_shape("openai/gpt-oss-120b")
    assert shape is not None
    assert 60e9 < shape.weights < 68e9  # the files hold 65.2 GB


def test_unknown_names_are_unknown() -> None:
    assert known_shape("Qwen/Qwen3-9B") is None
    assert known_shape("deepseek-ai/DeepSeek-V3-AWQ") is None  # is quantized already


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (LLAMA, "meta-llama/Llama-3.1-8B"),
        (DEEPSEEK, "deepseek-ai/DeepSeek-V3"),
        (GPT_OSS, "openai/gpt-oss-20b"),
    ],
)
def test_a_configuration_is_the_known_shape(config: dict[str, Any], name: str) -> None:
    assert from_config(config) == known_models()[name]


def test_a_folder_says_how_large_its_files_are(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    assert folder_shape(tmp_path).measured is None
    (tmp_path / "model-00001-of-00001.safetensors").write_bytes(b"x" * 1000)
    (tmp_path / "consolidated.safetensors").write_bytes(b"x" * 1000)
    assert folder_shape(tmp_path).weights == 1000


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model_type": "mamba"}, "the family 'mamba' is not one of"),
        ({"num_hidden_layers": None}, "should be a valid integer"),
        ({"torch_dtype": "float8"}, "dtype 'float8' is not one of"),
        ({"quantization_config": {"quant_method": "odd"}}, "quantization 'odd' is not known"),
    ],
)
def test_a_configuration_that_cannot_be_read(change: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        from_config({**LLAMA, **change})


def test_a_configuration_that_lacks_something() -> None:
    with pytest.raises(InputError, match="'vocab_size' is missing"):
        from_config({k: v for k, v in LLAMA.items() if k != "vocab_size"})


def test_a_folder_without_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*config\.json"):
        folder_shape(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"kv_heads": 3},
        {"windowed": 3, "window": 4},
        {"windowed": 1},
        {"intermediate": 0},
        {"quantized": "experts"},
    ],
)
def test_what_cannot_be(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Shape.model_validate({**TINY.model_dump(), **change})
