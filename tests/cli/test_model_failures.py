"""A model that cannot be asked: one clear line, and exit code 1."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from served import MODEL, ROOT, Server, served

STORY = "Tom has 12 apples. Tom gives 2 to each of 3 friends. How many apples does Tom have?"
KEY = "sk-very-s3cret"
MAIN = "from polyarch.cli import main; main()"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served(MODEL, "--key-env", "SERVER_KEY", environment={"SERVER_KEY": KEY}) as running:
        yield running


def run(folder: Path, url: str, question: str = STORY, model: str = MODEL) -> tuple[int, str]:
    """The exit code and what was told on standard error."""
    pipeline = folder / "p.yaml"
    pipeline.write_text(
        "name: p\n"
        "models:\n"
        f"  m: {{model: openai/{model}, retries: 0, options: {{base_url: '{url}', key_env: K}}}}\n"
        "steps: {draft: {op: generate}}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "run", str(pipeline), question, "--quiet", "--allow-key", "K"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "K": KEY, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert KEY not in done.stdout + done.stderr
    return done.returncode, done.stderr


def told(result: tuple[int, str]) -> str:
    """The one line."""
    code, text = result
    (line,) = text.strip().splitlines()
    assert code == 1
    assert line.startswith("error: step 'draft' failed: openai/")
    return line


def test_a_wrong_key(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "KEY", "another-key")
    assert told(run(tmp_path, server.url)).endswith("refuses the key in K (401)")


def test_a_missing_model(server: Server, tmp_path: Path) -> None:
    line = told(run(tmp_path, server.url, model="abacos"))
    assert "answered 404: the model 'abacos' does not exist" in line


def test_a_prompt_that_is_too_long(server: Server, tmp_path: Path) -> None:
    line = told(run(tmp_path, server.url, f"{STORY} " * 30))
    assert "holds 512 tokens" in line


def test_a_dead_port(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = told(run(tmp_path, f"http://127.0.0.1:{port}/v1"))
    assert line.endswith("cannot be reached: connection refused")


def test_the_right_key(server: Server, tmp_path: Path) -> None:
    assert run(tmp_path, server.url) == (0, "")
