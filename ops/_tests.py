"""What operators share about tests: how they are read and written, and what outcomes are worth."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from math import sqrt

from ..compiler.op import Asked, Asking, Context
from ..compiler.values import Json, Purpose
from ._asks import Form
from ._fields import field_of

__all__ = [
    "ROLE",
    "WRITE",
    "WrittenTests",
    "agreement",
    "given_tests",
    "single_asserts",
    "tests_of",
    "written",
]

ROLE = "write_tests"
"""The purpose of a request for tests."""

WRITE = """\
Here is a programming task.

### Task
{question}

Write tests for a program that solves it, without writing the program. Each test is one Python \
assert statement that calls what the task asks for with given arguments and compares the result \
with what it must be. Cover ordinary cases, limits and what is easily got wrong; leave out what \
the task does not decide.

Reply with one JSON object and nothing else: {"tests": ["assert f(1) == 2", …]}"""
"""Asks for tests that are programs."""


class WrittenTests(Form):
    """What a writer of tests fills in."""

    tests: tuple[str, ...]


def tests_of(ctx: Context, field: str) -> tuple[str, ...]:
    """The tests in a field of the question, each once. Raises ValueError if it holds none such."""
    return tuple(dict.fromkeys(given_tests(field_of(ctx, field, "tests"))))


async def written(ctx: Context, asking: Asking, index: int, most: int = 0) -> Asked[WrittenTests]:
    """Ask for tests, `most` of them at most if that is not 0."""

    def check(form: WrittenTests) -> str:
        return f"more than {most} tests" if 0 < most < len(form.tests) else ""

    purpose = Purpose(ROLE, ctx.question.text)
    return await ctx.ask(asking, ctx.fill(asking), purpose, WrittenTests, index=index, check=check)


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
