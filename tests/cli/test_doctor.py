"""`polyarch doctor`: what is found, what a pipeline lacks, and the exit code."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner, Result

from polyarch.cli import checks, cli, known, servers
from polyarch.compiler.errors import SandboxFailed
from polyarch.compiler.registry import backend_names

SECRET = "sk-do-not-show-me"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No keys, a cache of its own, and a sandbox that holds."""
    for names in checks.KEYS.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("POLYARCH_CACHE", str(tmp_path / "replies.sqlite"))
    monkeypatch.setattr(checks, "probed", lambda: None)
    monkeypatch.setattr(servers, "_PORTS", ())


def doctor(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["doctor", *arguments])


def findings(*arguments: str) -> dict[str, dict[str, Any]]:
    """What is found, by name."""
    told = json.loads(doctor(*arguments, "--json").stdout)
    return {one["name"]: one for one in told["findings"]}


def pipeline(folder: Path, model: str, step: str = "{op: generate}") -> str:
    path = folder / "p.yaml"
    path.write_text(f"name: p\nmodels: {{m: {model}}}\nsteps:\n  a: {step}\n")
    return str(path)


def test_without_a_pipeline_nothing_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", SECRET)
    told = doctor()
    assert told.exit_code == 0
    assert SECRET not in told.output
    lines = [line.split() for line in told.stdout.splitlines()]
    assert ["GROQ_API_KEY", "set"] in lines
    assert ["ANTHROPIC_API_KEY", "not", "set"] in lines
    assert ["GEMINI_API_KEY", "or", "GOOGLE_API_KEY", "not", "set"] in lines
    assert ["bubblewrap", "holds"] in lines


def test_packages_that_are_not_there_come_with_what_installs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Told:
        def get_all(self, name: str) -> list[str]:
            return ["click>=8.2", "nowhere-at-all>=1; extra == 'serve'", 'click; extra == "web"']

    monkeypatch.setattr(checks, "metadata", lambda name: Told())
    found = findings()
    assert found["nowhere-at-all (serve)"] == {
        "what": "packages",
        "name": "nowhere-at-all (serve)",
        "state": "missing",
        "detail": "pip install 'polyarch[serve]'",
        "needed": False,
    }
    assert found["click (web)"]["state"] == "ok"
    assert "click" not in found


def test_a_key_that_a_pipeline_sends_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = pipeline(tmp_path, "openai/gpt-4o-mini")
    lacking = doctor(file)
    assert lacking.exit_code == 1
    assert "missing: not set" in lacking.stdout
    assert findings(file)["OPENAI_API_KEY"]["needed"] is True
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    assert doctor(file).exit_code == 0
    claude = pipeline(tmp_path, "litellm/anthropic/claude-sonnet-4-5")
    assert findings(claude)["ANTHROPIC_API_KEY"]["state"] == "missing"
    own = pipeline(tmp_path, "{model: litellm/groq/m, options: {key_env: MY_KEY}}")
    assert findings(own)["MY_KEY"]["state"] == "missing"


class _Served(BaseHTTPRequestHandler):
    """A server that says which models it has, or whatever else `told` is."""

    told: ClassVar[tuple[int, bytes]] = (200, b'{"data": [{"id": "m"}, {"id": "n"}]}')
    seen: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers.get("Authorization")))
        code, body = self.told
        self.send_response(code)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def answering(told: tuple[int, bytes] = _Served.told) -> Iterator[str]:
    """The address of a server."""
    kind = type("Served", (_Served,), {"told": told, "seen": []})
    with HTTPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            assert set(kind.seen) <= {("/v1/models", None)}


def test_a_server_is_there_when_it_answers(tmp_path: Path) -> None:
    with answering() as url:
        file = pipeline(tmp_path, f'{{model: openai/m, options: {{base_url: "{url}"}}}}')
        assert findings(file)[url]["state"] == "ok"
        assert findings(file)[url]["detail"] == "answers, has m, n"
        assert doctor(file).exit_code == 0
        assert "OPENAI_API_KEY" not in findings(file)
    assert findings(file)[url]["state"] == "missing"
    assert doctor(file).exit_code == 1


def test_a_server_that_wants_a_key_answers(tmp_path: Path) -> None:
    with answering((401, b"")) as url:
        file = pipeline(tmp_path, f'{{model: openai/m, options: {{base_url: "{url}"}}}}')
        assert findings(file)[url]["detail"] == "answers, with HTTP 401"
        assert doctor(file).exit_code == 0


def test_what_takes_connections_and_says_nothing_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        file = pipeline(tmp_path, f'{{model: openai/m, options: {{base_url: "{url}"}}}}')
        assert findings(file)[url]["state"] == "missing"
        assert doctor(file).exit_code == 1


def test_servers_of_this_machine_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering() as url:
        monkeypatch.setattr(servers, "_PORTS", (int(url.rsplit(":", 1)[1].removesuffix("/v1")),))
        assert findings()[url]["detail"] == "answers, has m, n"
        assert doctor().exit_code == 0


def test_every_backend_is_told_and_the_own_model_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "find_spec", lambda name: None if name == "litellm" else True)
    found = findings()
    assert set(backend_names()) <= set(found)
    assert found["embedded"]["detail"].startswith("answers")
    assert found["litellm"]["state"] == "missing"
    assert found["litellm"]["detail"] == "pip install 'polyarch[litellm]'"
    assert found["vllm"]["detail"] == "ready"
    assert doctor().exit_code == 0


def test_the_sandbox_is_needed_by_what_runs_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise SandboxFailed("no bubblewrap here")

    monkeypatch.setattr(checks, "probed", broken)
    model = "embedded/abacus"
    assert doctor().exit_code == 0
    assert "missing: no bubblewrap here" in doctor().stdout
    assert doctor(pipeline(tmp_path, model)).exit_code == 0
    for step, needed in (("verify, method: program", True), ("verify, method: judge", False)):
        steps = f"{{op: generate}}\n  b: {{op: {step}}}"
        assert ("bubblewrap" in findings(pipeline(tmp_path, "scripted/m", steps))) is needed
    assert doctor("program_of_thought").exit_code == 1


def test_the_cache_has_a_place_and_a_size(tmp_path: Path) -> None:
    path = tmp_path / "replies.sqlite"
    assert findings()[str(path)]["detail"] == "none yet"
    path.write_bytes(b"x" * 1234)
    assert findings()[str(path)]["detail"] == "1,234 bytes"


def test_a_wrong_pipeline_is_told_as_ever(tmp_path: Path) -> None:
    told = doctor(pipeline(tmp_path, "embedded/abacus", "{op: generat}"))
    assert (told.exit_code, told.stdout) == (1, "")
    assert 'did you mean "generate"' in told.stderr
