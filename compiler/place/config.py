"""The shape of a model in a folder, from its `config.json` and the sizes of its weight files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import InputError
from .shape import Shape

__all__ = ["folder_shape", "from_config"]

_TIED: Mapping[str, bool] = {
    "deepseek_v2": False,
    "deepseek_v3": False,
    "gemma2": True,
    "gemma3": True,
    "gemma3_text": True,
    "gpt_oss": False,
    "llama": False,
    "mistral": False,
    "mixtral": False,
    "olmo2": False,
    "phi3": False,
    "qwen2": False,
    "qwen2_moe": False,
    "qwen3": False,
    "qwen3_moe": False,
}
"""The families that are read, and whether each ties input and output unless it says otherwise."""
_DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}


def folder_shape(folder: Path) -> Shape:
    """The shape of the model in a folder. Raises `InputError` if it cannot be read."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}") from None
    if not isinstance(config, dict):
        raise InputError(f"{path} holds no object")
    try:
        shape = from_config(config)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    size = sum(file.stat().st_size for file in folder.glob("model*.safetensors"))
    return shape.model_copy(update={"measured": size}) if size else shape


def from_config(config: Mapping[str, Any]) -> Shape:
    """The shape that a `config.json` describes.

    Raises `InputError` for a family that is not known, and for what it does not say.
    """
    text = {**config.get("text_config", {})} if "text_config" in config else {**config}
    text.setdefault("model_type", config.get("model_type"))
    family = text["model_type"]
    if family not in _TIED:
        raise InputError(
            f"the family {family!r} is not one of {', '.join(_TIED)}: "
            "write the model's `shape:` out"
        )
    try:
        return Shape.model_validate(
            {
                **_decoder(text),
                **_attention(text),
                **_experts(text),
                **_windows(text),
                **_numbers(text, config.get("quantization_config") or {}),
                "other": _images(config, text),
            }
        )
    except KeyError as missing:
        raise InputError(f"{missing} is missing") from None
    except ValidationError as error:
        raise InputError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def _decoder(text: Mapping[str, Any]) -> dict[str, Any]:
    dense = text["model_type"] not in ("mixtral", "gpt_oss", "qwen3_moe", "qwen2_moe")
    return {
        "layers": text["num_hidden_layers"],
        "hidden": text["hidden_size"],
        "intermediate": text["intermediate_size"] if dense else 0,
        "vocab": text["vocab_size"],
        "tied": text.get("tie_word_embeddings", _TIED[text["model_type"]]),
        "context": text.get("max_position_embeddings"),
    }


def _attention(text: Mapping[str, Any]) -> dict[str, Any]:
    heads = text["num_attention_heads"]
    found = {
        "heads": heads,
        "kv_heads": text.get("num_key_value_heads") or heads,
        "head": text.get("head_dim") or text["hidden_size"] // heads,
    }
    if text.get("kv_lora_rank"):
        found["latent"] = {
            "kv_rank": text["kv_lora_rank"],
            "rope": text["qk_rope_head_dim"],
            "nope": text["qk_nope_head_dim"],
            "value": text["v_head_dim"],
            "q_rank": text.get("q_lora_rank") or 0,
        }
    return found


def _experts(text: Mapping[str, Any]) -> dict[str, Any]:
    names = ("num_local_experts", "num_experts", "n_routed_experts")
    count = next((text[name] for name in names if text.get(name)), 0)
    if not count:
        return {}
    if text.get("decoder_sparse_step", 1) != 1 or text.get("mlp_only_layers"):
        raise InputError("some layers lie between those with experts: write `shape:` out")
    size = text.get("moe_intermediate_size") or text["intermediate_size"]
    shared = text.get("shared_expert_intermediate_size") or size * text.get("n_shared_experts", 0)
    return {
        "experts": {
            "count": count,
            "active": text["num_experts_per_tok"],
            "intermediate": size,
            "shared": shared,
            "dense_layers": text.get("first_k_dense_replace", 0),
        }
    }


def _windows(text: Mapping[str, Any]) -> dict[str, Any]:
    """Which layers attend to a window: listed, by the family's pattern, or all."""
    window, layers = text.get("sliding_window") or 0, text["num_hidden_layers"]
    if not window or text.get("use_sliding_window") is False:
        return {}
    if kinds := text.get("layer_types"):
        windowed = kinds.count("sliding_attention")
    elif text["model_type"] in ("gemma2", "gpt_oss"):
        windowed = layers - layers // 2
    elif text["model_type"].startswith("gemma3"):
        windowed = layers - layers // text.get("sliding_window_pattern", 6)
    else:
        windowed = layers
    return {"window": window, "windowed": windowed} if windowed else {}


def _numbers(text: Mapping[str, Any], quantized: Mapping[str, Any]) -> dict[str, Any]:
    """How the numbers are held."""
    written = text.get("torch_dtype") or text.get("dtype") or "bfloat16"
    if written not in _DTYPES:
        raise InputError(f"dtype {written!r} is not one of {', '.join(_DTYPES)}")
    found = {"dtype": _DTYPES[written]}
    if not quantized:
        return found
    method, bits = quantized.get("quant_method"), quantized.get("bits")
    by_method = {"fp8": "fp8", "fbgemm_fp8": "fp8", "mxfp4": "mxfp4"}
    by_bits = {4: "int4", 8: "int8"} if method in ("awq", "gptq") else {}
    kind = by_method.get(str(method)) or by_bits.get(bits if isinstance(bits, int) else 0)
    if kind is None:
        raise InputError(f"quantization {method!r} is not known: say it in `shape:`")
    scope = {"quantized": "experts"} if kind == "mxfp4" else {}
    return {**found, "quantization": kind, **scope}


def _images(config: Mapping[str, Any], text: Mapping[str, Any]) -> int:
    """Parameters of an encoder of images: its layers, and the projection to the decoder."""
    vision = config.get("vision_config")
    if not vision:
        return 0
    hidden, layers = vision["hidden_size"], vision["num_hidden_layers"]
    layer = 4 * hidden * hidden + 2 * hidden * vision["intermediate_size"]
    return int(layers * layer + hidden * text["hidden_size"])
