"""`polyarch serve` in a process of its own: keys, logs, its end, a file that changes."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from served import ROOT, Server, served

from polyarch.cli import cli

KEY = "a-key-of-no-known-shape"
UPSTREAM = "sk-upstream-0123456789"


def scripted(name: str, rules: str, steps: str) -> str:
    return (
        f"name: {name}\nmodels: {{m: {{model: scripted/x, options: {{replies: {rules}}}}}}}\n"
        f"steps: {steps}\n"
    )


def body(model: str = "one", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "What is 2 + 2?"}], **more}


def ask(server: Server, key: str = "", **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    url = f"{server.url}/chat/completions"
    return httpx.post(url, json=body(**more), headers=headers, timeout=60)


QUICK = "[{texts: ['4'], cycle: true}]"


@pytest.fixture
def one(tmp_path: Path) -> Path:
    file = tmp_path / "one.yaml"
    file.write_text(scripted("one", QUICK, "{draft: {op: generate}}"))
    return file


def test_keys_and_logs(one: Path, tmp_path: Path) -> None:
    leaky = f"[{{fault: unauthorized, texts: ['x']}}, {{texts: ['{UPSTREAM}'], cycle: true}}]"
    two = tmp_path / "two.yaml"
    two.write_text(scripted("two", leaky, "{draft: {op: generate}}"))
    log = tmp_path / "log"
    environment = {"CLIENTS": KEY, "UPSTREAM_API_KEY": UPSTREAM}
    arguments = (str(two), "--key-env", "CLIENTS", "--host", "0.0.0.0")
    with (
        log.open("w") as errors,
        served(
            str(one), *arguments, environment=environment, command="serve", errors=errors
        ) as told,
    ):
        server = Server(told.url.replace("0.0.0.0", "127.0.0.1"), told.process)
        root = server.url.removesuffix("/v1")
        for path in ("health", "ready", "openapi.json"):
            assert httpx.get(f"{root}/{path}").status_code == 200
        for path in ("metrics", "v1/models", "v1/models/one"):
            assert httpx.get(f"{root}/{path}").status_code == 401
        assert ask(server).status_code == 401
        wrong = ask(server, f"{KEY}!")
        assert wrong.status_code == 401
        assert ask(server, KEY).status_code == 200
        failed = ask(server, KEY, model="two")
        assert (failed.status_code, failed.json()["error"]["code"]) == (
            502,
            "upstream_unauthorized",
        )
        missing = ask(server, KEY, model=f"sk-{KEY}")
        assert missing.status_code == 404
        assert KEY not in wrong.text + failed.text
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    asked = [line for line in lines if line["message"] == "request"]
    assert [line["status"] for line in asked] == ["200", "502", "404"]
    assert asked[0]["model"] == "one"
    assert asked[0]["completion_tokens"] == 1
    assert asked[0]["seconds"] >= 0
    # Nothing of what was said, and no key.
    assert "2 + 2" not in log.read_text()
    for secret in (KEY, UPSTREAM):
        assert secret not in log.read_text()


def test_metrics(one: Path) -> None:
    with served(str(one), "-q", command="serve") as server:
        for _ in range(3):
            assert ask(server).status_code == 200
        assert ask(server, model="none").status_code == 404
        found = server.metrics()
    assert found['polyarch_requests_totaloutcome="200"'] == 3
    assert found["polyarch_calls_total"] == 3
    assert found["polyarch_completion_tokens_total"] == 3
    assert found['polyarch_request_seconds_bucket{le="+Inf",model="one"}'] == 3
    assert found["polyarch_requests_running"] == 0


SLOW = "[{role: fuse, texts: ['fused'], latency: 3600}, {texts: ['4', '5'], cycle: true}]"
FUSED = "{drafts: {op: generate, n: 2}, fused: {op: fuse}}"


async def test_the_end_finishes_what_it_can_and_returns_what_it_has(tmp_path: Path) -> None:
    quick, slow = tmp_path / "quick.yaml", tmp_path / "slow.yaml"
    quick.write_text(scripted("quick", "[{texts: ['4'], latency: 0.8}]", "{draft: {op: generate}}"))
    slow.write_text(scripted("slow", SLOW, FUSED))
    with served(str(quick), str(slow), "-q", "--grace", "3", command="serve") as server:
        async with httpx.AsyncClient(timeout=60) as client:
            url = f"{server.url}/chat/completions"
            tasks = [
                asyncio.create_task(client.post(url, json=body(name))) for name in ("quick", "slow")
            ]
            while server.running() < 2:  # noqa: ASYNC110 -- in a process of its own
                await asyncio.sleep(0.01)
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            finished, ended = [reply.json() for reply in await asyncio.gather(*tasks)]
        assert server.process.wait(30) == 0
        assert time.monotonic() - began < 3600
    assert finished["choices"][0]["message"]["content"] == "4"
    assert finished["polyarch"]["stopped"] == ""
    # The fuse never came: the first draft is what there is.
    assert ended["choices"][0]["message"]["content"] == "4"
    assert "the server: it stops" in ended["polyarch"]["stopped"]


def test_a_changed_file_is_taken_up(one: Path) -> None:
    with served(str(one), "-q", command="serve") as server:
        assert ask(server).json()["choices"][0]["message"]["content"] == "4"
        text = one.read_text()
        one.write_text(text.replace("'4'", "'five'"))
        for _ in range(200):
            said = ask(server).json()["choices"][0]["message"]["content"]
            if said == "five":
                break
            time.sleep(0.05)
        assert said == "five"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["single", "--host", "0.0.0.0"], "name the variable that holds its key"),
        (["singl"], 'did you mean "single"?'),
        (["single", "single"], "two pipelines are called 'single'"),
        (["single", "--port", "99999"], "cannot listen at"),
        (["single", "--budget", "cals=3"], 'did you mean "calls"?'),
    ],
)
def test_wrong_usage_is_told(arguments: list[str], told: str) -> None:
    done = CliRunner().invoke(cli, ["serve", *arguments])
    assert done.exit_code in (1, 2)
    assert told in done.stderr


def test_a_wrong_file_is_told_before_anything_listens(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("name: p\nmodels: {m: scripted/x}\nsteps: {draft: {op: generat}}\n")
    done = CliRunner().invoke(cli, ["serve", str(file)])
    assert done.exit_code == 1
    assert "p.yaml:3:21: error[unknown-operator]" in done.stderr


def test_where_it_is_and_what_is_wrong_are_told_as_json(one: Path) -> None:
    code = "from polyarch.cli import main; main()"
    for words, expected in (
        (["serve", str(one)], {"serving": ["one"], "page": True}),
        (["serve-model", "embedded/abacus"], {"serving": ["embedded/abacus"], "page": False}),
    ):
        command = [sys.executable, "-c", code, *words, "--port", "0", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            assert httpx.get(f"{told['url']}/models").status_code == 200
            process.terminate()
            assert process.wait(30) == 0
        assert told["serving"] == expected["serving"]
        assert ("page" in told) == expected["page"]
    done = CliRunner().invoke(cli, ["serve", "nothere", "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["error"]["code"] == "input"
