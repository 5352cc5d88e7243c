"""What must not reach a trace or an error: keys, passwords, authorization."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from math import isfinite

from .values import Json

__all__ = ["REDACTED", "Secrets"]

REDACTED = "[redacted]"
"""Stands where something secret stood."""

_NAMES = frozenset(
    [
        "accesskey",
        "accesstoken",
        "apikey",
        "apitoken",
        "auth",
        "authorization",
        "authtoken",
        "bearer",
        "clientsecret",
        "cookie",
        "credential",
        "credentials",
        "idtoken",
        "password",
        "passwd",
        "privatekey",
        "proxyauthorization",
        "pwd",
        "refreshtoken",
        "secret",
        "secretaccesskey",
        "secretkey",
        "sessiontoken",
        "setcookie",
        "token",
        "xapikey",
    ]
)
"""Keys whose values are secret, whatever they are; in lower case, without - and _."""

# As they stand in text. What a first group holds stays.
_SHAPES = tuple(
    re.compile(shape, flags)
    for shape, flags in (
        (r"\bsk-[\w-]{8,}", 0),
        (r"(\bbearer\s+)(?=\S*\d|\S{20})[\w.~+/=-]{8,}", re.I),
        (r"(\bauthorization[\"']?\s*[:=]\s*[\"']?)(?:\w+ +)?[^\s\"',}]+", re.I),
        (
            r"(\b(?:x[_-])?(?:api[_-]?key|passw(?:or)?d|client[_-]secret|secret[_-]key|"
            r"(?:access|refresh|auth)[_-]token)[\"']?\s*[:=]\s*[\"'])[^\"'\n]+",
            re.I,
        ),
        (r"(\b(?:api[_-]?key|access[_-]token|password)=)[\w-]{8,}(?![\w.(\[])", re.I),
        (r"(\w://[^/\s:@]+:)[^/\s:@]+(?=@)", 0),
        (r"\bAKIA[0-9A-Z]{16}\b", 0),
        (r"\b(?:gh[pousr]|hf)_[A-Za-z0-9]{20,}", 0),
        (r"\bgithub_pat_\w{20,}", 0),
        (r"\bAIza[\w-]{30,}", 0),
        (r"\bxox[abprs]-[\w-]{10,}", 0),
        (r"\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*", 0),
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.S),
    )
)

_IN_YAML = re.compile(
    r"(\b(?:[\w-]*[_-])?(?:key|apikey|token|secret|passw(?:or)?d)[\"']?\s*:\s*[\"']?)"
    r"(?=[^\s\"',}]*\d)[^\s\"',}]{8,}",
    re.I,
)
"""The value of a key whose name speaks of one, without quotes; with a digit, as no word has."""

_MARKS = (
    *("sk-", "bearer", "authorization", "secret", "passw", "cookie", "credential", "private key"),
    *("api_key", "api-key", "apikey", "_token", "-token", "://", "akia", "aiza", "xox", "eyj"),
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "hf_"),
    *('key"', 'token"', 'auth"', 'pwd"', 'bearer"'),
)
"""One of these is in every line that holds a secret; in lower case."""

_VARIABLE = re.compile(r"key|token|secret|passw|credential", re.I)
_SHORTEST = 8
"""Characters of a variable's value that may be a key; shorter ones are words."""


class Secrets:
    """Finds secrets by the names they have, by their shape, and by the environment's own values."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        """Values of `environment` (the process's own, if left out) whose names speak of a key."""
        named = os.environ if environment is None else environment
        self._values = tuple(
            value
            for name, value in named.items()
            if _VARIABLE.search(name) and len(value) >= _SHORTEST
        )
        self._written = tuple(json.dumps(value, ensure_ascii=False)[1:-1] for value in self._values)

    def suspected(self, line: str) -> bool:
        """Whether a line of JSON has to be looked at closely. Quick, and never wrongly no."""
        text = line.lower()
        # A loop over a generator would take twice as long.
        for mark in _MARKS:
            if mark in text:
                return True
        return any(value in line for value in self._written) if self._written else False

    def clean(self, value: object) -> Json:
        """The value without secrets, and without numbers that JSON does not know."""
        match value:
            case str():
                return self.text(value)
            case float() if not isfinite(value):
                return str(value)
            case None | bool() | int() | float():
                return value
            case Mapping():
                return {
                    self.text(str(key)): REDACTED if inner and _secret(key) else self.clean(inner)
                    for key, inner in value.items()
                }
            case Sequence() | set() | frozenset():
                return [self.clean(inner) for inner in value]
        return self.text(repr(value))

    def masked(self, line: str) -> str:
        """A line of YAML with stars for secrets, as many as they had characters: what stands after
        them keeps its column."""
        for shape in (*_SHAPES, _IN_YAML):
            line = shape.sub(_stars, line)
        for value in self._values:
            line = line.replace(value, "*" * len(value))
        return line

    def text(self, text: str) -> str:
        """The text without secrets."""
        for shape in _SHAPES:
            text = shape.sub(rf"\1{REDACTED}" if shape.groups else REDACTED, text)
        for value in self._values:
            text = text.replace(value, REDACTED)
        return text


def _stars(found: re.Match[str]) -> str:
    kept = found[1] if found.re.groups else ""
    return kept + "*" * (len(found[0]) - len(kept))


def _secret(key: object) -> bool:
    return str(key).lower().replace("_", "").replace("-", "") in _NAMES
