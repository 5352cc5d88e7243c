"""A pipeline's text to a document."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..errors import Fault, Span, SpecError
from .bounds import BYTES, FAULTS
from .document import Document
from .extent import Lines
from .stream import compose

__all__ = ["parse", "too_large"]

_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


def parse(text: str, file: str = "<text>") -> Document:
    """Read a pipeline from its text. Raises SpecError with all that is wrong with it."""
    if len(text) > BYTES:
        raise too_large(file)
    # Not left to libyaml, which would count the mark as a column.
    text = text.removeprefix("\ufeff")
    lines = Lines(file, text)
    if strange := list(_strange(lines)):
        raise SpecError(strange)
    return Document(lines, compose(lines))


def too_large(file: str) -> SpecError:
    """What to raise of a file or text beyond the bound."""
    message = f"the file is larger than {BYTES >> 20} MiB"
    return SpecError([Fault("yaml-size", message, Span(file, 1, 1))])


def _strange(lines: Lines) -> Iterator[Fault]:
    left = FAULTS
    for number, row in enumerate(lines.rows, 1):
        for found in _UNPRINTABLE.finditer(row):
            message = f"character U+{ord(found[0]):04X} is not allowed in YAML"
            span = lines.span(number, found.start() + 1)
            yield Fault("yaml-character", message, span, 'write it as an escape in "quotes"')
            left -= 1
            if left == 0:
                return
