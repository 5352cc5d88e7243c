"""Replies that are bound to a form."""

from __future__ import annotations

import json
import re

import pytest
from conformance.subject import Opened, Subject, ask

from polyarch.backends.base import Capability

SCHEMA = {
    "type": "object",
    "properties": {"verdict": {"type": "string", "enum": ["right", "wrong"]}},
    "required": ["verdict"],
    "additionalProperties": False,
}


@pytest.mark.offers(Capability.GUIDED_JSON)
async def test_a_schema(subject: Subject, opened: Opened) -> None:
    (heard,) = await ask(opened.backend, subject.request(schema=SCHEMA))
    assert json.loads(heard.text) in ({"verdict": "right"}, {"verdict": "wrong"})
    assert heard.finish == "stop"


@pytest.mark.offers(Capability.GUIDED_REGEX)
async def test_a_regular_expression(subject: Subject, opened: Opened) -> None:
    (heard,) = await ask(opened.backend, subject.request(regex="[0-9]{3}-[0-9]{2}"))
    assert re.fullmatch("[0-9]{3}-[0-9]{2}", heard.text)


@pytest.mark.offers(Capability.GUIDED_GRAMMAR)
async def test_a_grammar(subject: Subject, opened: Opened) -> None:
    (heard,) = await ask(opened.backend, subject.request(grammar='root ::= "yes" | "no"'))
    assert heard.text in {"yes", "no"}


@pytest.mark.offers(Capability.GUIDED_CHOICE)
async def test_a_choice(subject: Subject, opened: Opened) -> None:
    draws = 8 if subject.offers(Capability.DRAWS) else 1
    choice = ("red apples", "green pears", "no fruit")
    heard = await ask(opened.backend, subject.request(draws, choice=choice))
    assert {one.text for one in heard} <= set(choice)
