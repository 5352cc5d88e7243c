"""What operators share that run programs."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from ..compiler.answers import answer_kind
from ..compiler.execution import Limits
from ..compiler.op import Op
from ..compiler.values import Candidate

__all__ = ["Runs", "code_of"]

_CODE = answer_kind("code")
_MIB = 1 << 20


class Runs(Op):
    """An operator that runs programs, by default where they can reach nothing."""

    effect = "acts"

    seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """Wall time of one run, or of all tests of one program."""
    memory: Annotated[int, Field(ge=32, le=1 << 20)] = 512
    """Memory of a run, in MiB."""
    sandbox: Literal["bubblewrap", "none"] = "bubblewrap"
    """What keeps programs apart; `none` runs them with all that you may do, and wants
    `--allow-unsandboxed`."""

    def unconfined(self) -> bool:
        return self.sandbox == "none"

    def limits(self) -> Limits:
        """The bounds of one run."""
        return replace(
            Limits(),
            seconds=self.seconds,
            cpu_seconds=max(1, round(self.seconds)),
            memory=self.memory * _MIB,
        )


def code_of(candidate: Candidate) -> str | None:
    """The program in a candidate: its last fenced block, or its text if that is a program."""
    found = _CODE.read(candidate.text)
    return None if found is None else found.text
