"""Runs each test on the subjects that offer what it is about; each subject is opened once."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator

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
    metafunc.parametrize("subject", found, ids=[s.name for s in found], scope="session")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def opened(subject: Subject) -> AsyncIterator[Opened]:
    """The subject, open; closed twice afterwards, when nothing of it may be left."""
    before = asyncio.all_tasks()
    async with subject.open() as ready:
        yield ready
        await ready.backend.aclose()
        await ready.backend.aclose()
    await asyncio.sleep(0)
    left = {task for task in asyncio.all_tasks() - before if task is not asyncio.current_task()}
    assert not left, f"{subject.name} left {left}"
