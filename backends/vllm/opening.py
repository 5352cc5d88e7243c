"""Makes vLLM's engine out of arguments."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from ...compiler.errors import BackendError
from .arguments import known
from .cause import Cause
from .faults import Faults
from .starting import Starting
from .stats import queue_logger

__all__ = ["opened"]

_ENVIRONMENT = {
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_NO_USAGE_STATS": "1",
}
"""What vLLM reads of the environment, where the user said nothing: results go to standard output,
and nobody is told what runs here."""


def opened(
    name: str, arguments: Mapping[str, Any], written: Iterable[str], starting: Starting
) -> Any:
    """vLLM's `AsyncLLM`, whose processes have started; this takes from seconds to minutes.

    `written` are the names among the arguments that the user wrote for vLLM. Raises `BackendError`.
    """
    for variable, value in _ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    with starting, Cause() as cause:
        try:
            return _made(name, arguments, written, cause)
        except BackendError:
            raise
        except Exception as error:
            raise Faults(name).start(error, cause.told()) from error


def _made(name: str, arguments: Mapping[str, Any], written: Iterable[str], cause: Cause) -> Any:
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.platforms import current_platform
    from vllm.v1.engine.async_llm import AsyncLLM

    known(name, written, (field.name for field in fields(AsyncEngineArgs)))

    class Ended(AsyncLLM):  # type: ignore[misc]
        """Ended by its owner alone: at the end of the interpreter it would fail."""

        def __del__(self) -> None:
            pass

    given = {**arguments, **cause.arguments(arguments)}
    if current_platform.is_cpu() and given["runner"] == "generate":
        # There vLLM 0.32 dies of a draw with a seed whose prompt it computes in parts.
        given.setdefault("enable_chunked_prefill", False)
    settings = AsyncEngineArgs(**given)
    return Ended.from_engine_args(settings, stat_loggers=[queue_logger()])
