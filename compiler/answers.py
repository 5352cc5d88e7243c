"""How an answer is read out of a text, and when two answers are the same.

A kind reads the last thing that the text itself marks as its answer (`\\boxed{…}`, `#### …`,
`answer: …`), before it looks at anything unmarked. What cannot be read is None, *no answer*, which
never votes; nothing is guessed. Reading never raises and takes time linear in the text.
"""

from __future__ import annotations

import ast
import json
import re
import textwrap
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from importlib.util import find_spec
from typing import ClassVar, Final, TypeVar

from .errors import MissingPackage
from .names import nearest

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


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a text answers. `text` is in canonical form; `kind` names how it was read.

    Hashing compares canonical texts. Two answers may be the same and differ there (`3/4`, `0.75`):
    ask the kind's `same` or `group`.
    """

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class AnswerKind(ABC):
    """A way to read an answer out of a text and to compare answers read so."""

    name: ClassVar[str]

    @abstractmethod
    def read(self, text: str) -> Answer | None:
        """The answer in a text, None where there is none or it cannot be read."""

    @abstractmethod
    def describe(self) -> str:
        """One line that asks a model for an answer of this kind."""

    def same(self, a: Answer, b: Answer) -> bool:
        """Whether two answers of this kind mean the same."""
        return self._key(a) == self._key(b)

    def group(self, answers: Sequence[Answer]) -> list[int]:
        """For each answer the index of the first one that is the same, in order."""
        first: dict[Hashable, int] = {}
        return [first.setdefault(self._key(answer), i) for i, answer in enumerate(answers)]

    def _key(self, answer: Answer) -> Hashable:
        """What equal answers have in common."""
        return answer.text

    def _answer(self, text: str) -> Answer | None:
        return Answer(text, self.name) if text else None


# --- marks -------------------------------------------------------------------------------------

_MARKS_TRIED: Final = 50
_CLAUSE: Final = 300
_CLOSING: Final = 3
_TAIL: Final = 20_000
_BOX_TOKEN = re.compile(r"\\(?:boxed|fbox)\s*+\{|\\.|[{}]", re.DOTALL)
_BOX_OPEN = re.compile(r"\\(?:boxed|fbox)\s*+\{")
_MARK = re.compile(
    r"\banswers?+\b(?P<wrap>[\s\"'*_`]*+)"
    r"(?:(?P<link>[:=]|(?:is|are|was|equals|(?:will|would|should|must) be)\b)[\s\"'*_`:=]*+)?",
    re.IGNORECASE,
)
_COLON_MARK = re.compile(r"\banswer\b[\"'*_`]*+[ \t]*+[:=][ \t\"'*_`]*+", re.IGNORECASE)


def _last_box(text: str) -> tuple[int, str] | None:
    """Place and content of the last balanced box; a box inside another is part of it."""
    first = _BOX_OPEN.search(text)
    if first is None:
        return None
    last: tuple[int, int] | None = None
    opened: list[int] = []
    for token in _BOX_TOKEN.finditer(text, first.start()):
        piece = token[0]
        if piece == "{":
            opened.append(-1)
        elif piece == "}":
            start = opened.pop() if opened else -1
            if start >= 0:
                last = (start, token.start())
        elif len(piece) > 2:
            opened.append(token.end())
    return None if last is None else (last[0], text[slice(*last)])


def _clauses(text: str) -> Iterator[tuple[int, bool, str]]:
    """What follows each "answer" mark, last first: its place, whether a colon or verb links the
    two, and the rest of the line."""
    marks = list(_MARK.finditer(text))[-_MARKS_TRIED:]
    for mark in reversed(marks):
        rest = text[mark.end() : mark.end() + _CLAUSE]
        yield mark.start(), mark["link"] is not None, rest.split("\n", 1)[0]


def _last(items: Iterable[_T]) -> _T | None:
    last = deque(items, maxlen=1)
    return last[0] if last else None


def _last_line(text: str) -> str:
    return text.rstrip().rpartition("\n")[2].strip()


# --- number ------------------------------------------------------------------------------------

_DIGITS: Final = 300
_POWER: Final = 300
_SCALES: Final = {
    "hundred": 10**2,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_SPACED_COMMA = re.compile(r"(?<=\d)(?:\{,\}|\\[,!;: ]|[\u2009\u202f])(?=\d{3})")
_SIGNED = r"\s*+([-\u2212]?+\s*+\d++(?:\.\d++)?+)\s*+"
_FRAC = re.compile(rf"\\[dtc]?frac(?:\{{{_SIGNED}\}}\{{{_SIGNED}\}}|\s*+(\d)(\d)(?!\d))")
_TIMES_TEN = re.compile(
    r"(?<=\d)\s?(?:\\times|\\cdot|\u00d7|\*)\s?10(?:\^|\*\*)(?:\{([-\u2212]?\d{1,4})\}|([-\u2212]?\d{1,4}))"
)
_NUMBER = re.compile(
    r"""
    (?P<word>[^\W\d_]\w*+(?:\.\w++)*+)                       # v1.2, x2, H2O are words
    | (?P<lead>(?:(?<![\w)\]}])[-+\u2212\u2013])?)
      (?P<money>(?:\\?\$|[€£¥])?)
      (?P<inner>(?<=[$€£¥])[-\u2212])?
      (?:(?P<whole>\d{1,9})[ ](?=\d{1,9}/\d))?
      (?P<digits>\d++(?:[.,:/]\d++)*+|(?<![\w.])\.\d++)
      (?P<power>[eE][-+]?\d{1,9}(?!\w))?
      (?:[ ]/[ ](?P<under>\d++)(?![.,:/]?\d))?
      (?P<unit>[^\W_]*+)
    """,
    re.VERBOSE,
)
_DIGIT = re.compile(r"\d")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})++(?:\.\d++)?+")
_PLAIN = re.compile(r"\d++(?:\.\d++)?+|\.\d++")
_RATIO = re.compile(r"(\d++)/(\d++)")
_SCALE = re.compile(r"[ \t]?(hundred|thousand|million|billion|trillion)\b", re.IGNORECASE)
_ORDINAL = re.compile(r"(?:st|nd|rd|th)", re.IGNORECASE)
_VARIABLE = frozenset("kKMBxyznabcπei")
_OPERATOR = re.compile(
    r"""\s*(?:
        \\(?:sqrt|pi|frac)(?![a-zA-Z])|√|π
        |(?:[=+\u00d7·÷<>≈/\-\u2212\u2013]|\*(?!\*)|\^(?!\{?\\circ)|\\(?:times|cdot|div|pm)(?![a-zA-Z]))
         \s*[-$\d(\\]
    )""",
    re.VERBOSE,
)
_IRRATIONAL = re.compile(r"\\(?:sqrt|pi)(?![a-zA-Z])|[π√]")
_RAISED = re.compile(r"(?:\^[{(]?|_\{|\}\{|(?:frac|sqrt|\])\{|[\d)]\*\*)$")
_HASHES = re.compile(r"^[ \t]*+\#{4}[ \t]*+(.*)$", re.MULTILINE)
_BOLD = re.compile(r"\*\*([^*\n]{1,80})\*\*")
_UNIT_MARK = r"""(?:\s*+(?:
    \\?%|\u00b0|\^\{?\\circ\}?|\\?\$|\\[,!;:\ ]|[)\]}*_"'`]
    |\\(?:text|mathrm|textbf|mbox)\s*+\{[^{}]*+\}(?:\^\{?[23]\}?)?
))*+"""
_UNIT_AFTER = re.compile(
    rf"{_UNIT_MARK}(?:\s++[^\W\d_]++){{0,4}}+{_UNIT_MARK}[\s.,!;]*+", re.VERBOSE
)


@dataclass(frozen=True, slots=True)
class _Read:
    """A number as written: None for what looks like one and cannot be read (`1.2.3`, `10:30`)."""

    value: Fraction | None
    shown: str
    start: int
    end: int


def _plain_latex(text: str) -> str:
    """The text with LaTeX fractions, powers of ten and digit groups as plain characters."""
    if "\\" in text or "{,}" in text or "\u2009" in text or "\u202f" in text or "10" in text:
        text = _SPACED_COMMA.sub(",", text)
        text = _TIMES_TEN.sub(lambda m: "e" + (m[1] or m[2]).replace("\u2212", "-"), text)
        text = _FRAC.sub(_plain_fraction, text)
    return text


def _plain_fraction(found: re.Match[str]) -> str:
    over, under = (found[1], found[2]) if found[1] is not None else (found[3], found[4])
    top, bottom = ("".join(part.split()).replace("\u2212", "-") for part in (over, under))
    if "." in top + bottom or bottom.startswith("-"):
        return found[0]
    text = found.string
    # The space keeps a digit or letter beside the fraction from becoming part of it.
    left = " " if text[found.start() - 1 : found.start()].isalnum() else ""
    right = " " if text[found.end() : found.end() + 1].isdigit() else ""
    return f"{left}{top}/{bottom}{right}"


def _written(text: str) -> Iterator[re.Match[str]]:
    """The matches of what is written as a number, whether or not it can be read."""
    return (
        found
        for found in _NUMBER.finditer(text)
        if found["word"] is None and not _ORDINAL.fullmatch(found["unit"])
    )


def _numbers(text: str) -> Iterator[_Read]:
    return map(_number, _written(text))


def _last_number(text: str) -> _Read | None:
    # The end first: no number reaches over a line break, and a long text holds many.
    cut = text.find("\n", max(0, len(text) - _TAIL)) if len(text) > _TAIL else -1
    found = _last(_written(text[cut + 1 :])) or (_last(_written(text)) if cut >= 0 else None)
    return None if found is None else _number(found)


def _number(found: re.Match[str]) -> _Read:
    end = found.end("under") if found["under"] else found.end("power")
    if end < 0:
        end = found.end("digits")
    nothing = _Read(None, "", found.start(), found.end())
    text, unit = found.string, found["unit"]
    if _RAISED.search(text[max(0, found.start() - 6) : found.start()]):
        return nothing
    if unit in _VARIABLE or any(c.isdigit() for c in unit):
        return nothing
    parsed = _exact_value(found)
    if parsed is None:
        return nothing
    value, is_ratio = parsed
    if scale := _SCALE.match(text, found.start("unit") if unit else end):
        value *= _SCALES[scale[1].lower()]
        end = scale.end()
    if found["lead"] not in ("", "+") or found["inner"]:
        value = -value
    return _Read(value, _number_text(value, is_ratio), found.start(), max(end, found.end("unit")))


def _exact_value(found: re.Match[str]) -> tuple[Fraction, bool] | None:
    """The value without sign and whether it was written as a fraction; None if malformed."""
    digits, power, under = found["digits"], found["power"], found["under"]
    if len(digits) > _DIGITS or len(under or "") > _DIGITS:
        return None
    if ratio := _RATIO.fullmatch(digits):
        top, bottom = int(ratio[1]), int(ratio[2])
        if bottom == 0 or power or under or (found["whole"] and top >= bottom):
            return None
        return Fraction(top, bottom) + int(found["whole"] or 0), True
    if not (_GROUPED.fullmatch(digits) or _PLAIN.fullmatch(digits)):
        return None
    shift = int(power[1:]) if power else 0
    if abs(shift) > _POWER:
        return None
    value = Fraction(Decimal(digits.replace(",", ""))) * Fraction(10) ** shift
    if under is None:
        return value, False
    return (value / int(under), True) if int(under) else None


def _number_text(value: Fraction, is_ratio: bool) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    if is_ratio:
        return f"{value.numerator}/{value.denominator}"
    # A decimal number has a denominator of twos and fives, so enough places write it exactly.
    places = max(_times(value.denominator, 2), _times(value.denominator, 5))
    digits = str(abs(value.numerator) * 10**places // value.denominator).zfill(places + 1)
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def _times(number: int, factor: int) -> int:
    count = 0
    while number % factor == 0:
        number //= factor
        count += 1
    return count


def _whole_number(text: str) -> _Read | None:
    """The number that a short text consists of, units aside; after its last `=`."""
    piece = text[-_CLAUSE:].rpartition("=")[2].strip().strip("$*_`\"' ")
    sign = re.match(r"\\?\$?([-\u2212])\s+(?=[\d$.])", piece)
    if sign:
        piece = "-" + piece[sign.end() :]
    read = next(_numbers(piece), None)
    if read is None or read.value is None:
        return None
    head = re.sub(r"\\?\$|\\text\{[^{}]*\}|[\s({\[*\"]", "", piece[: read.start])
    if head or not _UNIT_AFTER.fullmatch(piece, read.end):
        return None
    return read


def _said_number(clause: str, linked: bool) -> tuple[bool, _Read | None]:
    """Whether a clause after "answer" states a number, and the number if it can be read."""
    found = _numbers(clause)
    read = next(found, None)
    if read is None:
        return False, None
    if not linked and re.search(r"\w", clause[: read.start]):
        return False, None
    if _OPERATOR.match(clause, read.end) or _IRRATIONAL.search(clause, 0, read.start):
        tail = clause.rpartition("=")[2]
        if tail == clause:
            return True, None
        read = next(_numbers(tail), None)
        if read is None or _OPERATOR.match(tail, read.end):
            return True, None
    return True, read


def _bold_number(text: str) -> _Read | None:
    """The last number set in bold near the end; not one that numbers a list, `**2.**`."""
    closing = "\n".join(text.rstrip().split("\n")[-_CLOSING:])
    pieces = [found[1].strip() for found in _BOLD.finditer(closing[-_TAIL:])]
    return _last(
        read for p in pieces if not p.endswith((".", ":", ")")) and (read := _whole_number(p))
    )


@dataclass(frozen=True, slots=True)
class Number(AnswerKind):
    """The last number of a text, one that is marked as the answer first.

    Exact: fractions, mixed numbers, powers of ten, `1,000` and "5 million" keep their value. A
    per cent sign, a currency and a unit are dropped. `1.2.3`, `10:30`, `1,50`, `5k` or `2π` are
    not read, since their value would be a guess.
    """

    name: ClassVar[str] = "number"

    def read(self, text: str) -> Answer | None:
        """The number, as a canonical decimal (`1.5`) or, where written so, a fraction (`3/4`)."""
        if not _DIGIT.search(text):
            return None
        text = _plain_latex(text)
        marked, read = self._marked(text)
        if not marked:
            read = _bold_number(text) or _last_number(text)
        return None if read is None or read.value is None else self._answer(read.shown)

    def describe(self) -> str:
        """Ask for a number."""
        return "End with the answer as a number, on a line of its own: Answer: <number>."

    def _marked(self, text: str) -> tuple[bool, _Read | None]:
        """Whether the text marks an answer, and the number of the last mark."""
        place = -1
        read: _Read | None = None
        if box := _last_box(text):
            place, read = box[0], _whole_number(box[1])
        for line in list(_HASHES.finditer(text))[-_MARKS_TRIED:]:
            if line.start() > place and (number := _whole_number(line[1])):
                place, read = line.start(), number
        for start, linked, clause in _clauses(text):
            if start < place:
                break
            said, number = _said_number(clause, linked)
            if said:
                place, read = start, number
                break
        return place >= 0, read

    def _key(self, answer: Answer) -> Hashable:
        return Fraction(answer.text)


# --- choice ------------------------------------------------------------------------------------

_ARTICLE_NEXT = frozenset(
    ["and", "as", "because", "but", "due", "for", "given", "since", "so", "where", "which", "with"]
)
_WRAP = r"[\s(\[{*_\"'`$:]*+"


@dataclass(frozen=True, slots=True)
class Choice(AnswerKind):
    """One of a few options: letters, A to J unless given, or words.

    Reads what follows "answer", a box, a line of the option alone, or one label that opens the
    text. An option that only occurs in a sentence is not read, nor the article "A".
    """

    name: ClassVar[str] = "choice"

    options: tuple[str, ...] = tuple("ABCDEFGHIJ")
    _by_fold: Mapping[str, str] = field(init=False, repr=False, compare=False)
    _label: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _is: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _marks: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _also: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _wrapped: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_fold = {" ".join(option.split()).casefold(): option for option in self.options}
        if len(by_fold) != len(self.options) or len(self.options) < 2 or "" in by_fold:
            raise ValueError("choice needs two or more options that differ, none of them empty")
        words = sorted((" ".join(o.split()) for o in self.options), key=len, reverse=True)
        one = "(?P<option>" + "|".join(re.escape(w) for w in words) + r")(?![\w+#'\u2019-])"
        fold = re.IGNORECASE
        set_ = object.__setattr__
        set_(self, "_by_fold", by_fold)
        also = rf"[)\]}}*_\"'`$]*+\s*+(?:\b(?:or|and)\b|[/&,])\s*+[(\[*_\"'`]*+{one}"
        set_(self, "_also", re.compile(also, fold))
        label = (
            rf"(?P<open>[(\[*_\"'`$]*+)\s?(?:(?:option|choice)\s)?{one}"
            r"(?P<close>[)\]*_\"'`$.:,;!]*+)"
        )
        set_(self, "_label", re.compile(label, fold))
        set_(
            self,
            "_is",
            re.compile(
                rf"(?<!\w){one}[)\]*\"'`]*+ is (?:the )?(?:most )?(?:correct|right|best|answer)\b",
                fold,
            ),
        )
        set_(
            self,
            "_marks",
            re.compile(
                r"\b(?:answers?+|(?:correct|right|best|final|my) (?:choice|option))\b[\s\"'*_`]*+"
                rf"(?:(?:[:=]|(?:is|would be|must be|should be)\b){_WRAP})?+"
                rf"(?:\\(?:text|textbf|mathrm|boxed|fbox)\{{{_WRAP})*+(?:(?:option|choice)\b)?+{_WRAP}"
                rf"{one}(?P<close>[)\]}}*_\"'`$.:,;!]*+)(?P<next>[ \t]++[\w'\u2019]++)?+",
                fold,
            ),
        )
        set_(self, "_wrapped", re.compile(rf"(?:\(|\*\*\(?){one}(?:\)|\)?\.?\*\*)", fold))

    def read(self, text: str) -> Answer | None:
        """The option as it was declared."""
        said, option = self._said(text)
        if not said:
            option = self._labelled(text)
        return None if option is None else self._answer(option)

    def describe(self) -> str:
        """Ask for one of the options."""
        return f"End with the answer as one of {', '.join(self.options)}: Answer: <option>."

    def _said(self, text: str) -> tuple[bool, str | None]:
        """Whether a mark names an option, and the one that the last mark names; None if several."""
        place = -1
        option: str | None = None
        if box := _last_box(text):
            inner = re.sub(
                r"\\(?:text|textbf|mathrm|mathbf)\s*\{([^{}]*)\}", r"\1", box[1][:_CLAUSE]
            )
            label = self._label.match(inner.strip())
            if label and (label["close"] or label.end() == len(inner.strip())):
                place, option = box[0], self._declared(label)
            else:
                place = box[0]
        for pattern in (self._marks, self._is):
            for found in pattern.finditer(text):
                if found.start() >= place and not self._is_article(found):
                    several = self._also.match(text, found.end("option"))
                    place, option = found.start(), None if several else self._declared(found)
        return place >= 0, option

    def _labelled(self, text: str) -> str | None:
        """The option that stands alone on the last line, or labels the text."""
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        if not lines:
            return None
        last = self._label.fullmatch(lines[-1][:_CLAUSE])
        if last:
            return self._declared(last)
        opening = {self._opens(line) for line in lines} - {None}
        if len(opening) == 1 and self._opens(lines[0]) is not None:
            return opening.pop()
        wrapped = {self._declared(found) for found in self._wrapped.finditer(lines[-1])}
        return wrapped.pop() if len(wrapped) == 1 else None

    def _opens(self, line: str) -> str | None:
        """The option that a line begins with, set off as a label."""
        found = self._label.match(line)
        if found is None:
            return None
        alone = found.end() == len(line)
        # After a letter a comma belongs to a list or a sentence: "A, B and C".
        marks = ")].:;!*" if len(found["option"]) == 1 else ")].:;!*,"
        set_off = any(c in marks for c in found["close"])
        return self._declared(found) if alone or set_off else None

    def _declared(self, found: re.Match[str]) -> str:
        return self._by_fold[" ".join(found["option"].split()).casefold()]

    @staticmethod
    def _is_article(found: re.Match[str]) -> bool:
        """Whether an A (or I) is a word of the sentence: "the answer is a train"."""
        if found["option"] not in ("A", "a", "I", "i") or not found.re.groupindex.get("next"):
            return False
        word = (found["next"] or "").strip()
        if not word or found["close"]:
            return False
        return found["option"].islower() or word.casefold() not in _ARTICLE_NEXT


# --- boxed -------------------------------------------------------------------------------------

_LATEX_WRAP = re.compile(
    r"\\(?:text|textbf|textit|mathrm|mathbf|mbox|operatorname)\s*+\{([^{}]*+)\}"
)
_LATEX_DROP = re.compile(
    r"\\(?:left|right|bigl|bigr|big|Big|displaystyle)(?![a-zA-Z])|\\[,!;:]|[$~]"
)
_LATEX_SPACE = re.compile(r"\s++")
_SYMPY_LENGTH: Final = 200
_SYMPY_CALLS: Final = 6
# What can make a computer algebra system run for hours: factorials, sums, numbers and powers of
# many digits. Such answers are compared as text.
_COSTLY = re.compile(r"!|\\(?:d?binom|prod|sum|int|Gamma|lim)(?![a-zA-Z])|\*\*|\d{30,}")
_COMMAND = re.compile(r"\\[a-zA-Z]+")
_EXPONENT = re.compile(r"\^\s*(?:\{|(\d+|\\?\w))")


def _is_costly(text: str) -> bool:
    """Whether comparing an expression as mathematics could take long."""
    if len(text) > _SYMPY_LENGTH or _COSTLY.search(text):
        return True
    commands = [c for c in _COMMAND.findall(text) if c not in ("\\frac", "\\pi", "\\cdot")]
    symbolic = any(c.isalpha() for c in _COMMAND.sub(" ", text))
    limit = (12 if re.search(r"[)}\]]\s*\^", text) else 100) if symbolic else 10_000
    power = 1
    for found in _EXPONENT.finditer(text):
        exponent = found[1] or _group(text, found.end())
        if "^" in exponent:
            return True
        for number in re.findall(r"\d+", exponent):
            power *= max(1, int(number))
    return power > limit or len(commands) > _SYMPY_CALLS


def _group(text: str, start: int) -> str:
    """The text up to the brace that closes the group begun before `start`."""
    depth = 1
    for i in range(start, len(text)):
        depth += (text[i] == "{") - (text[i] == "}")
        if depth == 0:
            return text[start:i]
    return text[start:]


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
        box = _last_box(text)
        return None if box is None else self._answer(_normal_latex(box[1]))

    def describe(self) -> str:
        """Ask for a boxed answer."""
        return r"End with the answer in \boxed{}."

    def same(self, a: Answer, b: Answer) -> bool:
        """Whether two answers are equal as text, or as mathematics."""
        return a.text == b.text or _Maths().equal(a.text, b.text)

    def group(self, answers: Sequence[Answer]) -> list[int]:
        """For each answer the index of the first one that is the same, in order."""
        maths = _Maths()
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


class _Maths:
    """Equality of LaTeX expressions; parses each only once."""

    def __init__(self) -> None:
        self._parsed: dict[str, list[object]] = {}

    def equal(self, a: str, b: str) -> bool:
        """Whether two expressions are equal; what cannot be parsed equals nothing."""
        import math_verify

        left, right = self._parse(a), self._parse(b)
        if not left or not right:
            return False
        # Its time limits need signals, which only the main thread has; inputs are bounded instead.
        # It tells a reference from an answer; here neither is one.
        return any(
            math_verify.verify(gold, given, timeout_seconds=None)
            for gold, given in ((left, right), (right, left))
        )

    def _parse(self, text: str) -> list[object]:
        import math_verify

        if text not in self._parsed:
            self._parsed[text] = (
                [] if _is_costly(text) else math_verify.parse(f"${text}$", parsing_timeout=None)
            )
        return self._parsed[text]


# --- texts -------------------------------------------------------------------------------------

# The closing half of what opened before the mark: `**Answer: x**`, `{"answer": "x"}`.
_LOOSE = re.compile(r"([\"`*_]+)\s*[,}\]]*\s*$")
_QUOTES: Final = ("**", "__", "`", '"', "'", "*", "_")


@dataclass(frozen=True, slots=True)
class Exact(AnswerKind):
    """What follows the last `answer:`, else the last line; compared as text.

    With `case: fold` upper and lower case are the same.
    """

    name: ClassVar[str] = "exact"

    fold: bool = False

    def read(self, text: str) -> Answer | None:
        """The answer with its white space collapsed and paired quotes or asterisks removed."""
        mark = _last(_COLON_MARK.finditer(text))
        if mark is None:
            line = _last_line(text)
        else:
            line = text[mark.end() :].lstrip().split("\n", 1)[0]
            loose = _LOOSE.search(line, max(0, len(line) - 20))
            if loose and line.count(loose[1]) == 1:
                line = line[: loose.start()]
        return self._answer(_unquoted(" ".join(line.split())))

    def describe(self) -> str:
        """Ask for a short answer."""
        return "End with the answer on a line of its own: Answer: <answer>."

    def _key(self, answer: Answer) -> Hashable:
        return answer.text.casefold() if self.fold else answer.text


def _unquoted(text: str) -> str:
    for mark in _QUOTES:
        if len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark):
            return text[len(mark) : -len(mark)].strip()
    return "" if text in _QUOTES else text


_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})(.*)")
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


_FENCE_LINE = re.compile(r"^[ \t]*(?:`{3}|~{3})", re.MULTILINE)


def _last_block(text: str) -> str | None:
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


@dataclass(frozen=True, slots=True)
class JsonAnswer(AnswerKind):
    """The first JSON object or array of a text, or one field of the object; compared by value."""

    name: ClassVar[str] = "json"

    field: str = ""

    def read(self, text: str) -> Answer | None:
        """Compact JSON with sorted keys; a field that is a string stands without quotes."""
        try:
            value = _first_json(text)
            if self.field:
                value = value.get(self.field) if isinstance(value, dict) else None
            if value is None or isinstance(value, str):
                return self._answer((value or "").strip())
            return self._answer(_compact(value))
        except (ValueError, RecursionError):
            return None

    def describe(self) -> str:
        """Ask for JSON."""
        if self.field:
            return f'End with a JSON object whose field "{self.field}" is the answer.'
        return "End with the answer as JSON."


_FAILURES: Final = 1_000
_JSON_START = re.compile(r"""\{(?=\s*+["}])|\[(?=\s*+[\[{"\d\-tfn\]])""")


def _first_json(text: str) -> object:
    """The first object or array; None where there is none. Raises ValueError, RecursionError."""
    decoder = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant, strict=False)
    place = 0
    # A decoding error counts the lines before it, so without a bound many would cost a square.
    for _ in range(_FAILURES):
        start = _JSON_START.search(text, place)
        if start is None:
            break
        try:
            value: object = decoder.raw_decode(text, start.start())[0]
        except json.JSONDecodeError as error:
            # Cut off inside a string: what looks like JSON in it is not the answer.
            if error.msg.startswith("Unterminated"):
                return None
            place = max(start.end(), error.pos)
        else:
            return value
    return None


def _finite(text: str) -> float | int:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large")
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def _no_constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


def _compact(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # Half a surrogate pair can be written in JSON and in no file.
    if any("\ud800" <= c <= "\udfff" for c in text):
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
    return text


_PATTERN: Final = 500
_SEARCHED: Final = 20_000


@dataclass(frozen=True, slots=True)
class Regex(AnswerKind):
    """What the one group of a pattern matches, last match first.

    Only the last 20,000 characters are searched. That bounds a sound pattern; it cannot bound one
    that backtracks without end (`(a+)+$`), so a pattern is as trusted as the file it stands in.
    Raises ValueError for a pattern that cannot be used.
    """

    name: ClassVar[str] = "regex"

    pattern: str
    _compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.pattern) > _PATTERN:
            raise ValueError(f"the pattern is longer than {_PATTERN} characters")
        try:
            compiled = re.compile(self.pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"the pattern cannot be compiled: {error}") from error
        if compiled.groups != 1:
            raise ValueError(f"the pattern needs exactly one group, it has {compiled.groups}")
        object.__setattr__(self, "_compiled", compiled)

    def read(self, text: str) -> Answer | None:
        """The group of the last match, stripped."""
        found = _last(self._compiled.finditer(text[-_SEARCHED:]))
        return None if found is None else self._answer((found[1] or "").strip())

    def describe(self) -> str:
        """Ask for a text of the pattern's form."""
        return f"End with the answer in the form of this regular expression: {self.pattern}"


@dataclass(frozen=True, slots=True)
class Text(AnswerKind):
    """The whole text, stripped."""

    name: ClassVar[str] = "text"

    def read(self, text: str) -> Answer | None:
        """The text without the white space around it."""
        return self._answer(text.strip())

    def describe(self) -> str:
        """Ask for nothing in particular."""
        return "Reply with the answer."


# --- by name -----------------------------------------------------------------------------------


def answer_kind(value: str | Mapping[str, object]) -> AnswerKind:
    """The kind that a pipeline's `answer:` names: a word, or a mapping of one word to its options.

    Raises ValueError with the nearest name, and MissingPackage for `boxed` without math-verify.
    """
    if isinstance(value, str):
        name, colon, rest = value.partition(":")
        return _named(name.strip(), rest.strip() if colon else None)
    if isinstance(value, Mapping) and len(value) == 1:
        name, argument = next(iter(value.items()))
        return _named(name, argument)
    raise ValueError('answer is one word such as "number", or one word with its options')


def _named(name: str, argument: object) -> AnswerKind:
    kind = _KINDS.get(name)
    if kind is None:
        raise ValueError(f'no answer kind "{name}"; {nearest(name, _KINDS)}')
    return kind(argument)


def _plain(make: Callable[[], AnswerKind]) -> Callable[[object], AnswerKind]:
    def build(argument: object) -> AnswerKind:
        if argument is not None:
            raise ValueError("this answer kind takes no options")
        return make()

    return build


def _choice(argument: object) -> AnswerKind:
    if argument is None:
        return Choice()
    if isinstance(argument, str) or not isinstance(argument, Sequence):
        raise ValueError("choice takes a list of options: {choice: [A, B, C]}")
    options: list[str] = []
    for option in argument:
        if isinstance(option, bool) or not isinstance(option, str | int):
            raise ValueError(f"choice takes words, not {option!r}; put it in quotes")
        options.append(str(option))
    return Choice(tuple(options))


def _exact(argument: object) -> AnswerKind:
    if argument is None:
        return Exact()
    case = _option("exact", argument, "case")
    if case not in ("fold", "keep"):
        raise ValueError(f"exact takes case: fold or case: keep, not {case!r}")
    return Exact(case == "fold")


def _json(argument: object) -> AnswerKind:
    if argument is None:
        return JsonAnswer()
    name = _option("json", argument, "field")
    if not isinstance(name, str) or not name:
        raise ValueError("json takes field: a name")
    return JsonAnswer(name)


def _regex(argument: object) -> AnswerKind:
    if not isinstance(argument, str) or not argument:
        raise ValueError("regex takes a pattern with one group: {regex: 'total (\\d+)'}")
    return Regex(argument)


def _option(kind: str, argument: object, name: str) -> object:
    if not isinstance(argument, Mapping) or list(argument) != [name]:
        given = [str(key) for key in argument] if isinstance(argument, Mapping) else []
        wrong = next((key for key in given if key != name), "")
        hint = f', not "{wrong}"' if wrong else ""
        raise ValueError(f"{kind} takes the option {name}{hint}")
    return argument[name]


_KINDS: Final[Mapping[str, Callable[[object], AnswerKind]]] = {
    "boxed": _plain(Boxed),
    "choice": _choice,
    "code": _plain(Code),
    "exact": _exact,
    "json": _json,
    "number": _plain(Number),
    "regex": _regex,
    "text": _plain(Text),
}
