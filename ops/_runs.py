"""What operators share that run programs."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from ..compiler.answers import answer_kind
from ..compiler.execution import Limits, Outcome
from ..compiler.op import Op
from ..compiler.values import Candidate

__all__ = ["TOLD", "Runs", "code_in", "code_of", "happened"]

_CODE = answer_kind("code")
_MIB = 1 << 20

_SHOWN = 2000
"""Characters of a program's output that a model is shown, at most, from its end."""

TOLD = _SHOWN // 2
"""Tokens that these are, at most, for pricing."""


class Runs(Op):
    """An operator that runs programs, by default where they can reach nothing."""

    effect = "acts"

    seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """Processor time of one run, or of all tests of one program; five times that by the clock."""
    memory: Annotated[int, Field(ge=32, le=1 << 20)] = 512
    """Memory of a run, in MiB."""
    sandbox: Literal["bubblewrap", "none"] = "bubblewrap"
    """What keeps programs apart; `none` runs them with all that you may do, and wants
    `--allow-unsandboxed`."""

    def unconfined(self) -> bool:
        return self.sandbox == "none"

    def limits(self) -> Limits:
        """The bounds of one run."""
        return replace(Limits(), seconds=self.seconds, memory=self.memory * _MIB)


def code_of(candidate: Candidate) -> str | None:
    """The program in a candidate: its last fenced block, or its text if that is a program."""
    return code_in(candidate.text)


def code_in(text: str) -> str | None:
    """The program in a text, as `code_of`."""
    found = _CODE.read(text)
    return None if found is None else found.text


def happened(outcome: Outcome | None, lacks: str) -> str:
    """What a model is told of a run; None is a text without a program. `lacks` says what is wrong
    with what a program printed that ended well."""
    if outcome is None:
        return "There is no program in one fenced code block."
    if outcome.passed:
        printed = outcome.stdout[-_SHOWN:].strip() or "nothing"
        return f"{lacks}, but:\n{printed}"
    said = outcome.stderr[-_SHOWN:].strip()
    return f"{outcome.verdict}: {outcome.why}\n{said}".strip()
