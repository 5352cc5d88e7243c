"""What an import comes to: a pipeline file, written step by step, and notes on it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..compiler.space.text import yaml_text

__all__ = ["Imported", "Written", "file_text", "slug", "unused"]

_WIDTH = 98


@dataclass(frozen=True, slots=True)
class Imported:
    """The text of a pipeline file, and what its reader should know, in the order it is told."""

    text: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A step, with the remarks that stand above it."""

    name: str
    arguments: Mapping[str, Any]
    remarks: tuple[str, ...] = ()


def file_text(
    head: Mapping[str, Any],
    models: Mapping[str, Any],
    steps: Sequence[Written],
    *,
    answer: str | None = None,
    output: Mapping[str, Any] | None = None,
    remarks: Sequence[str] = (),
) -> str:
    """A pipeline file; `remarks` stand at its top."""
    parts = [_remarks(remarks) + yaml_text(head), "models:\n" + _inside(yaml_text(models))]
    if answer is not None:
        parts.append(yaml_text({"answer": answer}))
    parts.append("steps:\n" + "".join(_inside(_step(step)) for step in steps))
    if output is not None:
        parts.append(yaml_text({"output": output}))
    return "\n".join(parts)


def _step(step: Written) -> str:
    return _remarks(step.remarks) + yaml_text({step.name: step.arguments})


def _remarks(remarks: Sequence[str]) -> str:
    """Comments, each beginning a line of its own. What is no plain text is escaped."""
    return "".join(
        textwrap.fill(
            _printable(remark),
            _WIDTH - 2,
            initial_indent="# ",
            subsequent_indent="#   ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        + "\n"
        for remark in remarks
    )


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _inside(text: str) -> str:
    return textwrap.indent(text, "  ")


def slug(text: str, otherwise: str) -> str:
    """A name that a file can use: lower case, digits and underscores, a letter first.

    >>> slug("Qwen2-72B-Instruct", "model")
    'qwen2_72b_instruct'
    """
    made = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    if not made:
        return otherwise
    return made if made[0].isalpha() else f"{otherwise}_{made}"


def unused(name: str, taken: Sequence[str] | Mapping[str, Any] | set[str]) -> str:
    """The name, or the first of it with a number that is not taken."""
    made, number = name, 1
    while made in taken:
        number += 1
        made = f"{name}_{number}"
    return made
