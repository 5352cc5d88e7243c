"""A value to YAML, the same text for the same value."""

from __future__ import annotations

from typing import Any

import yaml

from ..source.scalars import BadScalar, untagged

__all__ = ["yaml_text"]

_WIDTH = 100


def yaml_text(value: Any) -> str:
    """A mapping as YAML that reads back as it is: in its order, short values in one line."""
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=_WIDTH,
        default_flow_style=None if any(map(_nested, value.values())) else False,
    )
    return text


def _nested(value: Any) -> bool:
    return isinstance(value, dict | list) and bool(value)


class _Dumper(yaml.SafeDumper):
    """Writes no aliases, and quotes by the rules of YAML 1.2, by which files are read."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = None
    if "\n" in text:
        style = "|"
    elif not _stays(text):
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


def _float(dumper: _Dumper, number: float) -> yaml.ScalarNode:
    special = {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}
    told = special.get(repr(number), repr(number))
    return dumper.represent_scalar("tag:yaml.org,2002:float", told)


def _stays(text: str) -> bool:
    """Whether a text without quotes is read as a text."""
    try:
        return isinstance(untagged(text), str)
    except BadScalar:
        return False


_Dumper.add_representer(str, _string)
_Dumper.add_representer(float, _float)
