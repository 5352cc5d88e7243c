"""Prompt templates that leave LaTeX, JSON and code alone.

`{name}` and `{name.field}` are filled where `name` is a declared variable, wherever they stand.
Every other brace is text. One thing is refused, because it is nearly always a misspelling: a lone
identifier in braces, `{qestion}`, that is not declared. It stays text where LaTeX or a shell puts
braces itself: straight after a command (`\\text{word}`), another argument (`\\frac{x}{y}`,
`\\sqrt[n]{x}`), `^`, `_`, `$`, `\\`, a star or a word (`f{x}`), and inside double braces. Elsewhere
a space keeps it text: `{ word }`. `{{name}}` writes `{name}` for a declared name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .names import nearest

__all__ = ["Template", "TemplateFault"]

_PATH = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*+"
_BRACES = re.compile(rf"\{{\{{({_PATH})\}}\}}|\{{({_PATH})\}}")
_TEXT_BEFORE = "}]^_$\\{*"


class TemplateFault(ValueError):
    """A variable that a template may not name, or must and does not.

    `offset` and `width` say where in the template's text, in characters; `name` is the variable;
    `hint` the nearest right thing.
    """

    def __init__(self, message: str, name: str, offset: int, width: int, hint: str) -> None:
        self.message = message
        self.name = name
        self.offset = offset
        self.width = width
        self.hint = hint
        super().__init__(f"{message} ({hint})" if hint else message)


@dataclass(frozen=True, slots=True)
class Template:
    """A text with variables, split once.

    `variables` may be named; `required` (a subset) must be. A wrong template can be built, so that
    all its faults can be listed by `check`, but not filled.
    """

    text: str
    variables: frozenset[str]
    required: frozenset[str] = frozenset()
    _pieces: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _slots: tuple[tuple[int, str, tuple[str, ...]], ...] = field(
        init=False, repr=False, compare=False
    )
    _faults: tuple[TemplateFault, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pieces: list[str] = []
        slots: list[tuple[int, str, tuple[str, ...]]] = []
        faults: list[TemplateFault] = []
        end = 0
        for found in _BRACES.finditer(self.text):
            literal, path = found.groups()
            name, *fields = (literal or path).split(".")
            if name not in self.variables:
                if path and not self._is_text(found.start()):
                    faults.append(self._unknown(found, path))
                continue
            pieces.append(self.text[end : found.start()])
            if path:
                slots.append((len(pieces), name, tuple(fields)))
            pieces.append(f"{{{literal or path}}}")
            end = found.end()
        pieces.append(self.text[end:])
        missing = self.required - {name for _, name, _ in slots}
        faults += (_missing(name) for name in sorted(missing))
        object.__setattr__(self, "_pieces", tuple(pieces))
        object.__setattr__(self, "_slots", tuple(slots))
        object.__setattr__(self, "_faults", tuple(faults))

    @property
    def names(self) -> frozenset[str]:
        """The variables that the text names."""
        return frozenset(name for _, name, _ in self._slots)

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """The text in order: (variable, "") for a variable, ("", text) for what stands between."""
        named = {place: name for place, name, _ in self._slots}
        return tuple(
            (named.get(place, ""), "" if place in named else text)
            for place, text in enumerate(self._pieces)
            if text
        )

    def check(self) -> tuple[TemplateFault, ...]:
        """All faults: unknown names in the order of the text, then required ones it lacks."""
        return self._faults

    def fill(self, values: Mapping[str, object]) -> str:
        """The text with its variables replaced, in one pass: braces inside values stay.

        Strings stand as they are, everything else as JSON. Raises TemplateFault when the template
        is at fault or `values` lacks a name or field, TypeError for a value JSON cannot hold.
        """
        if self._faults:
            raise self._faults[0]
        pieces = list(self._pieces)
        for index, name, fields in self._slots:
            value = values.get(name, _ABSENT)
            if fields or value is _ABSENT:
                value = self._look_up(values, name, fields)
            pieces[index] = value if type(value) is str else _shown(value)
        return "".join(pieces)

    def _is_text(self, start: int) -> bool:
        """Whether what stands before a brace marks it as LaTeX's or a shell's."""
        before = self.text[start - 1 : start]
        return before != "" and (before in _TEXT_BEFORE or before.isalnum())

    def _unknown(self, found: re.Match[str], path: str) -> TemplateFault:
        message = f'the template names "{path}", which is not a variable here'
        hint = nearest(path.partition(".")[0], self.variables)
        keep = f"{{ {path} }} stays text"
        hint = f"{hint}; {keep}" if hint else keep
        return TemplateFault(message, path, found.start(), len(found[0]), hint)

    def _look_up(self, values: Mapping[str, object], name: str, fields: Iterable[str]) -> object:
        if name not in values:
            raise self._absent(name, name, values)
        value = values[name]
        path = name
        for part in fields:
            path = f"{path}.{part}"
            if not isinstance(value, Mapping) or part not in value:
                raise self._absent(path, part, value if isinstance(value, Mapping) else {})
            value = value[part]
        return value

    def _absent(self, path: str, part: str, known: Mapping[str, object]) -> TemplateFault:
        token = f"{{{path}"
        hint = nearest(part, map(str, known))
        offset = max(0, self.text.find(token))
        return TemplateFault(f'no value for "{path}"', path, offset, len(token) + 1, hint)


_ABSENT = object()


def _missing(name: str) -> TemplateFault:
    message = f'the template must name "{name}" and does not'
    return TemplateFault(message, name, 0, 1, f"write {{{name}}} where it belongs")


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
