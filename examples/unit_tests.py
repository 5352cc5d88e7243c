"""Programs chosen by tests that a model wrote and the sandbox ran. Replies are scripted."""

import json

import polyarch
from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted

PIPELINE = """
name: chosen_by_tests
models: {coder: scripted/coder}
answer: code
steps:
  drafts: {op: generate, n: 3}
  answer: {op: unit_test, keep: 1}
"""
PROGRAMS = ("a + b", "a * b", "max(a, b) - min(a, b)")
TESTS = ["assert area(2, 3) == 6", "assert area(0, 9) == 0", "assert area(2, 2) == 4"]


def coder(request: Request, draw: Draw) -> str:
    """A model that writes programs, some of them wrong, and tests."""
    if request.purpose.role == "write_tests":
        return json.dumps({"tests": TESTS})
    return f"```python\ndef area(a, b):\n    return {PROGRAMS[draw.index]}\n```"


try:
    plan = polyarch.loads(PIPELINE).plan
    with polyarch.Pipeline(plan, backends={"coder": Scripted(coder)}) as pipe:
        result = pipe("Write area(a, b), the area of a rectangle with these sides.")
    best = result.candidates[0]
    print(result)
    print(f"passes {best.scores['tests']:.0%} of the tests: {best.notes['tests']}")
    print(f"{result.usage.calls} calls, {result.usage.seconds:.2f} s of requests and programs")
except polyarch.PolyarchError as error:
    print(f"{error.code}: {error}")
