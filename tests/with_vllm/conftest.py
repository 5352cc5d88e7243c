"""These tests ask vLLM itself: `make test-vllm` installs it and runs them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import local_vllm
import pytest
import pytest_asyncio

from polyarch.backends.vllm import open_backend
from polyarch.backends.vllm.backend import VLLM

if TYPE_CHECKING:
    import psutil

if not local_vllm.HERE:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """The model's checkpoint."""
    local_vllm.prepare()
    with local_vllm.checkpoint() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backend(folder: Path) -> AsyncIterator[VLLM]:
    """A model whose engine is shared by the tests of a file."""
    made = open_backend("abacus", local_vllm.options(folder))
    assert isinstance(made, VLLM)
    yield made
    await made.aclose()


@pytest.fixture
def gone() -> Iterator[None]:
    """No process is left that was not there before, but Python's own tracker of resources."""
    import psutil  # comes with vLLM

    before = _children()
    yield
    left = {p for p in _children() - before if "resource_tracker" not in " ".join(p.cmdline())}
    psutil.wait_procs(left, timeout=10)
    assert [p.name() for p in left if p.is_running()] == []


def _children() -> set[psutil.Process]:
    import psutil

    return set(psutil.Process().children(recursive=True))
