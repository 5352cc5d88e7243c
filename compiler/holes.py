"""How a hole is told from an ordinary mapping, and what may not stand in a closed pipeline.

A mapping is a hole when its keys are those of one form and no others. `{literal: …}` stands for its
value, in which nothing is a hole. Names are no forms: the keys of `steps:`, `models:` and the like
are chosen by who writes the file, so those mappings themselves are never holes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, TypeAlias

from .errors import Fault, SpecError
from .source import Document, Entry, Located

__all__ = [
    "FORMS",
    "LITERAL",
    "OPEN_KEYS",
    "TABLES",
    "form",
    "holes",
    "is_open",
    "without_literals",
]

Path: TypeAlias = "tuple[str | int, ...]"

FORMS: Final[Mapping[str, tuple[frozenset[str], frozenset[str]]]] = MappingProxyType(
    {
        "choose": (frozenset({"choose"}), frozenset()),
        "between": (frozenset({"between"}), frozenset({"log", "step"})),
        "optional": (frozenset({"optional"}), frozenset({"if"})),
        "repeat": (frozenset({"repeat"}), frozenset()),
        "subset": (frozenset({"subset"}), frozenset({"size"})),
        "take": (frozenset({"take", "of"}), frozenset()),
    }
)
"""The keys that a hole of each form has, and those that it may have."""

LITERAL: Final = "literal"
"""The key of a mapping that stands for its value as it is written."""

TABLES: Final = frozenset({"steps", "models", "budgets", "stages", "cases"})
"""Keys of mappings whose own keys are names."""

OPEN_KEYS: Final = ("where", "search")
"""What only a file with holes may say."""


def form(node: Located) -> str:
    """The form of a hole, `literal`, or "" for an ordinary value."""
    if not isinstance(node.value, dict) or not node.value:
        return ""
    keys = node.value.keys()
    if keys == {LITERAL}:
        return LITERAL
    for name, (needed, allowed) in FORMS.items():
        if needed <= keys and keys <= needed | allowed:
            return name
    return ""


def holes(document: Document) -> Iterator[tuple[Path, Located]]:
    """The outermost holes of a file, in its order."""
    yield from _holes(document.root, (), table=True)


def is_open(document: Document) -> bool:
    """Whether a file has holes, or says what only such a file may."""
    keys = document.root.value if isinstance(document.root.value, dict) else {}
    return any(key in keys for key in OPEN_KEYS) or next(holes(document), None) is not None


def without_literals(document: Document) -> Document:
    """The document with the value of every `{literal: …}` in its place.

    Raises `SpecError` for a file with holes, or with what only such a file may say.
    """
    found = list(holes(document))
    if found:
        count = "a hole" if len(found) == 1 else f"{len(found)} holes"
        told = f"this pipeline has {count}, so it is a search space"
        span = found[0][1].span
    elif isinstance(document.root.value, dict) and (set(OPEN_KEYS) & document.root.value.keys()):
        key = next(key for key in document.root.value if key in OPEN_KEYS)
        told = f"`{key}:` is for search spaces, and this pipeline has no holes"
        span = document.span((key,), key=True)
    else:
        root = _unwrapped(document.root)
        return document if root is document.root else replace(document, root=root)
    hint = "polyarch search fills it; polyarch compile shows it, with --random 1 a pipeline of it"
    raise SpecError([Fault("open", told, span, hint)])


def _holes(node: Located, path: Path, table: bool = False) -> Iterator[tuple[Path, Located]]:
    found = "" if table else form(node)
    if found:
        if found != LITERAL:
            yield path, node
    elif isinstance(node.value, dict):
        for key, entry in node.value.items():
            if path or key not in OPEN_KEYS:
                yield from _holes(entry.node, (*path, key), table=key in TABLES)
    elif isinstance(node.value, tuple):
        for place, item in enumerate(node.value):
            yield from _holes(item, (*path, place))


def _unwrapped(node: Located, table: bool = True) -> Located:
    """The same node where nothing in it is a literal."""
    if not table and form(node) == LITERAL:
        assert isinstance(node.value, dict)
        return node.value[LITERAL].node
    if isinstance(node.value, dict):
        inner = {key: _unwrapped(entry.node, key in TABLES) for key, entry in node.value.items()}
        if all(inner[key] is entry.node for key, entry in node.value.items()):
            return node
        entries = {key: Entry(entry.key, inner[key]) for key, entry in node.value.items()}
        return replace(node, value=entries)
    if isinstance(node.value, tuple):
        items = tuple(_unwrapped(item, table=False) for item in node.value)
        same = all(new is old for new, old in zip(items, node.value, strict=True))
        return node if same else replace(node, value=items)
    return node
