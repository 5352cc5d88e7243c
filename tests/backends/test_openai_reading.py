"""What a server says, read: streams however they are cut, draws, usage, logprobs, nonsense."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyarch.backends.base import Draw, Piece, Request, TokenLogprob
from polyarch.backends.openai.faults import Faults
from polyarch.backends.openai.reading import Reading
from polyarch.backends.openai.sse import Events
from polyarch.compiler.errors import BackendError, RateLimited, ServerFailed, TooLong
from polyarch.compiler.values import Message, Purpose

FAULTS = Faults("openai/m at http://here/v1", None)
PROMPT = "What is two and two, please, sir?"


def reading(draws: int = 1) -> Reading:
    numbered = tuple(Draw(10 + i, i, i) for i in range(draws))
    messages = (Message("user", PROMPT),)
    request = Request("m", messages, Purpose("solve", PROMPT), numbered, 64)
    return Reading(request, FAULTS)


def said(
    text: str = "", finish: str | None = None, index: int = 0, usage: Any = None, **delta: Any
) -> bytes:
    choice = {"index": index, "delta": {"content": text, **delta}, "finish_reason": finish}
    return json.dumps({"choices": [choice], "usage": usage}).encode()


def spent(prompt: int, completion: int, cached: int | None = None) -> dict[str, Any]:
    details = None if cached is None else {"cached_tokens": cached}
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "prompt_tokens_details": details,
    }


def usage(prompt: int, completion: int, cached: int | None = None) -> bytes:
    return json.dumps({"choices": [], "usage": spent(prompt, completion, cached)}).encode()


def read(to: Reading, *chunks: bytes) -> list[Piece]:
    """All pieces, those of each chunk taken as it comes."""
    pieces: list[Piece] = []
    for chunk in chunks:
        to.take(chunk)
        pieces += to.pieces()
    return [*pieces, *to.end()]


def summed(pieces: list[Piece], draw: int) -> tuple[str, str, int, int, int, str]:
    own = [piece for piece in pieces if piece.draw == draw]
    assert [piece.finish for piece in own[:-1]] == [""] * (len(own) - 1)
    return (
        "".join(piece.text for piece in own),
        "".join(piece.reasoning for piece in own),
        sum(piece.prompt_tokens for piece in own),
        sum(piece.cached_tokens for piece in own),
        sum(piece.completion_tokens for piece in own),
        own[-1].finish,
    )


def test_a_stream_is_told_piece_by_piece() -> None:
    pieces = read(reading(), said("It "), said("is "), said("4", "stop"), usage(9, 4, 2))
    assert [piece.text for piece in pieces] == ["It ", "is ", "4", ""]
    assert summed(pieces, 10) == ("It is 4", "", 9, 2, 4, "stop")


def test_the_end_waits_for_what_was_spent() -> None:
    one = reading()
    one.take(said("4", "stop"))
    assert [piece.finish for piece in one.pieces()] == [""]
    one.take(usage(9, 1))
    assert [(piece.finish, piece.prompt_tokens) for piece in one.pieces()] == [("stop", 9)]
    assert list(one.end()) == []


def test_draws_end_on_their_own_but_for_the_first() -> None:
    one = reading(3)
    for chunk in (said("a", "stop", 1), said("b", "stop", 0), said("c"), said("d", "length", 2)):
        one.take(chunk)
    # Choice 0 is charged with the prompt, whose tokens are not known yet.
    assert [(p.draw, p.finish) for p in one.pieces()] == [(10, ""), (11, "stop"), (12, "length")]


def test_of_several_draws_the_sum_is_the_servers() -> None:
    chunks = [said("a", None, 0), said("b", "stop", 1), said("c", "stop", 0), usage(9, 30)]
    pieces = read(reading(2), *chunks)
    assert summed(pieces, 10) == ("ac", "", 9, 0, 29, "stop")
    assert summed(pieces, 11) == ("b", "", 0, 0, 1, "stop")


def test_what_was_counted_too_high_is_given_back() -> None:
    pieces = read(reading(), *(said(letter) for letter in "abcdef"), said("", "stop"), usage(9, 2))
    assert summed(pieces, 10) == ("abcdef", "", 9, 0, 2, "stop")
    assert pieces[-1].completion_tokens == -4


def test_usage_with_every_chunk() -> None:
    one = reading(2)
    chunks = [
        said("a b", None, 0, spent(9, 2)),
        said(" c", "stop", 0, spent(9, 3)),
        said("d e f g", "stop", 1, spent(9, 4)),
    ]
    one.take(chunks[0])
    assert [(p.prompt_tokens, p.completion_tokens) for p in one.pieces()] == [(9, 2)]
    one.take(chunks[1])
    assert [(p.finish, p.completion_tokens) for p in one.pieces()] == [("stop", 1)]
    one.take(chunks[2])
    one.take(usage(9, 7))
    assert [(p.finish, p.completion_tokens) for p in one.pieces()] == [("stop", 4)]


def test_a_draw_ends_once() -> None:
    last = said("", "stop", 1, spent(9, 3))
    pieces = read(reading(2), said("a", "stop", 1, spent(9, 1)), last, said("b", "stop"))
    assert [(p.draw, p.finish) for p in pieces if p.finish] == [(11, "stop"), (10, "stop")]


def test_running_totals() -> None:
    pieces = read(
        reading(), said("a", None, 0, spent(9, 3)), said("b", "stop", 0, spent(9, 5)), usage(9, 5)
    )
    assert summed(pieces, 10) == ("ab", "", 9, 0, 5, "stop")


def test_without_usage_chunks_are_counted_and_the_prompt_is_estimated() -> None:
    pieces = read(reading(), said("a"), said("b"), said("", "stop"))
    assert summed(pieces, 10) == ("ab", "", round(len(PROMPT) / 4), 0, 2, "stop")


def test_reasoning_is_kept_apart() -> None:
    chunks = [said(reasoning_content="hm"), said(reasoning=", well"), said("4", "stop")]
    assert summed(read(reading(), *chunks, usage(9, 40)), 10) == ("4", "hm, well", 9, 0, 40, "stop")


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "content"), ("tool_calls", "stop")],
)
def test_reasons_to_finish(reason: str, finish: str) -> None:
    assert read(reading(), said("x", reason))[-1].finish == finish


def test_a_refusal_is_a_text_that_finished_for_its_content() -> None:
    pieces = read(reading(), said("", refusal="I will "), said("", "stop", refusal="not"))
    assert summed(pieces, 10)[0] == "I will not"
    assert pieces[-1].finish == "content"


def test_a_whole_reply() -> None:
    choices = [
        {"index": i, "message": {"content": text}, "finish_reason": "stop"}
        for i, text in enumerate(["four", "five and then some more"])
    ]
    two = reading(2)
    two.take(json.dumps({"choices": choices, "usage": spent(9, 8, 4)}).encode(), whole=True)
    pieces = list(two.end())
    assert summed(pieces, 10)[:4] == ("four", "", 9, 4)
    assert sum(piece.completion_tokens for piece in pieces) == 8
    assert all(piece.completion_tokens > 0 for piece in pieces)


def test_logprobs_of_a_chat() -> None:
    content = [{"token": "4", "logprob": -0.1, "top_logprobs": [{"token": "5", "logprob": -2.0}]}]
    choice = {"delta": {"content": "4"}, "finish_reason": "stop", "logprobs": {"content": content}}
    pieces = read(reading(), json.dumps({"choices": [choice]}).encode())
    assert pieces[0].logprobs == (TokenLogprob("4", -0.1, (("5", -2.0),)),)
    assert pieces[-1].logprobs == ()


def test_logprobs_of_a_completion() -> None:
    told = {"tokens": ["4", "."], "token_logprobs": [-0.1, -0.2], "top_logprobs": [{"5": -2.0}, {}]}
    choice = {"text": "4.", "finish_reason": "stop", "logprobs": told}
    pieces = read(reading(), json.dumps({"choices": [choice]}).encode())
    assert pieces[0].logprobs == (
        TokenLogprob("4", -0.1, (("5", -2.0),)),
        TokenLogprob(".", -0.2, ()),
    )


@pytest.mark.parametrize(
    ("chunks", "told"),
    [
        ([], "gave an empty reply"),
        ([b"{}"], "gave an empty reply"),
        ([said("half")], "ended before the reply did"),
        ([said("half"), b"[DONE]"], "ended before the reply did"),
        ([said("one", "stop")], "gave 1 of 2 draws; if it takes no n: options: {n: false}"),
        ([b'{"choices": [{"delta"'], "sent what cannot be read"),
        ([b'{"choices": "none"}'], "sent what cannot be read: choices"),
        ([b'{"choices": [{"delta": {"content": 7}}]}'], "choices.0.delta.content"),
        ([said("x", index=7)], "sent a choice 7 that nobody asked for"),
        ([said("x", index=-1)], "sent a choice -1 that nobody asked for"),
        ([said("x", "stop", 1), said("y", None, 1)], "went on after the end"),
        ([said("x", "abort")], "gave up in the middle"),
    ],
)
def test_nonsense_is_a_failure_of_the_server(chunks: list[bytes], told: str) -> None:
    with pytest.raises(ServerFailed) as caught:
        read(reading(2), *chunks)
    assert str(caught.value).startswith("openai/m at http://here/v1 ")
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "slow down", "code": 429}, RateLimited),
        ({"message": "slow down", "code": "rate_limit_exceeded"}, RateLimited),
        ({"message": "slow down", "code": None, "type": "rate_limit_error"}, RateLimited),
        ({"message": "too much", "code": "context_length_exceeded"}, TooLong),
        ({"message": "This is longer than the maximum model length", "code": 400}, TooLong),
        ({"message": "engine died", "type": "server_error"}, ServerFailed),
        ({"message": "engine died", "code": 0}, ServerFailed),
        ("engine died", ServerFailed),
    ],
)
def test_errors_inside_a_stream(error: object, kind: type[BackendError]) -> None:
    one = reading()
    one.take(said("It is"))
    with pytest.raises(BackendError) as caught:
        one.take(json.dumps({"error": error}).encode())
    assert type(caught.value) is kind


STREAM = (
    b": welcome\r\n\r\nevent: message\r\nid: 7\r\nretry: 10\r\n"
    b'data: {"a":\r\ndata: 1}\r\n\r\n'
    b'data:{"b": 2}\n\n'
    b"data: [DONE]"
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_a_stream_may_be_cut_anywhere(cuts: list[int]) -> None:
    events = Events(FAULTS)
    places = [0, *sorted(cuts), len(STREAM)]
    found = [data for a, b in pairwise(places) for data in events.feed(STREAM[a:b])]
    found += events.end()
    assert [data.strip() for data in found] == [b'{"a":\n 1}', b'{"b": 2}', b"[DONE]"]


def test_what_is_no_stream_is_shown() -> None:
    with pytest.raises(ServerFailed, match="sent a line that is no event: '<html>Bad gateway"):
        Events(FAULTS).feed(b"<html>Bad gateway</html>\n")
