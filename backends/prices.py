"""What litellm's table says of a model: prices, limits, features. Read without importing litellm,
which takes seconds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..compiler.model import Capability, Price

__all__ = ["Listed", "listed", "listing"]

_FILE = "model_prices_and_context_window_backup.json"

_MODES = frozenset({"chat", "completion", "embedding", "responses"})
"""Of models that can be asked here; the table has others, for images and speech."""

_FEATURES: Mapping[str, Capability] = {
    "supports_assistant_prefill": Capability.CONTINUATION,
    "supports_function_calling": Capability.TOOLS,
    "supports_reasoning": Capability.THINKING,
    "supports_response_schema": Capability.GUIDED_JSON,
    "supports_vision": Capability.IMAGES,
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One model of the table; None for what it does not tell.

    `context` and `max_tokens` are the longest prompt and completion, in tokens.
    """

    provider: str
    price: Price | None
    context: int | None
    max_tokens: int | None
    offers: frozenset[Capability]


@cache
def listed(name: str) -> Listed | None:
    """A model by litellm's name for it, such as `anthropic/claude-sonnet-4-5` or `gpt-4o`; None
    if the table has no such model, or litellm is not installed.

    The provider may be left out or not where the table does one or the other, but it must be the
    one that the table names.
    """
    table = _table()
    if table is None:
        return None
    provider, slash, rest = name.partition("/")
    for entry in _entries(table, name):
        return _read(entry)
    for entry in _entries(table, rest) if slash else ():
        if _is(entry["litellm_provider"], provider):
            return _read(entry)
    return None


def listing() -> Mapping[str, Listed]:
    """All models of the table by litellm's names for them; none if litellm is not installed."""
    table = json.loads(_table() or "{}")
    return {name: _read(entry) for name, entry in table.items() if entry.get("mode") in _MODES}


def _is(told: str, provider: str) -> bool:
    """Whether the table's word for a provider, such as `bedrock_converse`, means this one."""
    return told == provider or told.startswith((f"{provider}_", f"{provider}-"))


@cache
def _table() -> str | None:
    """The text of the table. A name in it is found in milliseconds; all of it is parsed in 100."""
    spec = find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0], _FILE)
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _entries(table: str, name: str) -> Iterator[Mapping[str, Any]]:
    """What stands under a name in the table: at most one entry, but the name may be a key in
    another's, too."""
    for found in re.finditer(rf"{re.escape(json.dumps(name))}\s*:\s*(?=\{{)", table):
        entry, _ = json.JSONDecoder().raw_decode(table, found.end())
        if "litellm_provider" in entry and name != "sample_spec":
            yield entry


def _read(entry: Mapping[str, Any]) -> Listed:
    offers = {feature for flag, feature in _FEATURES.items() if entry.get(flag)}
    if entry.get("mode") == "embedding":
        offers.add(Capability.EMBEDDINGS)
    return Listed(
        entry["litellm_provider"],
        _price(entry),
        entry.get("max_input_tokens") or entry.get("max_tokens"),
        entry.get("max_output_tokens"),
        frozenset(offers),
    )


def _price(entry: Mapping[str, Any]) -> Price | None:
    """Dollars per million tokens, rounded to what prices are given in."""
    prompt, completion = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
    if prompt is None or completion is None:
        return None
    cached = entry.get("cache_read_input_token_cost")
    return Price(
        _million(prompt), _million(completion), None if cached is None else _million(cached)
    )


def _million(dollars: float) -> float:
    return round(dollars * 1e6, 9)
