"""Every way in which litellm can fail, as one of our errors: the only place that knows."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping

import httpx

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

__all__ = ["KINDS", "Faults"]

KINDS: Mapping[str, type[BackendError]] = {
    "APIConnectionError": Unreachable,
    "APIError": ServerFailed,
    "APIResponseValidationError": ServerFailed,
    "AuthenticationError": Unauthorized,
    "BadGatewayError": ServerFailed,
    "BadRequestError": BadRequest,
    "BlockedPiiEntityError": BadRequest,
    "BudgetExceededError": BadRequest,
    "ContentPolicyViolationError": BadRequest,
    "ContextWindowExceededError": TooLong,
    "GuardrailRaisedException": BadRequest,
    "ImageFetchError": BadRequest,
    "InternalServerError": ServerFailed,
    "InvalidRequestError": BadRequest,
    "JSONSchemaValidationError": ServerFailed,
    "LiteLLMUnknownProvider": NoSuchModel,
    "MidStreamFallbackError": ServerFailed,
    "MockException": ServerFailed,
    "ModelNotMappedError": NoSuchModel,
    "ModifyResponseException": BadRequest,
    "NotFoundError": NoSuchModel,
    "OpenAIError": ServerFailed,
    "PaymentRequiredError": BadRequest,
    "PermissionDeniedError": Unauthorized,
    "RateLimitError": RateLimited,
    "RejectedRequestError": BadRequest,
    "SensitiveDataRouteException": BadRequest,
    "ServiceUnavailableError": ServerFailed,
    "Timeout": TimedOut,
    "UnprocessableEntityError": BadRequest,
    "UnsupportedParamsError": BadRequest,
    "VectorStoreSearchError": BadRequest,
}
"""By the name of a class of litellm's; a class that is missing counts as the first of its bases
that is not. Anything else is a failure of the server's."""

_BY_STATUS: Mapping[int, type[BackendError]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NoSuchModel,
    408: TimedOut,
    429: RateLimited,
}
"""What litellm's APIError, its class for statuses that have none, means by its status."""

_PREFIX = re.compile(r"^(?:litellm\.)?\w*(?:Error|Exception|Timeout)\b(?: -|:)\s*")
"""How litellm begins its messages, once or several times."""

_NO_KEY = re.compile(r"missing credentials|api[_ ]key.*(?:must be|required|set)", re.IGNORECASE)
"""How clients read that were given no key."""

_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL")
"""How the names of environment variables read that hold secrets."""
_SHORTEST = 8
"""Characters of a value that can be a secret."""


class Faults:
    """Makes errors of one model. Their messages are one line and hold no key."""

    __slots__ = ("_key_name", "_name")

    def __init__(self, name: str, key_name: str | None = None) -> None:
        """`name` is the model's, with its address if it has one."""
        self._name = name
        self._key_name = key_name

    def of(self, error: Exception) -> BackendError:
        """The error for whatever litellm raised."""
        error = getattr(error, "original_exception", None) or error
        kind = _kind(error)
        told = str(getattr(error, "message", "") or error)
        said = _clean(told)
        if kind is ServerFailed and _NO_KEY.search(said):
            return self.no_key(said)
        if kind is Unauthorized:
            # Servers quote keys, in part.
            return Unauthorized(f"{self._name} refuses {self._the_key()}")
        too_long = TOO_LONG.search(told) or _code(error) == "context_length_exceeded"
        if kind is BadRequest and too_long:
            kind = TooLong
        if kind is TimedOut:
            return TimedOut(f"{self._name} said nothing for too long")
        if kind is Unreachable:
            return Unreachable(f"{self._name} cannot be reached: {said}")
        after = retry_after(_headers(error))
        return kind(f"{self._name} failed: {said or 'without a word'}", retry_after=after)

    def unreadable(self, why: str) -> BackendError:
        """The error for a success that is none."""
        return ServerFailed(f"{self._name} {_clean(why)}")

    def refused(self, why: str) -> BackendError:
        """The error for a request that cannot even be sent."""
        return BadRequest(f"{self._name} {why}")

    def no_key(self, why: str) -> BackendError:
        """The error for a key that cannot be used."""
        return Unauthorized(f"{self._name} needs a key: {why}")

    def _the_key(self) -> str:
        if self._key_name is not None:
            return f"the key in {self._key_name}"
        return "the request: set the provider's variable for its key, or name one in key_env"


def _kind(error: Exception) -> type[BackendError]:
    names = (base.__name__ for base in type(error).__mro__)
    kind = next((KINDS[name] for name in names if name in KINDS), ServerFailed)
    if type(error).__name__ == "APIError" and (refused := _status(error)) < 500:
        return _BY_STATUS.get(refused, BadRequest)
    if kind not in (Unreachable, ServerFailed):
        return kind
    for cause in _causes(error):
        if isinstance(cause, httpx.TimeoutException | TimeoutError):
            return TimedOut
        if isinstance(cause, httpx.TransportError | OSError):
            return Unreachable
    # litellm says APIConnectionError of everything that it does not understand.
    return ServerFailed


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all that it came from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _code(error: Exception) -> object:
    """The code in the server's own error, where its client keeps it."""
    return next((c for cause in _causes(error) if (c := getattr(cause, "code", None))), None)


def _status(error: Exception) -> int:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) and status >= 400 else 500


def _headers(error: Exception) -> Mapping[str, str]:
    """The headers of the server's reply, wherever litellm put them."""
    for cause in _causes(error):
        response = getattr(cause, "response", None)
        for found in (
            getattr(cause, "litellm_response_headers", None),
            getattr(cause, "headers", None),
            getattr(response, "headers", None),
        ):
            if found:
                return httpx.Headers(found)
    return {}


def _clean(said: str) -> str:
    """What a server said: one line, without litellm's frame around it, secrets masked."""
    said = said.partition("Traceback (most recent call last)")[0]
    while shorter := _PREFIX.match(said):
        said = said[shorter.end() :]
    said = _message(said)
    for name, value in os.environ.items():
        if _SECRET.search(name.upper()) and len(value.strip()) >= _SHORTEST:
            said = said.replace(value.strip(), "[key]")
    return one_line(said)


def _message(said: str) -> str:
    """The message in an error that is JSON, or what was said as it is."""
    try:
        value = json.loads(said)
    except ValueError:
        return said
    inner = value.get("error") or value if isinstance(value, dict) else None
    told = inner.get("message") or inner.get("detail") if isinstance(inner, dict) else inner
    return told if isinstance(told, str) else said
