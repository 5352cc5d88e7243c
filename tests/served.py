"""A model, or pipelines, served in a process of its own, for tests of its clients.

with served() as server:
    ... server.url, server.running(), server.metrics()
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.request import Request, urlopen

ROOT = Path(__file__).parent.parent
MODEL = "embedded/abacus"


@dataclass(frozen=True)
class Server:
    """Where it is, and its process."""

    url: str
    process: subprocess.Popen[str]

    def metrics(self, key: str = "") -> Mapping[str, float]:
        """Its metrics by name, those with further labels by name and label."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        root = self.url.removesuffix("/v1")
        with urlopen(Request(f"{root}/metrics", headers=headers), timeout=30) as told:
            lines = told.read().decode().splitlines()
        found = {}
        for line in lines:
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                found[re.sub(r'\{model="[^"]*",?(.*)\}', r"\1", name)] = float(value)
        return found

    def running(self) -> int:
        """The requests that it answers now."""
        return int(self.metrics()["polyarch_requests_running"])

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Tell it to stop; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def served(
    model: str = MODEL,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    command: str = "serve-model",
    errors: IO[str] | None = None,
) -> Iterator[Server]:
    """A server on a free port, until the end of the block. It must end by itself when told to.

    With the command `serve`, of pipelines. `errors` is where its log goes.
    """
    code = "from polyarch.cli import main; main()"
    words = [sys.executable, "-c", code, command, model, "--port", "0", *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=errors, text=True, env=env
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().rsplit(" ", 1)[-1].strip()
            assert url.startswith("http"), url
            yield Server(url, process)
            if process.poll() is None:
                process.terminate()
                assert process.wait(30) == 0
        finally:
            process.kill()
