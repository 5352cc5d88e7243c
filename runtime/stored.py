"""A reply as the cache keeps it, and as bytes that tell whether anything of them has changed."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from hashlib import blake2b

from ..compiler.values import TokenLogprob, ToolCall
from .beside import dumped, loaded

__all__ = ["Stored", "seal", "unseal"]

_HEAD = struct.Struct("<qQQQHII")
_CHECK = 16


@dataclass(frozen=True, slots=True)
class Stored:
    """A reply as the cache keeps it, with what it cost when it was drawn."""

    text: str
    finish: str = "stop"
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()
    prompt_logprobs: tuple[TokenLogprob, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    values: tuple[float, ...] = ()


def seal(key: bytes, number: int, made: int, reply: Stored) -> bytes:
    """A reply as bytes, with a checksum that holds for this key and number alone."""
    # A text may hold half a surrogate pair, which is no UTF-8 otherwise.
    finish, text = (part.encode("utf-8", "surrogatepass") for part in (reply.finish, reply.text))
    told = dumped(reply)
    beside = _encode(told).encode() if told else b""
    head = _HEAD.pack(
        made,
        reply.prompt_tokens,
        reply.cached_tokens,
        reply.completion_tokens,
        len(finish),
        len(text),
        len(beside),
    )
    body = b"".join((head, finish, text, beside))
    return _check(key, number, body) + body


def unseal(key: bytes, number: object, blob: object) -> tuple[int, Stored] | None:
    """When a sealed reply was drawn, and the reply; None if anything of it has changed."""
    if not isinstance(blob, bytes) or not isinstance(number, int) or number < 0:
        return None
    body = blob[_CHECK:]
    if blob[:_CHECK] != _check(key, number, body):
        return None
    made, prompt, cached, completion, finish, text, beside = _HEAD.unpack_from(body)
    start = _HEAD.size
    middle = start + finish
    end = middle + text
    return made, Stored(
        body[middle:end].decode("utf-8", "surrogatepass"),
        body[start:middle].decode("utf-8", "surrogatepass"),
        prompt,
        cached,
        completion,
        **(loaded(json.loads(body[end:])) if beside else {}),
    )


_encode = json.JSONEncoder(separators=(",", ":")).encode


def _check(key: bytes, number: int, body: bytes) -> bytes:
    return blake2b(
        body, digest_size=_CHECK, key=key, salt=number.to_bytes(8, "little", signed=False)
    ).digest()
