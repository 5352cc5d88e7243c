"""Configurations of other systems, turned into pipeline files.

Each module reads one form and gives the text of a file that compiles, with notes on what is not as
it was. What has no equal is refused, with the place and the nearest there is.
"""

from __future__ import annotations

from .archon import from_archon
from .imported import Imported
from .optillm import from_optillm

__all__ = ["Imported", "from_archon", "from_optillm"]
