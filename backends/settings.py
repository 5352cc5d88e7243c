"""How `options:` of models behind servers are checked."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from ..compiler.errors import BadRequest
from ..compiler.names import nearest
from ..compiler.values import Json

__all__ = ["address", "checked", "more_fields", "open_headers"]

_SECRET = frozenset({"api-key", "authorization", "cookie", "proxy-authorization", "x-api-key"})
"""Headers that hold keys."""

_Options = TypeVar("_Options", bound=BaseModel)


def address(url: str) -> str:
    """The base of a server's addresses, without a slash at its end. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is an address like https://host:port/v1")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no user and password: name the key's variable in key_env")
    if parts.query or parts.fragment:
        raise ValueError("ends with its path: no ? and no #")
    return url.rstrip("/")


def open_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Headers that hold no secret. Raises ValueError."""
    for name, value in headers.items():
        if name.lower() in _SECRET:
            raise ValueError(f"{name} is for keys: name the key's variable in key_env")
        if not (name + value).isprintable():
            raise ValueError(f"{name!r} holds a character that no header can")
    return headers


def more_fields(extra: Mapping[str, Any], written: Collection[str]) -> Mapping[str, Any]:
    """Fields of a request that are not among those written anyway. Raises ValueError."""
    if taken := sorted(extra.keys() & set(written)):
        raise ValueError(f"{taken[0]} is written by polyarch")
    try:
        json.dumps(extra)
    except TypeError as error:
        raise ValueError(f"cannot be written as JSON: {error}") from error
    return extra


def checked(cls: type[_Options], name: str, options: Mapping[str, Json]) -> _Options:
    """The options of a model. Raises `BadRequest`, which names the one that is wrong."""
    try:
        return cls.model_validate(dict(options))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
    # The value is not shown, nor chained: it may be a key in the wrong place.
    option = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        raise BadRequest(f"{name} has no option {option!r}; {nearest(option, cls.model_fields)}")
    if problem["type"] == "string_pattern_mismatch":
        raise BadRequest(
            f"option {option} of {name} is the name of an environment variable, "
            "like OPENAI_API_KEY, not a key"
        )
    told = problem["msg"].removeprefix("Value error, ")
    raise BadRequest(f"option {option} of {name}: {told}")
