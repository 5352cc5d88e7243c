"""Requests, as the server reads them."""

from __future__ import annotations

from typing import Any

import pytest

from polyarch.backends.base import Draw, Request
from polyarch.backends.openai.body import body
from polyarch.backends.openai.faults import Faults
from polyarch.backends.openai.options import checked
from polyarch.compiler.errors import BadRequest
from polyarch.compiler.values import Image, Json, Message, Purpose

HERE: dict[str, Json] = {"base_url": "http://here/v1"}
USER = (Message("system", "Be brief."), Message("user", "Why?"))


def asked(options: dict[str, Json], draws: int = 1, **fields: Any) -> dict[str, Any]:
    numbered = tuple(Draw(i, i, 100 + i) for i in range(draws))
    request = Request("m", fields.pop("messages", USER), Purpose("solve", "Why?"), numbered, 64)
    for name, value in fields.items():
        object.__setattr__(request, name, value)
    return body("m", checked("m", options), request, Faults("openai/m", None))


def test_everything_that_decides_a_reply_is_sent() -> None:
    assert asked(HERE, 3, temperature=0.5, top_p=0.9, top_k=7, stop=("\n",)) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Why?"},
        ],
        "max_tokens": 64,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 7,
        "n": 3,
        "stop": ("\n",),
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_openai_is_spared_its_own_defaults() -> None:
    told = asked({})
    assert "temperature" not in told
    assert "top_p" not in told
    assert told["max_completion_tokens"] == 64
    assert asked({}, temperature=0.0)["temperature"] == 0.0
    assert asked({"limit": "max_tokens"})["max_tokens"] == 64


def test_a_server_is_not_left_to_its_own_defaults() -> None:
    told = asked(HERE)
    assert (told["temperature"], told["top_p"], told["max_tokens"]) == (1.0, 1.0, 64)


def test_seeds() -> None:
    assert "seed" not in asked(HERE)
    assert asked({**HERE, "seed": True})["seed"] == 100
    told = asked({**HERE, "seed": True, "n": True}, 4)
    assert (told["n"], told["seed"]) == (4, 100)


def test_images() -> None:
    content = ("What is ", Image("data:image/png;base64,xyz"), "?")
    told = asked(HERE, messages=(Message("user", content),))
    assert told["messages"][0]["content"] == [
        {"type": "text", "text": "What is "},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,xyz"}},
        {"type": "text", "text": "?"},
    ]
    with pytest.raises(BadRequest, match="images need option api: chat"):
        asked({**HERE, "api": "completions"}, messages=(Message("user", content),))


def test_schemas() -> None:
    schema = {"type": "object"}
    form = asked(HERE, schema=schema)["response_format"]
    assert form == {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema}}
    told = asked({**HERE, "guided": "vllm"}, schema=schema)
    assert told["structured_outputs"] == {"json": schema}
    with pytest.raises(BadRequest, match="a schema for the reply needs option guided"):
        asked({**HERE, "guided": "none"}, schema=schema)


def test_reasoning_comes_on_top_of_the_text() -> None:
    told = asked({**HERE, "thinking": "thinking_token_budget"}, thinking=100)
    assert (told["thinking_token_budget"], told["max_tokens"]) == (100, 164)


def test_a_reply_can_be_begun() -> None:
    told = asked({**HERE, "continuation": True}, prefix="Because")
    assert told["messages"][-1] == {"role": "assistant", "content": "Because"}
    assert (told["add_generation_prompt"], told["continue_final_message"]) == (False, True)
    told = asked({**HERE, "api": "completions"}, prefix="Because")
    assert told["prompt"] == "Be brief.\n\nWhy?Because"
    with pytest.raises(BadRequest, match="openai/m continuing a reply needs option continuation"):
        asked(HERE, prefix="Because")


def test_logprobs() -> None:
    told = asked({**HERE, "logprobs": True}, logprobs=3)
    assert (told["logprobs"], told["top_logprobs"]) == (True, 3)
    assert asked({**HERE, "logprobs": True, "api": "completions"}, logprobs=3)["logprobs"] == 3
    with pytest.raises(BadRequest, match="need option logprobs: true"):
        asked(HERE, logprobs=3)


def test_more_fields() -> None:
    options: dict[str, Json] = {**HERE, "extra": {"reasoning_effort": "low"}, "stream": False}
    told = asked(options)
    assert told["reasoning_effort"] == "low"
    assert "stream" not in told
    assert "stream_options" not in told
    told = asked({**HERE, "continuous_usage": True})
    assert told["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}
