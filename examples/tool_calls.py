"""Tools that are Python functions: a plan of calls that run side by side."""

import asyncio
import time

import polyarch
from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted

PLAN = """\
1. area(lake="Geneva")
2. area(lake="Constance")
3. calculator(expression="${1.km2} - ${2.km2}")"""


async def area(lake: str) -> dict[str, int]:
    """The area of a lake in square kilometres."""
    await asyncio.sleep(0.5)
    return {"km2": {"Geneva": 580, "Constance": 536}[lake]}


def reply(request: Request, draw: Draw) -> Script:
    """Stands for a model."""
    if request.purpose.role == "plan":
        return Script(PLAN)
    return Script(f"By {request.purpose.shown[0].rsplit(' = ')[-1]} square kilometres.")


plan = polyarch.loads("""
name: lakes
models: {solver: scripted/x}
tools: {area: {given: true}, calculator: {builtin: calculator}}
steps: {answer: {op: tools}}
""").plan
with polyarch.Pipeline(plan, backends={"solver": Scripted(reply)}, tools={"area": area}) as pipe:
    start = time.perf_counter()
    print(pipe("By how much is Lake Geneva larger than Lake Constance?"))
    print(f"two look-ups of 0.5 s each took {time.perf_counter() - start:.1f} s")
