"""The model that ships with the package."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from conformance.subject import Opened, Subject

from polyarch.backends.embedded import info
from polyarch.backends.embedded.backend import EmbeddedBackend

__all__ = ["SUBJECTS"]


@asynccontextmanager
async def _opened() -> AsyncIterator[Opened]:
    backend = EmbeddedBackend()
    yield Opened(backend, busy=lambda: backend.live)


SUBJECTS = (Subject("embedded", "abacus", info("abacus", {}), _opened, endless_draws=1024),)
