"""``embedded/abacus``: a small real language model that ships with the package.

It solves short arithmetic stories on a CPU, without network or key. Its errors are designed in:
see ``MODEL.md`` beside this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ...compiler.errors import InputError, NoSuchModel
from ...compiler.values import Json
from ..base import Backend, Capability, ModelInfo

__all__ = ["OFFERS", "SETTINGS", "info", "open_backend"]

OFFERS = frozenset(
    {
        Capability.DRAWS,
        Capability.LOGPROBS,
        Capability.PROMPT_LOGPROBS,
        Capability.CONTINUATION,
        Capability.EMBEDDINGS,
        Capability.STOP,
        Capability.SEED,
        Capability.CANCEL,
    }
)
"""Not guided replies: what it says of a verdict is read into JSON, but nothing keeps it from saying
what cannot be read."""

SETTINGS: Mapping[str, tuple[Json, ...]] = MappingProxyType(
    {
        "batch": (1, 4, 8, 16, 32, 64, 128, 256),
        "env.OPENBLAS_NUM_THREADS": ("1", "2", "4"),
    }
)
"""What decides how fast it is, with values worth trying: draws stepped together, and the threads of
a product of matrices."""

_MODEL = "abacus"


def open_backend(model: str, options: Mapping[str, Json]) -> Backend:
    """The backend of ``abacus``, its only model. Option ``batch``: most draws stepped together."""
    _check(model, options)
    from .backend import EmbeddedBackend

    batch = options.get("batch", 64)
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise InputError(f"option batch of embedded/abacus is a positive number, not {batch!r}")
    return EmbeddedBackend(batch=batch)


def info(model: str, options: Mapping[str, Json]) -> ModelInfo:
    """What ``abacus`` can do. Loads nothing."""
    _check(model, options)
    return ModelInfo(
        context=512,
        max_tokens=256,
        capabilities=OFFERS,
        chars_per_token=2.6,
        max_draws=1024,
        roles=frozenset({"solve", "verify", "compare", "critique", "revise", "fuse", "embed"}),
        parameters={"temperature": 0.8},
    )


def _check(model: str, options: Mapping[str, Json]) -> None:
    if model != _MODEL:
        raise NoSuchModel(f"the embedded backend has only the model {_MODEL!r}, not {model!r}")
    unknown = sorted(set(options) - {"batch"})
    if unknown:
        raise InputError(f"embedded/abacus has no option {unknown[0]!r}; it has batch")
