"""Keys: which requests are the same. Nothing that decides a reply is left out of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from json import JSONEncoder

from ..backends.base import Request
from ..compiler.spec import ModelSpec
from ..compiler.values import Image, Json
from .cacheerror import CacheError
from .cachefile import FORMAT
from .seeds import numbered

__all__ = ["key_seed", "model_key", "request_key"]


def model_key(model: ModelSpec, revision: str = "") -> bytes:
    """The part of keys that is the same for all requests to a model: which one it is, at which
    revision, and every option it is opened with. Raises `CacheError` for options that are no JSON.
    """
    return sha256(_encode([FORMAT, model.model, revision, _plain(model.options)]).encode()).digest()


def request_key(model: bytes, request: Request, seed: int) -> bytes:
    """The key of a request to the model of that `model_key`, in a run with that seed.

    Who asks (step, question id, the pipeline's name for the model) is not in it, nor are the draws.
    """
    purpose = request.purpose
    texts = [purpose.role, purpose.question, request.prefix, *purpose.shown, *request.stop]
    kinds: list[str] = []
    for message in request.messages:
        content = message.content
        texts.append(message.role)
        if message.calls or message.call:
            kinds += ("called", *["call"] * len(message.calls), "end")
            for call in message.calls:
                texts += (call.id, call.name, call.arguments)
            texts.append(message.call)
        if isinstance(content, str):
            kinds.append("text")
            texts.append(content)
        else:
            kinds += ("parts", *map(_kind, content), "end")
            texts += [part.url if isinstance(part, Image) else part for part in content]
    if request.schema is not None:
        kinds.append("schema")
        texts.append(_schema_text(request.schema))
    if request.regex or request.grammar or request.choice:
        kinds += ("guided", *["choice"] * len(request.choice))
        texts += (request.regex, request.grammar, *request.choice)
    for tool in request.tools:
        kinds.append("tool")
        texts += (tool.name, tool.about, _schema_text(tool.parameters))
    head = (
        seed,
        request.turn,
        float(request.temperature),
        float(request.top_p),
        request.top_k,
        request.max_tokens,
        request.logprobs,
        request.prompt_logprobs,
        request.thinking,
        request.wants,
        len(purpose.shown),
        len(request.stop),
        kinds,
        # With their lengths, texts put together come apart in one way only.
        [len(text) for text in texts],
    )
    key = sha256(model)
    key.update(repr(head).encode())
    key.update("".join(texts).encode("utf-8", "surrogatepass"))
    return key.digest()


def key_seed(key: bytes, number: int) -> int:
    """A 63-bit seed for a draw of the request with that key.

    With it, equal draws have equal seeds whoever asks for them, so that it does not matter to a
    backend that draws by seed which of several askers is first.
    """
    return numbered(int.from_bytes(key[:8], "big"), 0, number, 0)


_encode = JSONEncoder(
    separators=(",", ":"), sort_keys=True, default=lambda value: _of_mapping(value)
).encode

_schemas: dict[int, tuple[object, str]] = {}
"""Schemas as texts, by identity: few are asked with again and again. Holding them here keeps their
identities from being given to others."""


def _schema_text(schema: Mapping[str, Json]) -> str:
    known = _schemas.get(id(schema))
    if known is None:
        if len(_schemas) >= 64:
            _schemas.clear()
        known = _schemas[id(schema)] = (schema, _encode(schema))
    return known[1]


def _of_mapping(value: object) -> Json:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


def _kind(part: str | Image) -> str:
    return "image" if isinstance(part, Image) else "text"


def _plain(value: object) -> Json:
    """A value of YAML, so that different ones never look alike: JSON knows no keys but texts."""
    match value:
        case Mapping():
            items = [[type(key).__name__, str(key), _plain(of)] for key, of in value.items()]
            return ["mapping", sorted(items, key=lambda item: item[:2])]
        case list() | tuple():
            return ["list", [_plain(item) for item in value]]
        case None | bool() | int() | float() | str():
            return value
        case date():
            return [type(value).__name__, value.isoformat()]
    raise CacheError(
        f"options hold a {type(value).__name__}, which no key can be made of: write it as a text"
    )
