"""A program, compared as text."""

from __future__ import annotations

import ast
import re
import textwrap
from dataclasses import dataclass
from typing import ClassVar, Final

from .kind import Answer, AnswerKind

__all__ = ["Code"]

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})(.*)")
_FENCE_LINE = re.compile(r"^[ \t]*(?:`{3}|~{3})", re.MULTILINE)
_PYTHON_LENGTH: Final = 100_000


@dataclass(frozen=True, slots=True)
class Code(AnswerKind):
    """The last fenced block, or a text that is a Python program; compared as text.

    A block that is not closed is no answer: the reply was cut off.
    """

    name: ClassVar[str] = "code"

    def read(self, text: str) -> Answer | None:
        """The program, dedented, without trailing space and blank lines around it."""
        code = _last_block(text)
        if code is None and _FENCE_LINE.search(text) is None and _is_python(text):
            code = text
        return None if code is None else self._answer(_normal_code(code))

    def describe(self) -> str:
        """Ask for a program."""
        return "End with the complete program in one fenced code block."


def _last_block(text: str) -> str | None:
    """The content of the last fenced block; None where there is none, or one is left open."""
    block: list[str] = []
    fence, last = "", None
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if not fence:
            if found and "`" not in found[2]:
                fence, block = found[1], []
        elif found and found[1].startswith(fence) and not found[2].strip():
            fence, last = "", "\n".join(block)
        else:
            block.append(line)
    return None if fence else last


def _is_python(text: str) -> bool:
    """Whether a text is a program and not, say, one word, which is Python too."""
    if len(text) > _PYTHON_LENGTH:
        return False
    try:
        body = ast.parse(textwrap.dedent(text)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(not isinstance(s, ast.Expr) or isinstance(s.value, ast.Call) for s in body)


def _normal_code(code: str) -> str:
    lines = [line.rstrip() for line in textwrap.dedent(code).split("\n")]
    return "\n".join(lines).strip("\n")
