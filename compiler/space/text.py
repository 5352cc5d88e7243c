"""A value to YAML, the same text for the same value."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import yaml

from ..holes import TABLES
from ..source.scalars import BadScalar, untagged

__all__ = ["yaml_text"]

_WIDTH = 100


def yaml_text(value: Mapping[str, Any]) -> str:
    """A mapping as YAML that reads back as it is: in its order, what is short in one line."""
    return "".join(_entry(key, inner, "") for key, inner in value.items())


def _entry(key: str, value: Any, indent: str) -> str:
    if not isinstance(value, dict | list) or not value:
        return textwrap.indent(_dumped({key: value}, False), indent)
    if key not in TABLES:
        flow = f"{indent}{_dumped({key: value}, True)[1:-2]}\n"
        if len(flow) <= _WIDTH:
            return flow
    if isinstance(value, list):
        return textwrap.indent(_dumped({key: value}, None), indent)
    inside = "".join(_entry(name, inner, f"{indent}  ") for name, inner in value.items())
    return f"{indent}{_dumped(key, False).splitlines()[0]}:\n{inside}"


def _dumped(value: Any, flow: bool | None) -> str:
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=1 << 30 if flow else _WIDTH,
        default_flow_style=flow,
    )
    return text


class _Dumper(yaml.SafeDumper):
    """Writes no aliases, and quotes by the rules of YAML 1.2, by which files are read."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = None
    if not text.replace("\n", "").isprintable():
        style = '"'
    elif "\n" in text:
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
