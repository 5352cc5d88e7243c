"""What a model does not offer is refused in one clear line, never left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from conformance.subject import ASKS, Opened, Subject, ask, subjects

from polyarch.backends.base import Capability
from polyarch.compiler.errors import BadRequest, NotRecorded

SHOWN_ELSEWHERE = {
    Capability.DRAWS,  # where it is not offered, nobody asks for more than max_draws
    Capability.SEED,  # every request has seeds
    Capability.CANCEL,
    Capability.LORA,  # an option of a model, in no request
}


def test_every_capability_is_dealt_with() -> None:
    assert ASKS.keys() | SHOWN_ELSEWHERE == set(Capability)


@pytest.mark.parametrize(
    ("subject", "capability"),
    [
        pytest.param(subject, capability, id=f"{name}-{capability.value}")
        for name, subject in subjects().items()
        for capability in ASKS
        if capability not in subject.info.capabilities
    ],
)
async def test_what_is_not_offered(
    subject: Subject, capability: Capability, opened: Opened
) -> None:
    fields: Mapping[str, Any] = ASKS[capability]
    with pytest.raises((BadRequest, NotRecorded)) as caught:
        await ask(opened.backend, subject.request(**fields))
    told = str(caught.value)
    assert "\n" not in told
    assert 10 < len(told) < 300
