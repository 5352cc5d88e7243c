"""Every way in which a server can fail, as one of our errors: the only place that knows."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping

import aiohttp

from ...compiler.errors import (
    BackendError,
    BadRequest,
    NoSuchModel,
    RateLimited,
    ServerFailed,
    TimedOut,
    TooLong,
    Unauthorized,
    Unreachable,
)
from ..words import TOO_LONG, one_line, retry_after

__all__ = ["KINDS", "WORDS", "Faults"]

KINDS: Mapping[int, type[BackendError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Unauthorized,
    404: NoSuchModel,
    408: TimedOut,
    409: ServerFailed,  # a lock was not had in time
    429: RateLimited,
}
"""By status. Any other below 500 is a `BadRequest`, the rest `ServerFailed`."""

WORDS: Mapping[str, int] = {
    "authentication_error": 401,
    "badrequesterror": 400,
    "context_length_exceeded": 413,
    "insufficient_quota": 429,
    "invalid_api_key": 401,
    "invalid_request_error": 400,
    "model_not_found": 404,
    "not_found_error": 404,
    "notfounderror": 404,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "timeout": 408,
}
"""The status that stands for a word in an error's `code` or `type`."""

_REFUSED = frozenset({400, 413, 422})
"""Statuses of a request that may be too long."""

_ABOUT_N = re.compile(
    r"""(?:parameter|argument|field)s?:? *["'`]?n\b|(?:^|[\s"'`])n["'`]? *(?:>|=|must|is|can)"""
)


class Faults:
    """Makes errors of one model at one address. Their messages never hold the key."""

    __slots__ = ("_key", "_key_name", "_name")

    def __init__(self, name: str, key_name: str | None) -> None:
        """`name` is the model's, with its address."""
        self._name = name
        self._key_name = key_name
        self._key = ""

    def hide(self, key: str) -> None:
        """Show this key in no message, whatever a server says."""
        self._key = key

    def answered(self, status: int, headers: Mapping[str, str], body: bytes) -> BackendError:
        """The error for a reply that is no success."""
        code, said = _error(body)
        if 300 <= status < 400:
            said = f"it redirects to {headers.get('Location', 'nowhere').split('?')[0]}"
        return self._made(status, code, said, retry_after(headers))

    def about_n(self, status: int, body: bytes) -> bool:
        """Whether a request is refused because it asks for several draws."""
        if status not in _REFUSED:
            return False
        _, said = _error(body)
        return _param(body) == "n" or _ABOUT_N.search(said) is not None

    def told(self, error: object) -> BackendError:
        """The error for an error object in the middle of a success."""
        code, said = _fields(error)
        number = code if isinstance(code, int) else WORDS.get(str(code).lower(), 500)
        return self._made(number if number >= 400 else 500, code, said, None)

    def broken(self, error: Exception) -> BackendError:
        """The error for a connection that could not be had or kept."""
        if isinstance(error, aiohttp.SocketTimeoutError):
            return TimedOut(f"{self._name} said nothing for too long")
        if isinstance(error, TimeoutError):
            return TimedOut(f"{self._name} took no connection in time")
        if isinstance(error, aiohttp.ClientConnectorError):
            return Unreachable(f"{self._name} cannot be reached: {_reason(error)}")
        if isinstance(error, aiohttp.ClientHttpProxyError):
            return Unreachable(f"{self._name} cannot be reached: a proxy answers {error.status}")
        if isinstance(error, aiohttp.ClientResponseError):
            return self.unreadable("spoke no HTTP")
        return Unreachable(f"{self._name} broke the connection")

    def unreadable(self, why: str) -> BackendError:
        """The error for a success that is none."""
        return ServerFailed(f"{self._name} {self._clean(why)}")

    def refused(self, why: str) -> BackendError:
        """The error for a request that cannot even be sent."""
        return BadRequest(f"{self._name} {why}")

    def no_key(self, why: str) -> BackendError:
        """The error for a key that cannot be used."""
        return Unauthorized(f"{self._name} needs a key: {why}")

    def _made(self, status: int, code: str | int, said: str, after: float | None) -> BackendError:
        kind = KINDS.get(status, BadRequest if status < 500 else ServerFailed)
        if kind is Unauthorized:
            # Servers quote keys, in part.
            return Unauthorized(f"{self._name} refuses {self._the_key()} ({status})")
        if code == "context_length_exceeded" or (status in _REFUSED and TOO_LONG.search(said)):
            kind = TooLong
        said = self._clean(said) or "without a word"
        return kind(f"{self._name} answered {status}: {said}", retry_after=after)

    def _the_key(self) -> str:
        if self._key_name is None:
            return "a request without a key: name its variable in the option key_env"
        if not self._key:
            return f"a request without a key: {self._key_name} is not set"
        return f"the key in {self._key_name}"

    def _clean(self, said: str) -> str:
        if self._key:
            said = said.replace(self._key, "[key]")
        return one_line(said)


def _reason(error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "no such host"
    if isinstance(error, aiohttp.ClientSSLError | aiohttp.ClientConnectorCertificateError):
        return "its certificate or TLS is refused"
    return os.strerror(error.errno).lower() if error.errno else "no connection"


def _error(body: bytes) -> tuple[str | int, str]:
    """Code and message in the body of a failure, which may be anything."""
    try:
        value = json.loads(body)
    except ValueError:
        return "", body.decode(errors="replace")
    if isinstance(value, dict):
        # {"error": …} of OpenAI; the error itself, of old vLLM; {"detail": …} of FastAPI.
        return _fields(value.get("error") or value)
    return "", json.dumps(value)


def _param(body: bytes) -> object:
    """The field that a failure names."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    error = value.get("error") if isinstance(value, dict) else None
    return error.get("param") if isinstance(error, dict) else None


def _fields(error: object) -> tuple[str | int, str]:
    if not isinstance(error, dict):
        return "", str(error)
    said = error.get("message") or error.get("detail") or json.dumps(error)
    found = [error.get("code"), error.get("type")]
    for code in found:
        if isinstance(code, int) or (isinstance(code, str) and code.lower() in WORDS):
            return code, str(said)
    return next((code for code in found if isinstance(code, str)), ""), str(said)
