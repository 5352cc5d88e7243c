"""Options as arguments of the engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...compiler.errors import BadRequest
from ...compiler.names import nearest
from .options import Options

__all__ = ["arguments", "known"]

_TASKS: Mapping[str, Mapping[str, str]] = {
    "generate": {"runner": "generate"},
    "reward": {"runner": "pooling"},
    "embedding": {"runner": "pooling", "convert": "embed"},
}


def arguments(model: str, options: Options) -> dict[str, Any]:
    """The fields of vLLM's `AsyncEngineArgs`. Models with equal ones can share an engine."""
    made: dict[str, Any] = {
        "model": str(Path(options.path).expanduser()) if options.path else model,
        **_TASKS[options.task],
        "dtype": options.dtype,
        "tensor_parallel_size": options.tensor_parallel_size,
        "enable_prefix_caching": options.enable_prefix_caching,
        "enforce_eager": options.enforce_eager,
        "trust_remote_code": options.trust_remote_code,
        "disable_log_stats": True,
    }
    if options.task == "embedding":
        # A pooling engine refuses it for models that look at a text from both ends.
        made["enable_prefix_caching"] = None
    for name in ("quantization", "max_model_len", "gpu_memory_utilization", "revision"):
        if (value := getattr(options, name)) is not None:
            made[name] = value
    if options.tokenizer is not None:
        made["tokenizer"] = options.tokenizer
    if options.speculative:
        made["speculative_config"] = dict(options.speculative)
    if options.loras:
        made |= {
            "enable_lora": True,
            "max_loras": len(options.loras),
            "max_lora_rank": options.max_lora_rank,
        }
    return made | dict(options.engine)


def known(model: str, given: Iterable[str], fields: Iterable[str]) -> None:
    """Check names under the option `engine` against the fields there are. Raises `BadRequest`."""
    names = set(fields)
    for name in given:
        if name not in names:
            hint = nearest(name, names)
            raise BadRequest(
                f"vLLM's engine takes no {name!r} (option engine of vllm/{model}); {hint}"
            )
