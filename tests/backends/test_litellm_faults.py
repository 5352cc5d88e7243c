"""litellm's exceptions as ours: every one there is, whatever it says."""

from __future__ import annotations

import inspect
from typing import Any

import httpx
import pytest

from polyarch.backends.litellm.faults import KINDS, Faults
from polyarch.backends.litellm.importing import load
from polyarch.compiler.errors import (
    BackendError,
    BadRequest,
    RateLimited,
    ServerFailed,
    TimedOut,
    TooLong,
    Unauthorized,
    Unreachable,
)

FAULTS = Faults("litellm/x/m", "MY_KEY")


def classes() -> dict[str, type[Exception]]:
    found = vars(load().exceptions).items()
    return {
        name: kind
        for name, kind in found
        if inspect.isclass(kind)
        and issubclass(kind, Exception)
        and kind.__module__ == "litellm.exceptions"
    }


def test_every_exception_has_its_kind() -> None:
    assert KINDS.keys() == classes().keys()


def raised(name: str, **more: Any) -> Exception:
    """An exception of litellm's as if it had been raised."""
    error: Exception = classes()[name].__new__(classes()[name])
    error.args = (more.pop("message", "odd"),)
    for attribute, value in {"message": error.args[0], **more}.items():
        setattr(error, attribute, value)
    return error


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"APIConnectionError", "APIError"}))
def test_each_is_mapped(name: str) -> None:
    failure = FAULTS.of(raised(name))
    assert type(failure) is KINDS[name]
    assert "litellm/x/m" in str(failure)


def test_a_subclass_counts_as_its_base() -> None:
    class New(load().exceptions.RateLimitError):  # type: ignore[misc]
        """One that a later version might have."""

    error = New.__new__(New)
    error.message = "slower"
    assert type(FAULTS.of(error)) is RateLimited
    assert type(FAULTS.of(ValueError("what"))) is ServerFailed


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (httpx.ConnectError("no"), Unreachable),
        (httpx.ReadError("no"), Unreachable),
        (ConnectionResetError("no"), Unreachable),
        (httpx.ReadTimeout("late"), TimedOut),
        (ValueError("no JSON"), ServerFailed),
        (None, ServerFailed),
    ],
)
@pytest.mark.parametrize("name", ["APIConnectionError", "InternalServerError"])
def test_what_it_came_from_decides(
    name: str, cause: Exception | None, kind: type[BackendError]
) -> None:
    error = raised(name)
    error.__context__ = cause
    assert type(FAULTS.of(error)) is kind
    wrapper = raised("MidStreamFallbackError", original_exception=error)
    assert type(FAULTS.of(wrapper)) is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, BadRequest), (403, Unauthorized), (429, RateLimited), (500, ServerFailed)],
)
def test_other_statuses(status: int, kind: type[BackendError]) -> None:
    assert type(FAULTS.of(raised("APIError", status_code=status))) is kind


def test_messages_are_one_plain_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANY_SECRET", "hush-hush-hush")
    told = (
        "litellm.BadRequestError: OpenAIException - litellm.APIError: "
        '{"error": {"message": "no\\nsuch hush-hush-hush"}}'
    )
    failure = FAULTS.of(raised("BadRequestError", message=told))
    assert str(failure) == "litellm/x/m failed: no such [key]"
    long = FAULTS.of(raised("BadRequestError", message="x" * 5000))
    assert len(str(long)) < 400


def test_a_refusal_that_means_too_long() -> None:
    told = "This model's maximum context length is 4096 tokens"
    assert type(FAULTS.of(raised("BadRequestError", message=told))) is TooLong


def test_waits_are_found_where_litellm_puts_them() -> None:
    headers = httpx.Headers({"Retry-After": "7"})
    direct = raised("RateLimitError", litellm_response_headers=headers)
    assert FAULTS.of(direct).retry_after == 7.0
    deeper = raised("RateLimitError", headers=None)
    cause = raised("APIError")
    cause.response = httpx.Response(429, headers=headers)  # type: ignore[attr-defined]
    deeper.__context__ = cause
    assert FAULTS.of(deeper).retry_after == 7.0


def test_a_refused_key_is_named_and_never_shown() -> None:
    told = str(FAULTS.of(raised("AuthenticationError", message="bad key sk-12345678")))
    assert told == "litellm/x/m refuses the key in MY_KEY"
