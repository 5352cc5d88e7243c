"""Runs each test on the subjects that offer what it is about; each subject is opened once."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from conformance.subject import Opened, Subject, subjects


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "offers(*capabilities): what a subject must offer")
    config.addinivalue_line("markers", "trait(name): a trait that a subject must have")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One loop for the whole folder, so that a backend can be asked by test after test."""
    for item in items:
        if "conformance" not in item.path.parts or not isinstance(item, pytest.Function):
            continue
        if inspect.iscoroutinefunction(item.function):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    own = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "subject" not in metafunc.fixturenames or ("subject", "capability") in own:
        return
    found = list(subjects().values())
    for mark in metafunc.definition.iter_markers("offers"):
        found = [s for s in found if all(s.offers(capability) for capability in mark.args)]
    for mark in metafunc.definition.iter_markers("trait"):
        found = [s for s in found if all(getattr(s, trait) for trait in mark.args)]
    metafunc.parametrize("subject", found, ids=[s.name for s in found])


class Openings:
    """Every subject that was opened, until the end of the session."""

    def __init__(self) -> None:
        self._opened: dict[str, Opened] = {}
        self._stack = AsyncExitStack()
        self._before = asyncio.all_tasks()

    async def open(self, subject: Subject) -> Opened:
        """The subject, open."""
        if subject.name not in self._opened:
            opened = await self._stack.enter_async_context(subject.open())
            self._opened[subject.name] = opened
        return self._opened[subject.name]

    async def aclose(self) -> None:
        """Close each twice; nothing of them may be left."""
        for opened in self._opened.values():
            await opened.backend.aclose()
            await opened.backend.aclose()
        await self._stack.aclose()
        await asyncio.sleep(0)
        left = asyncio.all_tasks() - self._before - {asyncio.current_task()}
        assert not left, f"{list(self._opened)} left {left}"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def openings() -> AsyncIterator[Openings]:
    made = Openings()
    yield made
    await made.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def opened(openings: Openings, subject: Subject) -> Opened:
    """The subject, open."""
    return await openings.open(subject)
