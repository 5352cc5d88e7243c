"""A server's life: keys, hosts, limits, ports, and its end."""

from __future__ import annotations

import asyncio
import signal
import socket

import httpx
import pytest
from click.testing import CliRunner
from served import MODEL, served

from polyarch.backends.scripted import info, open_backend
from polyarch.cli import cli
from polyarch.server.app import Limits, app
from polyarch.server.keys import Keys
from polyarch.server.listen import bound
from polyarch.server.metrics import Metrics
from polyarch.server.models.served import ServedModel

SLOW = '{"replies": [{"texts": ["4"], "cycle": true, "latency": 1.0}]}'
BODY = {"model": "scripted/x", "messages": [{"role": "user", "content": "2 + 2?"}]}


def test_keys() -> None:
    keys = {"MY_KEYS": "first-key, second-key"}
    with served(MODEL, "--key-env", "MY_KEYS", environment=keys) as server:

        def status(path: str, **headers: str) -> int:
            return httpx.get(f"{server.url}/{path}", headers=headers).status_code

        for key in ("first-key", "second-key"):
            assert status("models", Authorization=f"Bearer {key}") == 200
        for wrong in ("Bearer first", "Bearer", "Basic first-key", "Bearer first-key, second-key"):
            assert status("models", Authorization=wrong) == 401
        assert status("models") == 401
        assert status("../metrics") == 401
        assert status("../health") == 200
        told = httpx.post(f"{server.url}/chat/completions", json=BODY).json()["error"]
        assert told["code"] == "invalid_api_key"
        assert "first-key" not in str(told)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_what_runs_may_end(number: int) -> None:
    with served("scripted/x", "--options", SLOW) as server:
        async with httpx.AsyncClient() as client:
            url = f"{server.url}/chat/completions"
            task = asyncio.create_task(client.post(url, json=BODY))
            while not server.running():  # noqa: ASYNC110 -- in a process of its own
                await asyncio.sleep(0.01)
            server.process.send_signal(number)
            told = (await task).json()
            assert told["choices"][0]["message"]["content"] == "4"
        assert server.process.wait(30) == (130 if number == signal.SIGINT else 0)


async def test_a_second_signal_ends_it_at_once() -> None:
    slow = SLOW.replace("1.0", "3600")
    with served("scripted/x", "--options", slow) as server:
        async with httpx.AsyncClient(timeout=60) as client:
            url = f"{server.url}/chat/completions"
            task = asyncio.create_task(client.post(url, json=BODY))
            while not server.running():  # noqa: ASYNC110 -- in a process of its own
                await asyncio.sleep(0.01)
            server.process.terminate()
            await asyncio.sleep(0.3)
            assert server.process.poll() is None
            assert server.stop() == 0
            with pytest.raises(httpx.HTTPError):
                (await task).raise_for_status()


async def test_limits() -> None:
    limits = ("--running", "1", "--waiting", "1", "--options", SLOW)
    with served("scripted/x", *limits) as server:
        async with httpx.AsyncClient() as client:
            url = f"{server.url}/chat/completions"
            tasks = [asyncio.create_task(client.post(url, json=BODY)) for _ in range(3)]
            replies = await asyncio.gather(*tasks)
        assert sorted(reply.status_code for reply in replies) == [200, 200, 429]
        (busy,) = [reply for reply in replies if reply.status_code == 429]
        assert busy.headers["Retry-After"] == "1"
        assert busy.json()["error"]["code"] == "overloaded"
        assert server.metrics()['polyarch_requests_totaloutcome="200"'] == 2


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("rate-limited", 429, "rate_limit_exceeded"),
        ("server-failed", 502, "upstream_failed"),
        ("unreachable", 503, "upstream_unreachable"),
        ("timed-out", 504, "timeout"),
        ("unauthorized", 502, "upstream_unauthorized"),
        ("too-long", 400, "context_length_exceeded"),
        ("bad-request", 400, None),
    ],
)
def test_failures_of_the_model(fault: str, status: int, code: str | None) -> None:
    rules = {"replies": [{"texts": ["4"], "fault": fault}]}
    metrics = Metrics()
    model = ServedModel("scripted/x", info("x", rules), open_backend("x", rules), metrics)
    made = app(model, Keys(), metrics, Limits(4, 4))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=made)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post("/v1/chat/completions", json=BODY)

    reply = asyncio.run(ask())
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["embedded/abacus", "--host", "0.0.0.0"], "name the variable that holds its key"),
        (["embedded/abacus", "--key-env", "NO_SUCH_KEY"], "NO_SUCH_KEY is not set"),
        (["embeded/abacus"], 'did you mean "embedded"?'),
        (["embedded/abacu"], "has only the model 'abacus'"),
        (["embedded/abacus", "--options", "{"], "--options is no JSON"),
        (["embedded/abacus", "--options", "[]"], "--options is an object"),
        (["embedded/abacus", "--options", '{"x": 1}'], "has no option 'x'"),
        (["embedded/abacus", "--port", "99999"], "cannot listen at"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], told: str) -> None:
    done = CliRunner().invoke(cli, ["serve-model", *arguments])
    assert done.exit_code == 1
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = CliRunner().invoke(cli, ["serve-model", MODEL, "--port", port])
    assert (done.exit_code, "cannot listen at 127.0.0.1" in done.stderr) == (1, True)


def test_replies_are_sent_at_once() -> None:
    with bound("127.0.0.1", 0) as listening:
        # What asyncio looks at before it sets TCP_NODELAY.
        assert listening.proto == socket.IPPROTO_TCP
