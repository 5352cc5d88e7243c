"""Errors as replies: a status and OpenAI's error object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from ..compiler.errors import (
    BackendError,
    BadRequest,
    BudgetExhausted,
    InputError,
    NoAnswer,
    NoSuchModel,
    NotRecorded,
    PlanRefused,
    PolyarchError,
    RateLimited,
    ServerFailed,
    StepFailed,
    TimedOut,
    TooLong,
    Unauthorized,
    Unreachable,
)
from ..compiler.secrets import Secrets

__all__ = [
    "BUSY",
    "NOT_JSON",
    "NO_KEY",
    "STOPPING",
    "TOO_LARGE",
    "WRONG_HOST",
    "Failure",
    "failure",
    "missing",
    "unexpected",
]

_INVALID = "invalid_request_error"
_OURS = "server_error"


@dataclass(frozen=True, slots=True)
class Failure:
    """A reply that is no success. `type` and `code` are words that OpenAI's clients know."""

    status: int
    message: str
    type: str = _INVALID
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None

    @property
    def body(self) -> Mapping[str, Any]:
        """The error object."""
        told = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": told}

    @property
    def headers(self) -> Mapping[str, str]:
        """When to come again, if that is known."""
        if self.retry_after is None:
            return {}
        return {"Retry-After": str(ceil(self.retry_after))}


NO_KEY = Failure(
    401, "a valid key is needed: Authorization: Bearer …", "authentication_error", "invalid_api_key"
)
WRONG_HOST = Failure(403, "a server without a key answers to this machine's own names alone")
# A page of another site could send anything else without asking the browser first.
NOT_JSON = Failure(415, "the body of a request is JSON: Content-Type: application/json")
TOO_LARGE = Failure(413, "the body of the request is too large")
BUSY = Failure(429, "too many requests wait", "rate_limit_error", "overloaded", retry_after=1.0)
STOPPING = Failure(503, "the server stops", _OURS, "stopping", retry_after=5.0)

_KINDS: Mapping[type[PolyarchError], tuple[int, str, str | None]] = {
    BadRequest: (400, _INVALID, None),
    InputError: (400, _INVALID, None),
    PlanRefused: (400, _INVALID, "plan_refused"),
    # No status that clients take for passing: asked again, it would be spent again.
    BudgetExhausted: (402, _INVALID, "budget_exhausted"),
    NoAnswer: (500, _OURS, "no_answer"),
    NotRecorded: (400, _INVALID, "not_recorded"),
    TooLong: (400, _INVALID, "context_length_exceeded"),
    NoSuchModel: (404, _INVALID, "model_not_found"),
    RateLimited: (429, "rate_limit_error", "rate_limit_exceeded"),
    # It is the server's key that its own model refuses, not the client's.
    Unauthorized: (502, _OURS, "upstream_unauthorized"),
    ServerFailed: (502, _OURS, "upstream_failed"),
    Unreachable: (503, _OURS, "upstream_unreachable"),
    TimedOut: (504, _OURS, "timeout"),
}


def failure(error: PolyarchError) -> Failure:
    """The reply for an error of ours; for one of a step, by what it failed with."""
    cause = error.__cause__ if isinstance(error, StepFailed) else error
    message = Secrets().text(str(error))
    for kind, (status, type_, code) in _KINDS.items():
        if isinstance(cause, kind):
            after = cause.retry_after if isinstance(cause, BackendError) else None
            return Failure(status, message, type_, code, getattr(cause, "param", None), after)
    return Failure(500, message, _OURS, error.code)


def missing(method: str, path: str) -> Failure:
    """The reply where nothing is."""
    return Failure(404, f"nothing answers {method} {path}", _INVALID, "not_found")


def unexpected() -> Failure:
    """The reply for what should not happen. What it was stays in the server's log."""
    return Failure(500, "the server failed; its log says how", _OURS, "internal")
