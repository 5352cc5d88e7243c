"""What operators share about tests: how they are read, and what a set of outcomes is worth."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from math import sqrt

from ..compiler.values import Json

__all__ = ["agreement", "given_tests", "single_asserts"]


def given_tests(field: Json) -> tuple[str, ...]:
    """The tests in a field of the question: a list of texts (JSON, if it is written out), or one
    text that is one test."""
    if isinstance(field, str):
        try:
            listed = json.loads(field)
        except ValueError:
            listed = None
        if not isinstance(listed, list):
            return (field,) if field.strip() else ()
        field = listed
    if isinstance(field, Sequence) and all(isinstance(test, str) for test in field):
        return tuple(str(test) for test in field)
    raise ValueError("the tests of a question are a text, or a list of texts")


def single_asserts(source: str) -> tuple[str, ...]:
    """The assert statements at the top level of a text, each once; none if it is no Python.

    Everything else in it is left out, such as a program that a model wrote before its tests.
    """
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    return tuple(dict.fromkeys(ast.unparse(s) for s in body if isinstance(s, ast.Assert)))


def agreement(passed: Sequence[Sequence[bool]], *, root: bool = False) -> list[float]:
    """The dual agreement of each program, given which tests it passes: the number of programs that
    pass the same tests (its square root with `root`) times the number of these tests.

    >>> agreement([[True, True], [True, True], [True, False]])
    [4.0, 4.0, 1.0]
    """
    sets = [tuple(row) for row in passed]
    sizes = {row: sets.count(row) for row in set(sets)}
    return [(sqrt(sizes[row]) if root else float(sizes[row])) * sum(row) for row in sets]
