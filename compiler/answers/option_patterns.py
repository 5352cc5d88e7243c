"""The patterns by which options are found in a text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["OptionPatterns", "option_patterns"]

_WRAP = r"[\s(\[{*_\"'`$:]*+"


@dataclass(frozen=True, slots=True)
class OptionPatterns:
    """Where an option stands. Each pattern has a group `option`, the first two a `close`."""

    label: re.Pattern[str]
    """The option at the start of a line, with what sets it off: `(B)`, `**B.**`, `Option B:`."""
    mark: re.Pattern[str]
    """The option that follows "answer" or the like."""
    verdict: re.Pattern[str]
    """The option that is called correct: `B is right`."""
    also: re.Pattern[str]
    """Another option beside one: `or C`, `, C`."""
    wrapped: re.Pattern[str]
    """The option in parentheses or bold."""


def option_patterns(words: Iterable[str]) -> OptionPatterns:
    """The patterns for options of these words, single spaces within each."""
    longest = sorted(words, key=len, reverse=True)
    one = "(?P<option>" + "|".join(re.escape(w) for w in longest) + r")(?![\w+#'\u2019-])"
    return OptionPatterns(
        label=_folding(
            rf"(?P<open>[(\[*_\"'`$]*+)\s?(?:(?:option|choice)\s)?{one}"
            r"(?P<close>[)\]*_\"'`$.:,;!]*+)"
        ),
        mark=_folding(
            r"\b(?:answers?+|(?:correct|right|best|final|my) (?:choice|option))\b[\s\"'*_`]*+"
            rf"(?:(?:[:=]|(?:is|would be|must be|should be)\b){_WRAP})?+"
            rf"(?:\\(?:text|textbf|mathrm|boxed|fbox)\{{{_WRAP})*+(?:(?:option|choice)\b)?+{_WRAP}"
            rf"{one}(?P<close>[)\]}}*_\"'`$.:,;!]*+)(?P<next>[ \t]++[\w'\u2019]++)?+"
        ),
        verdict=_folding(
            rf"(?<!\w){one}[)\]*\"'`]*+ is (?:the )?(?:most )?(?:correct|right|best|answer)\b"
        ),
        also=_folding(rf"[)\]}}*_\"'`$]*+\s*+(?:\b(?:or|and)\b|[/&,])\s*+[(\[*_\"'`]*+{one}"),
        wrapped=_folding(rf"(?:\(|\*\*\(?){one}(?:\)|\)?\.?\*\*)"),
    )


def _folding(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)
