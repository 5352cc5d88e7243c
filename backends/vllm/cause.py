"""Why an engine's process ended while it started: vLLM writes that into its log alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

__all__ = ["Cause"]

_ERROR = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt)\b.*")
"""The last line of a traceback."""


class Cause:
    """A context with a file to which vLLM's processes write their errors, besides where they write
    them anyway."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="polyarch-vllm-")
        self._log = Path(self._folder.name) / "errors"

    def __enter__(self) -> Cause:
        return self

    def __exit__(self, *raised: object) -> None:
        self._folder.cleanup()

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The engine's arguments for that; none if these arguments or the environment say how to
        log."""
        from vllm import envs
        from vllm.config import LoggingConfig
        from vllm.logger import DEFAULT_LOGGING_CONFIG

        own = {"logging_config", "log_config_file", "log_level"} & given.keys()
        if own or envs.VLLM_LOGGING_CONFIG_PATH or not envs.VLLM_CONFIGURE_LOGGING:
            return {}
        config = deepcopy(DEFAULT_LOGGING_CONFIG)
        config["formatters"]["cause"] = {"format": "%(message)s"}
        config["handlers"]["cause"] = {
            "class": "logging.FileHandler",
            "filename": str(self._log),
            "formatter": "cause",
            "level": "ERROR",
        }
        config["loggers"]["vllm"]["handlers"].append("cause")
        page = Path(self._folder.name) / "logging.json"
        page.write_text(json.dumps(config))
        return {"logging_config": LoggingConfig(pylogging_config_file=str(page))}

    def told(self) -> str:
        """The last error in the file, in a line; "" if there is none."""
        try:
            lines = self._log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        found = [line for line in lines if _ERROR.match(line)]
        return found[-1] if found else ""
