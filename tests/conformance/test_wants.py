"""More than text: tools, images, embeddings, rewards, reasoning."""

from __future__ import annotations

import json
import math

import pytest
from conformance.subject import DOT, WEATHER, Opened, Subject, ask

from polyarch.backends.base import Capability
from polyarch.compiler.values import Message


@pytest.mark.offers(Capability.TOOLS)
async def test_a_tool_is_called(subject: Subject, opened: Opened) -> None:
    request = subject.request(text=subject.tool_prompt, tools=(WEATHER,), temperature=0.0)
    (heard,) = await ask(opened.backend, request)
    (call,) = heard.calls
    assert (call.name, heard.finish) == ("weather", "tools")
    assert call.id
    assert set(json.loads(call.arguments)) == {"city"}
    assert heard.completion_tokens > 0


@pytest.mark.offers(Capability.TOOLS)
async def test_what_a_tool_said_is_read(subject: Subject, opened: Opened) -> None:
    asked = Message("user", subject.tool_prompt)
    (first,) = await ask(
        opened.backend, subject.request(messages=(asked,), tools=(WEATHER,), temperature=0.0)
    )
    told = Message("tool", "12 degrees, rain", call=first.calls[0].id)
    turns = (asked, Message("assistant", first.text, calls=first.calls), told)
    (heard,) = await ask(opened.backend, subject.request(messages=turns, temperature=0.0))
    assert heard.text.strip()
    assert heard.finish != "tools"


@pytest.mark.offers(Capability.IMAGES)
async def test_an_image_is_taken(subject: Subject, opened: Opened) -> None:
    shown = Message("user", ("What is in this image?", DOT))
    (heard,) = await ask(opened.backend, subject.request(messages=(shown,)))
    assert heard.text.strip()


@pytest.mark.offers(Capability.EMBEDDINGS)
async def test_embeddings(subject: Subject, opened: Opened) -> None:
    async def embedding(text: str) -> tuple[float, ...]:
        (heard,) = await ask(opened.backend, subject.request(text=text, wants="embedding"))
        assert (heard.text, heard.finish, heard.completion_tokens) == ("", "stop", 0)
        assert heard.prompt_tokens > 0
        return heard.values

    first, again, other = [
        await embedding(t) for t in ("a red apple", "a red apple", "the war is over")
    ]
    assert len(first) == len(other) > 1
    assert all(math.isfinite(value) for value in first)
    assert first == pytest.approx(again, abs=1e-4)
    assert first != pytest.approx(other, abs=1e-4)


@pytest.mark.offers(Capability.REWARD)
async def test_a_reward(subject: Subject, opened: Opened) -> None:
    async def reward(said: str) -> float:
        turns = (Message("user", subject.prompt), Message("assistant", said))
        (heard,) = await ask(opened.backend, subject.request(messages=turns, wants="reward"))
        assert (heard.text, heard.finish, heard.completion_tokens) == ("", "stop", 0)
        (value,) = heard.values
        return value

    first, again, other = [await reward(t) for t in ("answer: 17", "answer: 17", "no idea")]
    assert math.isfinite(first)
    assert first == pytest.approx(again, abs=1e-4)
    assert first != pytest.approx(other, abs=1e-6)


@pytest.mark.offers(Capability.THINKING)
async def test_reasoning_is_kept_apart(subject: Subject, opened: Opened) -> None:
    (heard,) = await ask(opened.backend, subject.request(thinking=64))
    assert heard.reasoning.strip()
    assert heard.reasoning not in heard.text
    assert heard.completion_tokens > 0
