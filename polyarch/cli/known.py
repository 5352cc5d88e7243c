"""What is known of models before they are asked: backends, shapes, prices."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType

from ..backends.prices import Listed, listing
from ..compiler.model import Capability, ModelInfo, Price
from ..compiler.place.known import known_models, known_shape
from ..compiler.registry import backend, backend_names, model_info, offers
from ..compiler.spec import ModelSpec

__all__ = ["PACKAGES", "Known", "Offer", "backends", "one", "some"]

PACKAGES: Mapping[str, str] = MappingProxyType(
    {"litellm": "litellm", "openai": "aiohttp", "vllm": "vllm"}
)
"""By backend, which is also the extra, the package it cannot do without."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A backend: `offers` holds what has to be written for each capability, or "" for nothing;
    `lacks` what would install the package that it needs, if that is missing."""

    name: str
    about: str
    offers: Mapping[str, str]
    lacks: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """A model: limits in tokens, the price in dollars per million tokens, the size in billions of
    parameters; None for what is not known."""

    model: str
    context: int | None = None
    max_tokens: int | None = None
    price: Price | None = None
    billions: float | None = None
    offers: tuple[str, ...] = ()


def backends() -> Iterator[Offer]:
    """Every backend, those of other distributions among them."""
    for name in backend_names():
        package = PACKAGES.get(name)
        missing = package is not None and find_spec(package) is None
        told = (inspect.getdoc(backend(name)) or "").split("\n", 1)[0].replace("``", "")
        yield Offer(
            name,
            told,
            {one.value: how for one, how in sorted(offers(name).items(), key=_value)},
            f"pip install 'polyarch[{name}]'" if missing else "",
        )


def _value(item: tuple[Capability, str]) -> str:
    return item[0].value


def one(name: str) -> Known:
    """The model of that full name. Raises what its backend raises."""
    spec = ModelSpec(model=name)
    told: ModelInfo = model_info(spec)
    price = told.price if told.priced else None
    shape = known_shape(spec.name)
    billions = None if shape is None else shape.parameters / 1e9
    offered = tuple(sorted(can.value for can in told.capabilities))
    return Known(name, told.context, told.max_tokens, price, billions, offered)


def some(word: str) -> Iterator[Known]:
    """Models with known shapes, which vLLM can run, and those with known prices, whose names
    contain the word."""
    for name, shape in known_models().items():
        if word.casefold() in name.casefold():
            yield Known(f"vllm/{name}", shape.context, None, None, shape.parameters / 1e9)
    found = {_full(name, told): told for name, told in listing().items()}
    for name, told in sorted(found.items()):
        if word.casefold() not in name.casefold():
            continue
        offered = tuple(sorted(can.value for can in told.offers))
        yield Known(name, told.context, told.max_tokens, told.price, None, offered)


def _full(name: str, told: Listed) -> str:
    """The name that a pipeline gives a model of litellm's table."""
    if told.provider == "openai" and "/" not in name:
        return f"openai/{name}"
    return f"litellm/{name}" if "/" in name else f"litellm/{told.provider}/{name}"
