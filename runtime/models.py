"""The models of a run: each opened once, with its limit and its price."""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import Mapping
from functools import cached_property
from typing import cast

from ..backends.base import Backend
from ..compiler.errors import BackendError, RateLimited
from ..compiler.lacks import reached
from ..compiler.model import ModelInfo
from ..compiler.registry import backend
from ..compiler.spec import ModelSpec
from .cachekey import model_key
from .circuit import Circuit
from .limits import Adaptive, Limit, Rates
from .retry import Retry

__all__ = ["Model", "Models"]


class Model:
    """A model that can be asked, with everything that stands between a request and its backend."""

    def __init__(self, name: str, spec: ModelSpec, backend: Backend, info: ModelInfo) -> None:
        self.name = name
        self.spec = spec
        self.backend = backend
        self.info = info
        self.price = spec.price.price() if spec.price else info.price
        self.limit = _limit(spec, info)
        self.retry = Retry(times=spec.retries)
        self.circuit = Circuit(name, get_running_loop().time)
        self._now = get_running_loop().time
        self._look_at = 0.0
        self.timeout = spec.timeout
        self.hedge_after = spec.hedge_after
        self.patient = spec.timeout is None and spec.hedge_after is None
        """Whether a request may take as long as it takes."""
        self.rates = _rates(spec)
        self.cached = spec.cache and backend.repeatable
        """Whether replies may be kept and used again."""

    @cached_property
    def key(self) -> bytes:
        """Which model this is, for the keys of kept replies."""
        return model_key(self.spec, self.backend.revision)

    @property
    def curious(self) -> bool:
        """Whether the length of the backend's queue is wanted now."""
        return self.spec.concurrency == "adaptive" and self._now() >= self._look_at

    async def look(self) -> None:
        """Ask the backend how long its queue is, and heed that."""
        self._look_at = self._now() + _BETWEEN_LOOKS
        waiting = await self.backend.waiting()
        if waiting is not None:
            self.limit.queued(waiting)

    def answered(self, seconds: float) -> None:
        """A request was answered after so many seconds."""
        self.circuit.succeeded()
        self.limit.replied(seconds)

    def failed(self, error: BackendError, sent: float | None, *, dead: bool) -> None:
        """A request failed that was sent then, None if it never was; `dead` if that speaks against
        the endpoint."""
        if sent is None:
            return
        if isinstance(error, RateLimited):
            self.limit.overloaded()
        if dead:
            self.circuit.failed(error, sent)
        else:
            self.circuit.succeeded()


_MOST_ADAPTIVE = 1024
_BETWEEN_LOOKS = 1.0
"""Seconds between two looks at a backend's queue."""


def _limit(spec: ModelSpec, info: ModelInfo) -> Limit:
    if spec.concurrency == "adaptive":
        return Adaptive(_MOST_ADAPTIVE)
    return Limit(spec.concurrency or info.concurrency)


def _rates(spec: ModelSpec) -> Rates | None:
    requests, tokens = spec.requests_per_minute, spec.tokens_per_minute
    return Rates(requests, tokens) if requests or tokens else None


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

    def instead(self, name: str) -> tuple[str, ...]:
        """The models that may be asked in place of one, in order: its own fallbacks, then
        theirs."""
        return reached(name, self._specs)[1:]

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
                made = cast(Backend, module.open_backend(spec.name, spec.options))
                made.join(self._backends.values())
                self._backends[key] = made
            opened = self._backends[key]
        model = self._opened[name] = Model(name, spec, opened, info)
        return model
