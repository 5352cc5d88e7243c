"""Solutions of the model that ships with polyarch, each checked by a program that a model writes,
which is scripted here; only what a program finds right may vote."""

import re

import polyarch
from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted

PIPELINE = """
name: checked_by_programs
models: {solver: embedded/abacus, checker: scripted/checker}
answer: number
steps:
  drafts: {op: generate, model: solver, n: 6, temperature: 1.0}
  checked: {op: verify, model: checker, method: program, keep_at: 1}
  answer: {op: vote}
"""
QUESTION = "Max has 9 cups. Max loses 2. Max buys 6 more. How many cups does Max have?"


def checker(request: Request, draw: Draw) -> str:
    """Writes a program that works the question out and compares."""
    claimed = re.findall(r"\d+", request.purpose.shown[0])[-1:] or ["None"]
    check = f"found = 9 - 2 + 6\nprint(found)\nprint('right' if {claimed[0]} == found else 'wrong')"
    return f"```python\n{check}\n```"


try:
    plan = polyarch.loads(PIPELINE).plan
    with polyarch.Pipeline(plan, backends={"checker": Scripted(checker)}) as pipe:
        result = pipe(QUESTION)
    print(QUESTION)
    print("answer:", result, "votes:", result.candidates[0].notes["votes"])
    print("what its program printed:", result.candidates[0].notes["verdict"])
except polyarch.PolyarchError as error:
    print(f"{error.code}: {error}")
