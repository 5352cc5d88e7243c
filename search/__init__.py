"""Search for the best pipeline of a space within a budget.

    found = polyarch.search("space.yaml", "questions.jsonl", calls=20_000, minutes=30)
    print(found.text)

The module itself can be called: it is `polyarch.search.call.search`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .aim import Aim
    from .found import Found
    from .mark import Mark
    from .record import Limits
    from .trial import Trial

__all__ = ["Aim", "Found", "Limits", "Mark", "Trial"]

_HOMES = {"Aim": "aim", "Found": "found", "Limits": "record", "Mark": "mark", "Trial": "trial"}


class _Callable(ModuleType):
    def __call__(self, *given: Any, **named: Any) -> Any:
        return import_module(".call", __name__).search(*given, **named)

    def __getattr__(self, name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)


sys.modules[__name__].__class__ = _Callable
