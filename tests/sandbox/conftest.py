"""No test of this folder runs where isolation is not real."""

from __future__ import annotations

import pytest
from sandboxed import needs_sandbox


@pytest.fixture(autouse=True, scope="session")
def _isolated() -> None:
    needs_sandbox()
