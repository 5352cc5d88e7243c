"""Which keys a pipeline may send: a file from elsewhere must not take whatever the environment
holds to whichever server it names."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping

from ..compiler.errors import PlanRefused
from ..compiler.spec import ModelSpec

__all__ = ["ALLOWED", "allowed_keys", "refuse_keys"]

ALLOWED = "POLYARCH_ALLOW_KEYS"
"""The environment variable that names those that any pipeline may send, with commas between."""

_OWN = ("openai", "OPENAI_API_KEY", "https://api.openai.com/v1")


def allowed_keys(given: Iterable[str]) -> frozenset[str]:
    """Those given, and those that the environment allows."""
    told = (name.strip() for name in os.environ.get(ALLOWED, "").split(","))
    return frozenset((*given, *filter(None, told)))


def refuse_keys(models: Mapping[str, ModelSpec], allowed: Collection[str]) -> None:
    """Raise `PlanRefused` for the first model that would send a key which nobody outside the
    pipeline allowed. OpenAI's own key to OpenAI's own server needs no leave."""
    for name, spec in models.items():
        key = spec.options.get("key_env")
        if isinstance(key, str) and key not in allowed and not _is_own(spec, key):
            server = spec.options.get("base_url", "its server")
            raise PlanRefused(
                f"model {name!r} sends the key in {key} to {server}; if that is meant, allow it "
                f"outside the pipeline: --allow-key {key}, {ALLOWED}={key}, or keys=[{key!r}] in "
                "Python"
            )


def _is_own(spec: ModelSpec, key: str) -> bool:
    backend, own, server = _OWN
    url = str(spec.options.get("base_url", server)).rstrip("/")
    return (spec.backend, key, url) == (backend, own, server)
