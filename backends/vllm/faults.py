"""Every way in which the engine can fail, as one of our errors: the only place that knows."""

from __future__ import annotations

import re

from ...compiler.errors import (
    BackendError,
    BadRequest,
    NoSuchModel,
    ServerFailed,
    TooLong,
    Unreachable,
)

__all__ = ["Faults"]

_TOO_LONG = re.compile(
    r"maximum (?:model|context) length|longer than the maximum|max_model_len", re.IGNORECASE
)
_NOT_FOUND = re.compile(
    r"not a local folder and is not a valid model|repository not found|cannot find any (?:model|"
    r"config)|couldn't connect|can't load|no such file|invalid repository id|offline mode|"
    r"locate the files|is not a valid model identifier",
    re.IGNORECASE,
)
_MEMORY = re.compile(r"out of memory|available memory|cache blocks|kv cache", re.IGNORECASE)
_MISSING = frozenset(
    {
        "EntryNotFoundError",
        "GatedRepoError",
        "HFValidationError",
        "LocalEntryNotFoundError",
        "OfflineModeIsEnabled",
        "RepositoryNotFoundError",
        "RevisionNotFoundError",
    }
)
"""Errors of the Hugging Face hub for what it does not have, or not for this user."""

_SHOWN = 300


class Faults:
    """Makes errors of one model."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = f"vllm/{name}"

    def start(self, error: Exception) -> BackendError:
        """The error for an engine that did not start. Not retryable: it would not start again."""
        said = _said(error)
        if _is_missing(error):
            return NoSuchModel(f"{self._name} is not on this machine nor on the hub: {said}")
        if _MEMORY.search(said):
            advice = "lower gpu_memory_utilization or max_model_len, or free the device"
            return BackendError(f"{self._name} did not find the memory to start: {said}; {advice}")
        if "core initialization failed" in said:
            said = "its process ended; what vLLM wrote above says why"
        return BackendError(f"{self._name} did not start: {said}")

    def dead(self) -> BackendError:
        """The error for an engine that died under a request."""
        return Unreachable(
            f"{self._name} lost its engine: the process died; the next try starts one"
        )

    def of(self, error: Exception) -> BackendError:
        """The error for a request that failed alone; the engine goes on."""
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if kinds & {"EngineDeadError"}:
            return self.dead()
        cause = error.__cause__ if "EngineGenerateError" in kinds else None
        error = cause if isinstance(cause, Exception) else error
        said = _said(error)
        if _TOO_LONG.search(said):
            return TooLong(f"{self._name}: {said}")
        if isinstance(error, ValueError | TypeError) or kinds & {"VLLMClientError"}:
            return BadRequest(f"{self._name} refuses the request: {said}")
        return ServerFailed(f"{self._name} failed: {said}")

    def gave_up(self, reason: str) -> BackendError:
        """The error for a draw that the engine ended without an end."""
        return ServerFailed(f"{self._name} gave up in the middle of the reply ({reason})")

    def too_long(self, tokens: int, context: int) -> BackendError:
        """The error for a prompt that leaves no room for a reply."""
        return TooLong(
            f"the prompt has {tokens} tokens, and {self._name} holds {context} tokens of prompt "
            "and reply together"
        )

    def refused(self, why: str) -> BackendError:
        """The error for a request that cannot even be sent."""
        return BadRequest(f"{self._name} {why}")


def _is_missing(error: BaseException | None) -> bool:
    while error is not None:
        if {kind.__name__ for kind in type(error).__mro__} & _MISSING:
            return True
        if _NOT_FOUND.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def _said(error: Exception) -> str:
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= _SHOWN else said[:_SHOWN] + "…"
