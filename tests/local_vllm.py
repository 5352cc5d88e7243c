"""vLLM on this machine's CPU with the embedded model's weights: in this process, or as a server.

Only `make test-vllm` installs vLLM; `HERE` says whether it is installed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from polyarch.backends.base import Draw, Request
from polyarch.backends.embedded.export import export
from polyarch.compiler.values import Json, Message, Purpose

__all__ = [
    "CONTEXT",
    "ENVIRONMENT",
    "HERE",
    "Server",
    "asking",
    "checkpoint",
    "options",
    "prepare",
    "served",
    "working",
]

HERE = find_spec("vllm") is not None
CONTEXT = 512

ENVIRONMENT: Mapping[str, str] = {
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
}
"""Without multiprocessing the engine is still a process, but its worker is not another one: it
starts in half the time."""

_COMPACT = {"backend": "xgrammar", "disable_any_whitespace": True}
"""So small a model would fill a guided reply with blank lines."""


def prepare() -> None:
    """Set the environment that vLLM reads when it is imported."""
    os.environ.update(ENVIRONMENT)


@contextmanager
def checkpoint() -> Iterator[Path]:
    """A folder with the embedded model as vLLM loads it."""
    with tempfile.TemporaryDirectory(prefix="abacus-") as folder:
        export(Path(folder))
        yield Path(folder)


def options(folder: Path, **others: Json) -> dict[str, Json]:
    """Options of a vllm model for this folder; those given as `engine` are added."""
    engine = others.pop("engine", {})
    assert isinstance(engine, Mapping)
    return {
        "path": str(folder),
        "dtype": "float32",
        "enforce_eager": True,
        "max_model_len": CONTEXT,
        "gpu_memory_utilization": 0.2,
        "engine": {"block_size": 32, "structured_outputs_config": _COMPACT, **engine},
        **others,
    }


def asking(text: str, draws: int = 1, *, seed: int = 100, **fields: Any) -> Request:
    """A request to solve; draw k has index 5 + k and seed `seed` + k."""
    numbered = tuple(Draw(5 + k, k, seed + k) for k in range(draws))
    given: dict[str, Any] = {"max_tokens": 64, "temperature": 0.0, **fields}
    messages = given.pop("messages", (Message("user", text),))
    return Request("m", messages, Purpose("solve", text), numbered, **given)


async def working(backend: Any) -> int:
    """How many draws the engine's scheduler runs or has waiting, by its own count: told with every
    step, so a short request makes one, which does not count."""
    running = backend._engine.running
    if running is None:
        return 0
    probe = backend.generate(asking("How?", max_tokens=3))
    async for _ in probe:
        told = running.queue.running + running.queue.waiting
        await probe.aclose()
    return max(0, told - 1)


class Server:
    """vLLM's own OpenAI-compatible server, as a process."""

    def __init__(self, folder: Path, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._folder = folder
        self._log = log
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address up to and with `/v1`."""
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Start the process; it is not up yet."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "vllm.entrypoints.openai.api_server"),
                    *("--model", str(self._folder), "--served-model-name", "abacus"),
                    *("--host", "127.0.0.1", "--port", str(self.port), "--dtype", "float32"),
                    *("--max-model-len", str(CONTEXT), "--gpu-memory-utilization", "0.2"),
                    *("--block-size", "32", "--enforce-eager", "--enable-prompt-tokens-details"),
                    *("--structured-outputs-config", json.dumps(_COMPACT)),
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, **ENVIRONMENT, "VLLM_LOGGING_LEVEL": "WARNING"},
                start_new_session=True,
            )

    async def up(self, seconds: float = 240.0) -> None:
        """Wait until it answers."""
        async with asyncio.timeout(seconds):
            while not await asyncio.to_thread(self._healthy):
                assert self.process is not None
                assert self.process.poll() is None, self._log.read_text()[-4000:]
                await asyncio.sleep(0.5)

    def kill(self) -> None:
        """Kill it and all its processes, without a chance to say goodbye."""
        process, self.process = self.process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    async def metric(self, name: str) -> float:
        """One of its metrics, summed over its labels."""
        told = await asyncio.to_thread(self._read, "/metrics")
        found = re.findall(rf"^vllm:{name}(?:{{[^}}]*}})? ([0-9.e+-]+)$", told, re.MULTILINE)
        assert found, f"no metric {name}"
        return sum(map(float, found))

    def _healthy(self) -> bool:
        try:
            self._read("/health")
        except OSError:
            return False
        return True

    def _read(self, path: str) -> str:
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return str(answer.read().decode())


@contextmanager
def served() -> Iterator[Server]:
    """A server that has been started."""
    with checkpoint() as folder, tempfile.TemporaryDirectory(prefix="vllm-") as logs:
        server = Server(folder, Path(logs) / "log")
        server.start()
        try:
            yield server
        finally:
            server.kill()
