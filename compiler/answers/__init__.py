"""How an answer is read out of a text, and when two answers are the same.

A kind reads the last thing that the text itself marks as its answer (`\\boxed{…}`, `#### …`,
`answer: …`), before it looks at anything unmarked. What cannot be read is None, *no answer*, which
never votes; nothing is guessed. Reading never raises and takes time linear in the text.
"""

from __future__ import annotations

from .boxed import Boxed
from .choice import Choice
from .code import Code
from .exact import Exact
from .json_answer import JsonAnswer
from .kind import Answer, AnswerKind
from .named import answer_kind
from .number import Number
from .regex import Regex
from .text import Text

__all__ = [
    "Answer",
    "AnswerKind",
    "Boxed",
    "Choice",
    "Code",
    "Exact",
    "JsonAnswer",
    "Number",
    "Regex",
    "Text",
    "answer_kind",
]
