"""Which tags are read: those of YAML's core that construct nothing."""

from __future__ import annotations

from typing import Final

__all__ = ["short_tag", "tag_fault"]

_CORE = "tag:yaml.org,2002:"
_SCALARS: Final = ("bool", "float", "int", "null", "str")


def short_tag(tag: str) -> str:
    """A tag of the core without its prefix."""
    return tag.removeprefix(_CORE)


def tag_fault(tag: str | None, wanted: str = "") -> str:
    """What is wrong with the tag of a collection, or of a scalar where none is wanted; "" if
    nothing."""
    if tag is None or tag == "!":
        return ""
    short = short_tag(tag)
    if tag.startswith(_CORE) and (short == wanted if wanted else short in _SCALARS):
        return ""
    return f"tag {f'!!{short}' if tag.startswith(_CORE) else tag} is not allowed here"
