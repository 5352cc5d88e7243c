"""What stands in the last box, compared as mathematics."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import ClassVar

from ..errors import MissingPackage
from .kind import Answer, AnswerKind
from .marks import last_box
from .maths import Maths

__all__ = ["Boxed"]

_LATEX_WRAP = re.compile(
    r"\\(?:text|textbf|textit|mathrm|mathbf|mbox|operatorname)\s*+\{([^{}]*+)\}"
)
_LATEX_DROP = re.compile(
    r"\\(?:left|right|bigl|bigr|big|Big|displaystyle)(?![a-zA-Z])|\\[,!;:]|[$~]"
)
_LATEX_SPACE = re.compile(r"\s++")


@dataclass(frozen=True, slots=True)
class Boxed(AnswerKind):
    r"""The content of the last `\boxed{…}`, compared as mathematics by math-verify.

    Raises MissingPackage when math-verify is not installed.
    """

    name: ClassVar[str] = "boxed"

    def __post_init__(self) -> None:
        if find_spec("math_verify") is None:
            raise MissingPackage("answer: boxed needs math-verify: pip install 'polyarch[math]'")

    def read(self, text: str) -> Answer | None:
        """The content of the last balanced box, as normalised LaTeX."""
        box = last_box(text)
        return None if box is None else self._answer(_normal_latex(box[1]))

    def describe(self) -> str:
        """Ask for a boxed answer."""
        return r"End with the answer in \boxed{}."

    def same(self, a: Answer, b: Answer) -> bool:
        """Whether two answers are equal as text, or as mathematics."""
        return a.text == b.text or Maths().equal(a.text, b.text)

    def group(self, answers: Sequence[Answer]) -> list[int]:
        """For each answer the index of the first one that is the same, in order."""
        maths = Maths()
        first: dict[str, int] = {}
        leaders: list[int] = []
        for i, answer in enumerate(answers):
            if answer.text in first:
                continue
            equal = (j for j in leaders if maths.equal(answers[j].text, answer.text))
            first[answer.text] = next(equal, i)
            if first[answer.text] == i:
                leaders.append(i)
        return [first[answer.text] for answer in answers]


def _normal_latex(text: str) -> str:
    text = re.sub(r"\\[dtc]frac(?![a-zA-Z])", r"\\frac", text)
    text = _LATEX_DROP.sub("", text.replace("\\ ", " ").replace("\\$", ""))
    text = _LATEX_WRAP.sub(r"\1", text)
    return _LATEX_SPACE.sub(" ", text).strip().rstrip(".").strip()
