"""Proofs held against a proof checker."""

from __future__ import annotations

import asyncio
import os
import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from ...compiler.answers import Answer
from ...compiler.errors import InputError, MissingPackage
from ..data.item import Item
from .score import Score

__all__ = ["Proof"]

_CHECKER = "POLYARCH_PROOF_CHECKER"
_REFUSED = ("sorry", "admit")


@dataclass(frozen=True)
class Proof:
    """1 for a proof that a checker accepts: the command in the environment variable
    POLYARCH_PROOF_CHECKER is run with the file as last argument, and accepts by ending with status
    0 without a warning of `sorry`.

    The file is the item's field `header` and the answer. A checker runs what a model wrote, with
    all that you may do: give a command that runs it apart, such as a container's. No file can name
    it. Raises `InputError` without one: Lean 4 with Mathlib does not come with polyarch.
    """

    name: ClassVar[str] = "proof"

    seconds: Annotated[float, Field(gt=0)] = 300.0
    suffix: str = ".lean"

    async def score(self, item: Item, answer: Answer | None, text: str) -> Score:
        """Whether the checker accepts the proof of this very statement."""
        command = os.environ.get(_CHECKER, "")
        if not command:
            raise InputError(f'say what checks proofs: export {_CHECKER}="lake env lean"')
        if answer is None:
            return Score(0.0, parsed=False)
        statement = item.fields.get("formal_statement", item.reference)
        if any(word in answer.text.split() for word in _REFUSED):
            return Score(0.0, detail={"why": "it leaves a gap"})
        if _plain(str(statement)) not in _plain(answer.text):
            return Score(0.0, detail={"why": "it proves another statement"})
        header = item.fields.get("header")
        source = f"{header}\n{answer.text}\n" if isinstance(header, str) else f"{answer.text}\n"
        status, told = await self._checked(command, source)
        return Score(float(status == 0 and "sorry" not in told), detail={"why": told[:500]})

    async def _checked(self, command: str, source: str) -> tuple[int, str]:
        with tempfile.TemporaryDirectory(prefix="polyarch-") as folder:
            file = Path(folder) / f"proof{self.suffix}"
            file.write_text(source, encoding="utf-8")
            words = [*shlex.split(command), str(file)]
            try:
                process = await asyncio.create_subprocess_exec(
                    *words,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.STDOUT,
                )
            except FileNotFoundError as error:
                raise MissingPackage(f"{words[0]} is not installed; proofs need it") from error
            try:
                async with asyncio.timeout(self.seconds):
                    out, _ = await process.communicate()
            except TimeoutError:
                return 1, "the time was over"
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            return process.returncode or 0, out.decode("utf-8", "replace")


def _plain(text: str) -> str:
    """A statement without its gap, white space collapsed."""
    head = text.rpartition(":=")[0] if text.rstrip().endswith(("sorry", ":= by", ":=")) else text
    return " ".join(head.split())
