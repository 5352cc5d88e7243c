"""YAML text to a tree in which every value knows its place.

The rules are those of YAML 1.2: `true` and `false` are the only booleans, so `no` and `on` stay
words; `1e-3` is a number; dates stay strings. `60_000` is a number as well. Keys are strings.
Tags that would construct something, merge keys and several documents are refused, and everything
is bounded (size, depth, nodes, aliases), so that no file can hang or exhaust the reader.
"""

from __future__ import annotations

from .document import Document
from .file import read
from .text import parse
from .tree import Entry, Located, Plain, Scalar

__all__ = ["Document", "Entry", "Located", "Plain", "Scalar", "parse", "read"]
