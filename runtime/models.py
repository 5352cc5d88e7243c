"""The models of a run: each opened once, with its limit and its price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from ..backends.base import Backend
from ..compiler.model import ModelInfo, Price
from ..compiler.registry import backend
from ..compiler.spec import ModelSpec
from .limits import Limit

__all__ = ["Model", "Models"]


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be asked. `limit` bounds the requests under way over all questions."""

    name: str
    backend: Backend
    info: ModelInfo
    price: Price
    limit: Limit


class Models:
    """Opens the models of a plan on first use, one backend for equal models; closes them."""

    def __init__(
        self, specs: Mapping[str, ModelSpec], instead: Mapping[str, Backend] | None = None
    ) -> None:
        """`instead` gives ready backends by model name, for tests and embedding applications."""
        self._specs = specs
        self._instead = dict(instead or {})
        self._opened: dict[str, Model] = {}
        self._backends: dict[str, Backend] = {}

    def __getitem__(self, name: str) -> Model:
        """The model of that name. Raises what its backend raises on opening."""
        found = self._opened.get(name)
        return found if found is not None else self._open(name)

    async def aclose(self) -> None:
        """Close every backend that was opened here. Idempotent."""
        self._opened.clear()
        while self._backends:
            _, opened = self._backends.popitem()
            await opened.aclose()

    def _open(self, name: str) -> Model:
        spec = self._specs[name]
        module = backend(spec.backend)
        info = module.info(spec.name, spec.options)
        opened = self._instead.get(name)
        if opened is None:
            key = f"{spec.model} {sorted(spec.options.items())!r}"
            if key not in self._backends:
                self._backends[key] = cast(Backend, module.open_backend(spec.name, spec.options))
            opened = self._backends[key]
        model = Model(
            name,
            opened,
            info,
            spec.price.price() if spec.price else info.price,
            Limit(spec.concurrency or info.concurrency),
        )
        self._opened[name] = model
        return model
