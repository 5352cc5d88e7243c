"""Search spaces: a pipeline with holes where values would stand.

space = open_space(Path("space.yaml"))
print(space.size, space.holes)
print(space.close(space.random(Random(0))).text)
"""

from __future__ import annotations

from .close import Closed
from .hole import Choice, Hole
from .open import open_space, parse_space, space_of
from .search import Objective, SearchBudget, SearchSpec
from .space import Space

__all__ = [
    "Choice",
    "Closed",
    "Hole",
    "Objective",
    "SearchBudget",
    "SearchSpec",
    "Space",
    "open_space",
    "parse_space",
    "space_of",
]
