"""Logs as one line of JSON each, without what is secret."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TextIO

from ..compiler.secrets import Secrets
from ..compiler.values import Json

__all__ = ["logging_json"]

_OURS = ("polyarch", "uvicorn", "asyncio")
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
"""What every record has; the rest was said with it."""


class _Lines(logging.Formatter):
    """Writes records as JSON."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        told |= {key: value for key, value in vars(record).items() if key not in _PLAIN}
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        cleaned: Json = self._secrets.clean(told)
        return json.dumps(cleaned, ensure_ascii=False)


@contextmanager
def logging_json(
    stream: TextIO, *, keys: Iterable[str] = (), level: int = logging.INFO
) -> Iterator[None]:
    """Write what the server logs to a stream while inside; `keys` are kept out of it, and whatever
    in the environment is a key by its name."""
    given = {f"server key {number}": key for number, key in enumerate(keys)}
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Lines(Secrets({**os.environ, **given})))
    loggers = [logging.getLogger(name) for name in _OURS]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(level if logger.name == "polyarch" else logging.WARNING)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, (old, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(old)
            logger.propagate = propagate
