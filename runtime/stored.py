"""A reply as the cache keeps it, and as bytes that tell whether anything of them has changed."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import blake2b

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


def seal(key: bytes, number: int, made: int, reply: Stored) -> bytes:
    """A reply as bytes, with a checksum that holds for this key and number alone."""
    # A text may hold half a surrogate pair, which is no UTF-8 otherwise.
    finish, text, reasoning = (
        part.encode("utf-8", "surrogatepass")
        for part in (reply.finish, reply.text, reply.reasoning)
    )
    head = _HEAD.pack(
        made,
        reply.prompt_tokens,
        reply.cached_tokens,
        reply.completion_tokens,
        len(finish),
        len(text),
        len(reasoning),
    )
    body = b"".join((head, finish, text, reasoning))
    return _check(key, number, body) + body


def unseal(key: bytes, number: object, blob: object) -> tuple[int, Stored] | None:
    """When a sealed reply was drawn, and the reply; None if anything of it has changed."""
    if not isinstance(blob, bytes) or not isinstance(number, int) or number < 0:
        return None
    body = blob[_CHECK:]
    if blob[:_CHECK] != _check(key, number, body):
        return None
    made, prompt, cached, completion, finish, text, reasoning = _HEAD.unpack_from(body)
    start = _HEAD.size
    middle = start + finish
    end = middle + text
    return made, Stored(
        body[middle:end].decode("utf-8", "surrogatepass"),
        body[start:middle].decode("utf-8", "surrogatepass"),
        prompt,
        cached,
        completion,
        body[end:].decode("utf-8", "surrogatepass") if reasoning else "",
    )


def _check(key: bytes, number: int, body: bytes) -> bytes:
    return blake2b(
        body, digest_size=_CHECK, key=key, salt=number.to_bytes(8, "little", signed=False)
    ).digest()
