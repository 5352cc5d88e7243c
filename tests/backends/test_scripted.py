"""The scripted backend does as it is told, and counts what it saw."""

from __future__ import annotations

import pytest

from polyarch.backends.base import Draw, Piece, Request
from polyarch.backends.scripted import Script, Scripted, info, open_backend
from polyarch.compiler.errors import BadRequest, NotRecorded, RateLimited, ServerFailed
from polyarch.compiler.values import Json, Message, Purpose
from polyarch.runtime.virtual import run


def request(draws: int = 1, role: str = "solve", text: str = "What?", most: int = 64) -> Request:
    numbered = tuple(Draw(i, i, 100 + i) for i in range(draws))
    return Request("m", (Message("user", text),), Purpose(role, text), numbered, most, step="s")


def pieces(backend: Scripted, asked: Request, most: int | None = None) -> list[Piece]:
    async def main() -> list[Piece]:
        told = []
        generating = backend.generate(asked)
        async for piece in generating:
            told.append(piece)
            if len(told) == most:
                break
        await generating.aclose()
        return told

    return run(main())


def test_the_quickest_come_first_and_everything_is_counted() -> None:
    backend = Scripted(lambda r, d: Script(f"text {d.index}", latency=3.0 - d.index), keep=True)
    asked = request(3)
    told = pieces(backend, asked)
    assert [piece.text for piece in told] == ["", "text 2", "text 1", "text 0"]
    assert [piece.finish for piece in told] == ["", "stop", "stop", "stop"]
    assert sum(piece.prompt_tokens for piece in told) == len("What?") // 4
    log = backend.log
    assert (log.requests, log.asked, log.finished, log.cancelled, log.failed) == (1, 3, 3, 0, 0)
    assert (log.under_way, log.most_under_way) == (0, 3)
    assert log.seen == [asked]


def test_closing_cancels_the_rest() -> None:
    backend = Scripted(lambda r, d: Script("x", latency=float(d.index)))
    assert len(pieces(backend, request(4), most=2)) == 2
    assert (backend.log.finished, backend.log.cancelled, backend.log.under_way) == (1, 3, 0)


def test_a_fault_ends_the_request() -> None:
    backend = Scripted(lambda r, d: Script(fault=ServerFailed("no")) if d.index == 1 else "x")
    with pytest.raises(ServerFailed):
        pieces(backend, request(3))
    log = backend.log
    assert (log.finished, log.failed, log.cancelled, log.under_way) == (1, 1, 1, 0)


def test_max_tokens_cut_a_reply_off() -> None:
    (_, told) = pieces(Scripted(lambda r, d: "x" * 100), request(most=5))
    assert (len(told.text), told.completion_tokens, told.finish) == (20, 5, "length")


def test_rules_in_yaml() -> None:
    rules: dict[str, Json] = {
        "replies": [
            {"role": "verify", "texts": "right"},
            {"contains": "2 + 2", "texts": ["4", "5"], "latency": 2},
            {"question": "Again?", "texts": ["a", "b"], "cycle": True},
            {"step": "s", "fault": "rate-limited"},
        ],
        "draws": 7,
    }
    assert info("x", rules).max_draws == 7
    backend = open_backend("x", rules)
    assert [p.text for p in pieces(backend, request(2, text="What is 2 + 2?"))][1:] == ["4", "5"]
    assert [p.text for p in pieces(backend, request(3, text="Again?"))][1:] == ["a", "b", "a"]
    assert pieces(backend, request(role="verify"))[1].text == "right"
    with pytest.raises(NotRecorded, match="draw 2"):
        pieces(backend, request(3, text="What is 2 + 2?"))
    with pytest.raises(RateLimited):
        pieces(backend, request())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "has no replies"),
        ({"replies": [{"text": "x"}]}, "replies.0.text"),
        ({"replies": [{"fault": "boredom"}]}, "replies.0.fault"),
        ({"latency": -1}, "latency"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Json], told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        open_backend("x", options)
