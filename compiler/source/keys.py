"""What can be a key."""

from __future__ import annotations

import yaml

from .faults import Faults
from .tree import Located

__all__ = ["key_text"]


def key_text(key: Located, event: yaml.Event, faults: Faults) -> str | None:
    """A key as text; None, with a fault noted, where it is none."""
    if not isinstance(event, yaml.ScalarEvent):
        faults.add("yaml-key", "a key must be a word, not a list, mapping or alias", key.span)
        return None
    if not isinstance(key.value, str):
        shown = event.value or "(nothing)"
        hint = f'write it in quotes: "{shown}"'
        faults.add("yaml-key", f"a key must be a string, not {shown}", key.span, hint)
        return None
    if key.value == "<<" and not event.style:
        hint = "repeat the keys, or use an alias for the whole value"
        faults.add("yaml-key", "merge keys are not read", key.span, hint)
        return None
    return key.value
