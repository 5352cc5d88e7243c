"""``vllm/<model>``: vLLM's engine inside this process, for models on this machine.

The model is a name on the Hugging Face hub, or any name together with the option `path`; `Options`
says what else can be set. Neither vLLM nor a GPU is needed before the first request.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType

from ...compiler.errors import MissingPackage
from ...compiler.values import Json
from ..base import Backend, Capability, ModelInfo
from .options import GENERATES, Options, checked

__all__ = ["BY_OPTION", "OFFERS", "SETTINGS", "Options", "info", "open_backend"]

OFFERS = GENERATES
"""What its models offer beyond a chat."""

BY_OPTION: Mapping[Capability, str] = MappingProxyType(
    {
        Capability.SEED: "options: {seed: true}",
        Capability.REWARD: "options: {task: reward}",
        Capability.EMBEDDINGS: "options: {task: embedding}",
    }
)
"""What has to be asked for, and how."""


SETTINGS: Mapping[str, tuple[Json, ...]] = MappingProxyType(
    {
        "engine.max_num_seqs": (16, 32, 64, 128, 256, 512),
        "engine.max_num_batched_tokens": (2048, 4096, 8192, 16384),
        "engine.enable_chunked_prefill": (True, False),
        "enable_prefix_caching": (True, False),
        "gpu_memory_utilization": (0.7, 0.8, 0.9, 0.95),
    }
)
"""What decides how fast an engine is, with values worth trying: the largest batch, the tokens of
one step, prompts in parts or whole, and the memory that is left for the cache."""


def info(model: str, options: Mapping[str, Json]) -> ModelInfo:
    """What the options, and the model's files if they are here, say of it. Raises `BadRequest`."""
    return checked(model, options).info(model)


def open_backend(model: str, options: Mapping[str, Json]) -> Backend:
    """A backend whose engine starts with its first request. Raises `BadRequest`, `MissingPackage`,
    and `NoSuchModel` for a `path` where no model is."""
    settings = checked(model, options)
    if find_spec("vllm") is None:
        raise MissingPackage("vllm models need vllm: pip install 'polyarch[vllm]'")
    from .backend import VLLM

    return VLLM(model, settings)
