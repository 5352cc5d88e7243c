"""A file that changes while its pipeline is served."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hosting import ONE, Host, hosting

from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.build import build_file
from polyarch.compiler.plan import plan
from polyarch.pipeline import Pipeline
from polyarch.server.pipelines.reload import Watch

OTHER = ONE.replace("generate", "generate, prompt: 'Other: {question}'")


class Files:
    """The file of a pipeline, served and looked at by hand."""

    def __init__(self, folder: Path, backend: Scripted) -> None:
        self.file = folder / "one.yaml"
        self.backend = backend
        self.write(ONE)

    def write(self, text: str, name: str = "one.yaml") -> None:
        path = self.file.with_name(name)
        path.write_text(text)
        # Two changes within one tick of the file system's clock must not look alike.
        Files.ticks += 1
        os.utime(path, ns=(Files.ticks, Files.ticks))

    ticks = 10**18

    def load(self, path: Path) -> Pipeline:
        return Pipeline(plan(build_file(path)), backends={"m": self.backend})

    def watch(self, host: Host) -> Watch:
        return Watch(host.hosted, {"one": self.file}, self.load, host.metrics)


def prompts(backend: Scripted) -> list[str]:
    return [request.messages[-1].text.split()[0] for request in backend.log.seen]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path, Scripted(lambda *_: "4", keep=True))


async def test_a_changed_file_answers_new_requests(files: Files) -> None:
    async with hosting(files.load(files.file)) as host:
        watch = files.watch(host)
        before = host.hosted["one"]
        await host.post()
        await watch.look()
        assert host.hosted["one"] is before
        files.write(OTHER)
        await watch.look()
        await host.post()
        assert host.hosted["one"].plan.digest != before.plan.digest
    assert prompts(files.backend) == ["What", "Other:"]


async def test_a_changed_prompt_beside_it_counts(files: Files) -> None:
    files.write("First: {question}", "prompt.txt")
    files.write(ONE.replace("generate", "generate, prompt: {file: prompt.txt}"))
    async with hosting(files.load(files.file)) as host:
        watch = files.watch(host)
        await host.post()
        files.write("Second: {question}", "prompt.txt")
        await watch.look()
        await host.post()
    assert prompts(files.backend) == ["First:", "Second:"]


WRONG: list[tuple[Callable[[Files], None], str]] = [
    (lambda files: files.write(ONE.replace("generate", "generat")), 'did you mean "generate"?'),
    (lambda files: files.write("name: [one"), "one.yaml:1:"),
    (lambda files: files.write(ONE.replace("name: one", "name: two")), "calls itself 'two'"),
    (lambda files: files.file.unlink(), "one.yaml"),
    (
        lambda files: files.write(
            ONE.replace("scripted/x", "{model: openai/x, options: {key_env: MY_KEY}}")
            .replace("m:", "other:")
        ),
        "allow it outside the pipeline: --allow-key MY_KEY",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "told"), WRONG)
async def test_a_wrong_file_is_refused_and_the_old_one_stays(
    files: Files, spoil: Callable[[Files], None], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosting(files.load(files.file)) as host:
        watch = files.watch(host)
        spoil(files)
        with caplog.at_level(logging.INFO, "polyarch.server"):
            await watch.look()
        assert (await host.post()).status_code == 200
        (card,) = (await host.client.get(f"{host.url}/models")).json()["data"]
        assert told in card["polyarch"]["refused"]
        (record,) = [one for one in caplog.records if one.levelno == logging.WARNING]
        assert told in vars(record)["why"]
        assert 'reloads_total{model="one",outcome="refused"} 1.0' in host.metrics.text().decode()
        # Once it is right again, nothing is left of that.
        files.write(OTHER)
        await watch.look()
        (card,) = (await host.client.get(f"{host.url}/models")).json()["data"]
        assert "refused" not in card["polyarch"]
        await host.post()
    assert prompts(files.backend) == ["What", "Other:"]


async def test_requests_under_way_end_as_they_began(tmp_path: Path) -> None:
    closed: list[str] = []

    class Closable(Scripted):
        async def aclose(self) -> None:
            closed.append("closed")

    backend = Closable(lambda *_: Script("old", latency=0.3), keep=True)
    files = Files(tmp_path, backend)
    async with hosting(files.load(files.file)) as host:
        watch = files.watch(host)
        asking = asyncio.create_task(host.post())
        while not backend.log.under_way:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        before = host.hosted["one"]
        shut: list[Any] = []
        close = before.session.aclose

        async def noticed() -> None:
            shut.append(backend.log.under_way)
            await close()

        before.session.aclose = noticed  # type: ignore[method-assign]
        files.write(OTHER)
        await watch.look()
        assert (before.retired, before.users, shut) == (True, 1, [])
        new = asyncio.create_task(host.post())
        assert (await asking).json()["choices"][0]["message"]["content"] == "old"
        assert (await new).status_code == 200
        while not shut:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        # Its models were closed once, when nobody used them any more.
        assert len(shut) == 1
    assert prompts(backend) == ["What", "Other:"]


async def test_it_looks_by_itself(files: Files) -> None:
    async with hosting(files.load(files.file)) as host:
        watch = Watch(host.hosted, {"one": files.file}, files.load, host.metrics, every=0.02)
        async with watch:
            before = host.hosted["one"].plan.digest
            files.write(OTHER)
            while host.hosted["one"].plan.digest == before:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
