"""The models of a pipeline, to be asked what a trace does not hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import cast

from ...backends.base import Backend
from ...compiler.errors import InputError
from ...compiler.plan import Plan
from ...compiler.registry import backend
from ...runtime.keys import allowed_keys, refuse_keys
from ...runtime.trace.read import Trace

__all__ = ["Live"]


class Live:
    """The models of a plan by their names, opened once and closed after."""

    def __init__(
        self,
        plan: Plan,
        *,
        keys: Iterable[str] = (),
        backends: Mapping[str, Backend] | None = None,
    ) -> None:
        """`keys` are environment variables whose keys may be sent; `backends` are ready ones by
        name, which stay the caller's to close. Raises `PlanRefused`."""
        self.plan = plan
        self._ready = dict(backends or {})
        self._specs = {n: s for n, s in plan.graph.models.items() if n not in self._ready}
        refuse_keys(self._specs, allowed_keys(keys))

    def check(self, trace: Trace) -> None:
        """Raise `InputError` unless the trace is of this very pipeline."""
        if trace.header.digest != self.plan.digest:
            raise InputError(
                f"the trace is of {trace.header.pipeline} {trace.header.digest[:12]}, and the "
                f"pipeline given is {self.plan.graph.name} {self.plan.digest[:12]}: another one, "
                "or changed since"
            )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Mapping[str, Backend]]:
        """The open models while inside."""
        made: dict[str, Backend] = {}
        try:
            for name, spec in self._specs.items():
                one = cast(Backend, backend(spec.backend).open_backend(spec.name, spec.options))
                one.join(made.values())
                made[name] = one
            yield {**made, **self._ready}
        finally:
            for one in made.values():
                await one.aclose()
