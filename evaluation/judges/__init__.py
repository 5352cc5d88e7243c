"""Judging answers against others: pairwise, in both orders, with length and null models checked."""

from __future__ import annotations

from .length import length_controlled
from .null import NULL, null_score
from .pairwise import PROMPT, Judge, Verdict, judge_plan

__all__ = [
    "NULL",
    "PROMPT",
    "Judge",
    "Verdict",
    "judge_plan",
    "length_controlled",
    "null_score",
]
