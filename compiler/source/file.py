"""A pipeline's file to a document."""

from __future__ import annotations

from pathlib import Path

from ..errors import Fault, Span, SpecError
from ..names import nearest
from .bounds import BYTES
from .document import Document
from .extent import split_lines
from .text import parse, too_large

__all__ = ["read"]


def read(path: Path) -> Document:
    """Read a pipeline file.

    Raises SpecError with all that is wrong with it, a missing or unreadable file included.
    """
    file = str(path)
    raw = _bytes(path, file)
    if len(raw) > BYTES:
        raise too_large(file)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(raw, error.start, file) from None
    return parse(text, file)


def _bytes(path: Path, file: str) -> bytes:
    """The content, up to one byte more than is read."""
    try:
        if not path.exists():
            raise _missing(path, file)
        if not path.is_file():
            raise _refusal(file, "file-unreadable", f"{file} is not a regular file")
        with path.open("rb") as opened:
            return opened.read(BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _refusal(file, "file-unreadable", f"cannot read {file!r}: {reason}") from error


def _missing(path: Path, file: str) -> SpecError:
    folder = path.parent
    names = [p.name for p in folder.iterdir() if p.is_file()] if folder.is_dir() else []
    hint = nearest(path.name, names) if folder.is_dir() else f"no folder {folder}"
    return _refusal(file, "file-missing", f"no file {file}", hint)


def _not_utf8(raw: bytes, place: int, file: str) -> SpecError:
    before = split_lines(raw[:place].decode("utf-8"))
    line = split_lines(raw.decode("utf-8", "replace"))[len(before) - 1]
    span = Span(file, len(before), len(before[-1]) + 1, 1, line)
    message = f"byte 0x{raw[place]:02x} is not UTF-8"
    return SpecError([Fault("yaml-encoding", message, span, "save the file as UTF-8")])


def _refusal(file: str, code: str, message: str, hint: str = "") -> SpecError:
    return SpecError([Fault(code, message, Span(file, 1, 1), hint)])
