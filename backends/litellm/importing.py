"""litellm, imported without what its import does on the side."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...compiler.errors import MissingPackage

__all__ = ["load"]

_WHILE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
"""Set, where they are not, for as long as the import takes: it then fetches no price table from the
network, and reads no `.env` file into the environment."""


def load() -> Any:
    """The package. Raises `MissingPackage`.

    One setting of it is changed, as its own router does: it prints no advertisement to standard
    output when a request fails.
    """
    if "litellm" not in sys.modules:
        with _environment():
            _import()
    litellm = _import()
    litellm.suppress_debug_info = True
    return litellm


def _import() -> Any:
    try:
        import litellm
    except ModuleNotFoundError as error:
        raise MissingPackage(
            "litellm models need litellm: pip install 'polyarch[litellm]'"
        ) from error
    return litellm


@contextmanager
def _environment() -> Iterator[None]:
    added = {name: value for name, value in _WHILE.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
