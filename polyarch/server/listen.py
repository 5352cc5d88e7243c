"""A server on a port, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from ..compiler.errors import InputError
from .life import Life

__all__ = ["bound", "serve"]

_BACKLOG = 2048


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one. Raises `InputError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends at once (TCP_NODELAY) only where a socket says that it is one of TCP; otherwise
    # replies would wait some 40 ms for the acknowledgement of their headers.
    taken = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, port))
        taken.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        taken.close()
        raise InputError(f"cannot listen at {host}:{port}: {error}") from error
    return taken


def serve(
    app: ASGIApp,
    listening: socket.socket,
    life: Life,
    *,
    grace: float,
    ready: Callable[[], None],
) -> int:
    """Serve until SIGTERM or SIGINT, then let what runs end within `grace` seconds.

    A second signal ends it at once. Gives the number of the signal.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        log_config=None,
        lifespan="on",
        timeout_graceful_shutdown=max(1, round(grace)),
    )
    server = _Server(config, ready, lambda: life.stop(grace))
    asyncio.run(server.serve(sockets=[listening]))
    return server.told


class _Server(uvicorn.Server):
    """Uvicorn's server, which gives the signal back instead of raising it once more."""

    def __init__(
        self, config: uvicorn.Config, ready: Callable[[], None], stop: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._stopping = stop
        self.told = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on the first signal, at once on the second."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop, number)
        yield

    def _stop(self, number: int) -> None:
        if not self.should_exit:
            self._stopping()
        self.force_exit = self.should_exit
        self.should_exit = True
        self.told = number
