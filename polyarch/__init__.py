"""polyarch compiles declarative pipelines of inference-time operators for language models.

    import polyarch

    pipe = polyarch.load("verified_vote.yaml")
    print(pipe("Ann has 3 boxes of 4 pens and loses 2. How many pens are left?"))

Everything below is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import search
    from .compiled import Lock
    from .compiler.errors import PolyarchError, SpecError
    from .compiler.spec import Budget
    from .compiler.values import Candidate, Question, Usage
    from .pipeline import Pipeline, load, loads
    from .runtime.events import Event
    from .runtime.result import Result
    from .search.tuning.call import tune

__all__ = [
    "Budget",
    "Candidate",
    "Event",
    "Lock",
    "Pipeline",
    "PolyarchError",
    "Question",
    "Result",
    "SpecError",
    "Usage",
    "__version__",
    "load",
    "loads",
    "search",
    "tune",
]

__version__ = "0.1.0"

_HOMES = {
    "Budget": "compiler.spec",
    "Candidate": "compiler.values",
    "Event": "runtime.events",
    "Lock": "compiled",
    "Pipeline": "pipeline",
    "PolyarchError": "compiler.errors",
    "Question": "compiler.values",
    "Result": "runtime.result",
    "SpecError": "compiler.errors",
    "Usage": "compiler.values",
    "load": "pipeline",
    "loads": "pipeline",
    "tune": "search.tuning.call",
}


def __getattr__(name: str) -> object:
    if name == "search":
        return import_module(".search", __name__)
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
