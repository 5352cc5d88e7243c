"""What an openai model is asked for besides a text, and what comes back of it."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import Any

import pytest
from server import Asked, Raw, Server

from polyarch.backends.base import Draw, Piece, Request, TokenLogprob
from polyarch.backends.openai import open_backend
from polyarch.backends.openai.body import body
from polyarch.backends.openai.faults import Faults
from polyarch.backends.openai.options import checked
from polyarch.compiler.errors import BackendError, BadRequest, ServerFailed
from polyarch.compiler.values import Json, Message, Purpose, Tool, ToolCall

JSON = {"Content-Type": "application/json"}
TOOL = Tool("weather", "Tells the weather.", {"type": "object"})
CHOICE = {"index": 0, "finish_reason": "stop", "message": {"content": "4"}}


def asking(draws: int = 1, **fields: Any) -> Request:
    numbered = tuple(Draw(5 + i, i, 100 + i) for i in range(draws))
    messages = fields.pop("messages", (Message("user", "What?"),))
    return Request("m", messages, Purpose("solve", "What?"), numbered, 64, **fields)


def written(options: dict[str, Json], **fields: Any) -> dict[str, Any]:
    given = {"base_url": "http://here/v1", **options}
    return body("m", checked("m", given), asking(**fields), Faults("openai/m", None))


async def ask(server: Server, request: Request, **options: Json) -> list[Piece]:
    async with (
        aclosing(open_backend("m", {"base_url": server.url, **options})) as backend,
        aclosing(backend.generate(request)) as pieces,
    ):
        return [piece async for piece in pieces]


@pytest.mark.parametrize(
    ("fields", "form"),
    [
        ({"schema": {"type": "object"}}, {"json": {"type": "object"}}),
        ({"regex": "a+"}, {"regex": "a+"}),
        ({"grammar": "root ::= 'a'"}, {"grammar": "root ::= 'a'"}),
        ({"choice": ("a", "b")}, {"choice": ("a", "b")}),
    ],
)
def test_forms_as_vllm_takes_them(fields: dict[str, Any], form: dict[str, Any]) -> None:
    assert written({"guided": "vllm"}, **fields)["structured_outputs"] == form


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"regex": "a+"}, "a regular expression for the reply needs option guided: vllm"),
        ({"grammar": "x"}, "a grammar for the reply needs option guided: vllm"),
        ({"choice": ("a",)}, "a choice of replies needs option guided: vllm"),
        ({"prompt_logprobs": 0}, "need option prompt_logprobs: true"),
        ({"thinking": 9}, "needs option thinking: the name of its field"),
        ({"wants": "embedding"}, "embeddings need option api: embeddings"),
        ({"wants": "reward"}, "rewards need option api: reward"),
    ],
)
def test_what_was_not_offered_is_refused(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        written({}, **fields)


def test_what_an_api_has_not_is_refused() -> None:
    with pytest.raises(BadRequest, match="tools need option api: chat, and tools: true"):
        written({"api": "completions"}, tools=(TOOL,))
    with pytest.raises(BadRequest, match="texts need option api: chat, or completions, not reward"):
        written({"api": "reward"})
    with pytest.raises(BadRequest, match="stop strings need option api: chat"):
        written({"api": "embeddings"}, wants="embedding", stop=("a",))


def test_reasoning_is_bounded_in_the_field_that_is_named() -> None:
    assert written({"thinking": "thinking_token_budget"}, thinking=7)["thinking_token_budget"] == 7
    told = written({"thinking": "chat_template_kwargs.thinking_budget"}, thinking=7)
    assert told["chat_template_kwargs"] == {"thinking_budget": 7}
    assert "thinking_token_budget" not in written({"thinking": "thinking_token_budget"})


def test_purposes() -> None:
    told = written({"purpose": True})["polyarch"]
    assert told == {"role": "solve", "question": "What?", "shown": ()}
    told = written({"purpose": True, "api": "completions"}, prefix="So")
    assert (told["prompt"], told["polyarch"]["prefix"]) == ("What?So", "So")


def test_calls_and_what_came_of_them_go_back() -> None:
    turns = (
        Message("user", "Weather?"),
        Message("assistant", "", calls=(ToolCall("c1", "weather", '{"city": "Oslo"}'),)),
        Message("tool", "rain", call="c1"),
    )
    told = written({}, messages=turns, tools=(TOOL,))
    function = {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": TOOL.parameters,
    }
    assert told["tools"] == [{"type": "function", "function": function}]
    assert told["messages"][1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
                }
            ],
        },
        {"role": "tool", "content": "rain", "tool_call_id": "c1"},
    ]


def chunk(*calls: dict[str, Any], finish: str | None = None, **delta: Any) -> dict[str, Any]:
    told = {**delta, "tool_calls": list(calls)} if calls else delta
    return {"choices": [{"index": 0, "delta": told, "finish_reason": finish}]}


def part(arguments: str, **call: Any) -> dict[str, Any]:
    function = {"arguments": arguments}
    if "name" in call:
        function["name"] = call.pop("name")
    return {"function": function, **call}


OSLO, BERGEN = ToolCall("a", "weather", '{"city": "Oslo"}'), ToolCall("b", "weather", '{"x": 1}')
STREAMS: list[tuple[list[dict[str, Any]], tuple[ToolCall, ...]]] = [
    (
        [
            chunk(part("", index=0, id="a", name="weather")),
            chunk(part('{"city"', index=0)),
            chunk(part(': "Oslo"}', index=0), part("", index=1, id="b", name="weather")),
            chunk(part('{"x": 1}', index=1)),
            chunk(finish="tool_calls"),
        ],
        (OSLO, BERGEN),
    ),
    # Without indexes, whole, and with a finish of another name.
    (
        [
            chunk(part('{"city": "Oslo"}', id="a", name="weather")),
            chunk(part('{"x": 1}', id="b", name="weather"), finish="stop"),
        ],
        (OSLO, BERGEN),
    ),
    # Without indexes, in parts.
    (
        [
            chunk(part('{"city": ', id="a", name="weather")),
            chunk(part('"Oslo"}')),
            chunk(finish="tool_calls"),
        ],
        (OSLO,),
    ),
    # Without an id.
    (
        [chunk(part("{}", index=0, name="weather"), finish="stop")],
        (ToolCall("call_0", "weather", "{}"),),
    ),
]


@pytest.mark.parametrize(("chunks", "calls"), STREAMS)
async def test_calls_are_put_together(
    chunks: list[dict[str, Any]], calls: tuple[ToolCall, ...]
) -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 12}}
    events = [f"data: {json.dumps(one)}\n\n".encode() for one in [*chunks, usage]]
    raw = Raw([*events, b"data: [DONE]\n\n"])
    async with Server(lambda asked: raw) as server:
        pieces = await ask(server, asking(tools=(TOOL,)))
    assert [piece.calls for piece in pieces if piece.calls] == [calls]
    assert (pieces[-1].finish, pieces[-1].calls) == ("tools", calls)
    assert sum(piece.completion_tokens for piece in pieces) == 12


async def test_calls_of_a_whole_reply() -> None:
    call = part('{"city": "Oslo"}', id="a", name="weather")
    message = {"content": None, "tool_calls": [call]}
    choice = {"index": 0, "finish_reason": "tool_calls", "message": message}
    raw = Raw([json.dumps({"choices": [choice]}).encode()], headers=JSON)
    async with Server(lambda asked: raw) as server:
        (piece,) = await ask(server, asking(tools=(TOOL,)), stream=False)
    assert (piece.calls, piece.finish, piece.completion_tokens) == ((OSLO,), "tools", 4)


async def test_a_call_that_was_cut_off_is_no_call_to_be_made() -> None:
    events = [
        chunk(part('{"city', index=0, id="a", name="weather")),
        chunk(finish="length"),
    ]
    raw = Raw([f"data: {json.dumps(one)}\n\n".encode() for one in events])
    async with Server(lambda asked: raw) as server:
        assert (await ask(server, asking(tools=(TOOL,))))[-1].finish == "length"


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
async def test_reasoning_is_kept_apart_and_counted(name: str) -> None:
    events = [
        chunk(**{name: "Let me see."}),
        chunk(content="4", finish="stop"),
        {
            "choices": [],
            "usage": {
                "prompt_tokens": 9,
                "completion_tokens": 30,
                "completion_tokens_details": {"reasoning_tokens": 25},
            },
        },
    ]
    raw = Raw([f"data: {json.dumps(one)}\n\n".encode() for one in events])
    async with Server(lambda asked: raw) as server:
        pieces = await ask(server, asking(thinking=25), thinking="thinking_token_budget")
    assert "".join(piece.reasoning for piece in pieces) == "Let me see."
    assert "".join(piece.text for piece in pieces) == "4"
    assert sum(piece.completion_tokens for piece in pieces) == 30


PROMPT = [
    None,
    {"7": {"logprob": -1.5, "rank": 3, "decoded_token": " is"}, "8": {"logprob": -0.5}},
    {"9": {"logprob": -0.25, "rank": 1, "decoded_token": " it"}},
]


@pytest.mark.parametrize("api", ["chat", "completions"])
async def test_logprobs_of_the_prompt_come_once_and_whole(api: str) -> None:
    choices = [{**CHOICE, "index": i} for i in range(2)]
    told: dict[str, Any] = {"choices": choices, "usage": {"prompt_tokens": 3}}
    if api == "chat":
        told["prompt_logprobs"] = PROMPT
    else:
        told["choices"] = [{**c, "text": "4", "prompt_logprobs": PROMPT} for c in choices]
    raw = Raw([json.dumps(told).encode()], headers=JSON)
    async with Server(lambda asked: raw, keep=True) as server:
        request = asking(2, prompt_logprobs=1)
        pieces = await ask(server, request, api=api, prompt_logprobs=True, n=True)
        (sent,) = server.bodies
    assert (sent["prompt_logprobs"], "stream" in sent) == (1, False)
    assert [piece.prompt_logprobs for piece in pieces] == [
        (
            TokenLogprob(" is", -1.5, (("", -0.5), (" is", -1.5))),
            TokenLogprob(" it", -0.25, ((" it", -0.25),)),
        ),
        (),
    ]


NUMBERS: list[tuple[str, dict[str, Any], tuple[float, ...]]] = [
    ("embeddings", {"embedding": [0.5, -1.0, 2.0]}, (0.5, -1.0, 2.0)),
    ("reward", {"data": [0.75]}, (0.75,)),
    ("reward", {"data": [[0.25], [0.75]]}, (0.75,)),
    ("reward", {"probs": [0.75]}, (0.75,)),
    ("reward", {"score": 0.75}, (0.75,)),
]


@pytest.mark.parametrize(("api", "of", "values"), NUMBERS)
async def test_numbers(api: str, of: dict[str, Any], values: tuple[float, ...]) -> None:
    told = {"data": [{"index": 0, **of}], "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    wants = "reward" if api == "reward" else "embedding"
    turns = (Message("user", "What?"), Message("assistant", "That."))
    async with Server(
        lambda asked: Raw([json.dumps(told).encode()], headers=JSON), keep=True
    ) as server:
        (piece,) = await ask(server, asking(messages=turns, wants=wants), api=api)
        assert server.paths == ["/pooling" if api == "reward" else "/v1/embeddings"]
        (sent,) = server.bodies
    assert piece == Piece(5, prompt_tokens=3, finish="stop", values=values)
    if api == "reward":
        assert [turn["content"] for turn in sent["messages"]] == ["What?", "That."]
    else:
        assert sent == {"model": "m", "input": "What?\n\nThat.", "encoding_format": "float"}


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"data": []}, "gave an empty reply"),
        ({"data": [{"data": [0.1, 0.2]}]}, "gave 2 numbers where a reward is one"),
        ({"data": [{"data": "x"}]}, "sent what cannot be read"),
        ({"error": {"message": "no such task"}}, "no such task"),
    ],
)
async def test_what_is_no_reward(told: dict[str, Any], why: str) -> None:
    async with Server(lambda asked: Raw([json.dumps(told).encode()], headers=JSON)) as server:
        with pytest.raises(ServerFailed, match=why):
            await ask(server, asking(wants="reward"), api="reward")


def first_alone(asked: Asked) -> str | Raw:
    """A server that takes n for a decoration, as Ollama and llama.cpp do."""
    usage = {"prompt_tokens": 7, "completion_tokens": 2}
    said = f"seed {asked.body.get('seed')}"
    if asked.body.get("stream"):
        events = [chunk(content=said, finish="stop"), {"choices": [], "usage": usage}]
        return Raw([f"data: {json.dumps(one)}\n\n".encode() for one in events])
    choice = {**CHOICE, "message": {"content": said}}
    return Raw([json.dumps({"choices": [choice], "usage": usage}).encode()], headers=JSON)


REFUSALS = [
    {"error": {"message": "Only one completion choice is allowed", "param": "n"}},
    {"error": {"message": "n > 1 is not supported"}},
    {"error": {"message": "Unsupported parameter: 'n'"}},
    {"error": {"message": "`n` must be 1"}},
]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_draws_that_a_server_leaves_out_are_asked_apart(stream: bool) -> None:
    async with (
        Server(first_alone, keep=True) as server,
        aclosing(open_backend("m", {"base_url": server.url, "stream": stream})) as backend,
    ):
        for requests in (4, 8):
            async with aclosing(backend.generate(asking(4))) as told:
                pieces = [piece async for piece in told]
            assert sorted(piece.draw for piece in pieces if piece.finish) == [5, 6, 7, 8]
            # Four prompts were read, once each, and four replies made.
            assert sum(piece.prompt_tokens for piece in pieces) == 4 * 7
            assert sum(piece.completion_tokens for piece in pieces) == 4 * 2
            assert server.count()["requests"] == requests
        assert [sent.get("n") for sent in server.bodies] == [4, *[None] * 7]


@pytest.mark.parametrize("told", REFUSALS, ids=lambda told: told["error"]["message"])
async def test_where_n_is_refused_draws_are_asked_apart(told: dict[str, Any]) -> None:
    def reply(asked: Asked) -> str | Raw:
        if asked.body.get("n"):
            return Raw([json.dumps(told).encode()], 400, JSON)
        return first_alone(asked)

    async with (
        Server(reply, keep=True) as server,
        aclosing(open_backend("m", {"base_url": server.url})) as backend,
    ):
        for requests in (4, 7):
            async with aclosing(backend.generate(asking(3))) as pieces:
                finished = [piece.draw async for piece in pieces if piece.finish]
            assert sorted(finished) == [5, 6, 7]
            assert server.count()["requests"] == requests


async def test_other_refusals_are_told() -> None:
    told = {"error": {"message": "temperature must be under 2", "param": "temperature"}}
    async with Server(lambda asked: Raw([json.dumps(told).encode()], 400, JSON)) as server:
        with pytest.raises(BadRequest, match="temperature must be under 2"):
            await ask(server, asking(3))
        assert server.count()["requests"] == 1


async def test_a_server_that_is_said_to_take_n_must() -> None:
    async with Server(first_alone) as server:
        with pytest.raises(BackendError, match="gave 1 of 3 draws"):
            await ask(server, asking(3), n=True)


async def test_one_that_showed_to_take_n_must_go_on_to() -> None:
    replies: list[Raw | None] = [None]

    def reply(asked: Asked) -> str | Raw:
        return replies[-1] or "four"

    async with (
        Server(reply) as server,
        aclosing(open_backend("m", {"base_url": server.url})) as backend,
    ):
        async with aclosing(backend.generate(asking(3))) as pieces:
            assert len([piece async for piece in pieces if piece.finish]) == 3
        replies.append(Raw([f"data: {json.dumps(chunk(content='4', finish='stop'))}\n\n".encode()]))
        with pytest.raises(BackendError, match="gave 1 of 3 draws"):
            async with aclosing(backend.generate(asking(3))) as pieces:
                [piece async for piece in pieces]
