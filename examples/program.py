"""Programs whose output is the answer, one of them repaired after its traceback, beside answers in
words of the model that ships with polyarch. The programs are scripted."""

import polyarch
from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted

PIPELINE = """
name: words_and_programs
models: {coder: scripted/coder, solver: embedded/abacus}
answer: number
steps:
  programs: {op: generate, model: coder, n: 2}
  printed: {op: program, model: coder}
  words: {op: generate, model: solver, n: 3}
  answer: {op: vote, from: [printed, words]}
"""
QUESTION = "Eva has 30 pens. Eva loses 12. Eva buys 5 more. How many pens does Eva have?"


def coder(request: Request, draw: Draw) -> str:
    """A model whose second program breaks, until it is shown why."""
    if request.purpose.role == "solve" and draw.index == 1:
        return "```python\nprint(had - lost + 5)\n```"
    return "```python\nhad, lost, buys = 30, 12, 5\nprint(had - lost + buys)\n```"


try:
    plan = polyarch.loads(PIPELINE).plan
    with polyarch.Pipeline(plan, backends={"coder": Scripted(coder)}) as pipe:
        result = pipe(QUESTION)
    print(QUESTION, "\nanswer:", result, "votes:", result.candidates[0].notes["votes"])
    for event in result.trace:
        if event.step == "printed" and event.what == "made":
            print(f"printed[{event.place}]:", event.data["notes"])
except polyarch.PolyarchError as error:
    print(f"{error.code}: {error}")
