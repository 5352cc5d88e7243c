"""A model that is a function: how pipelines are tested, and how an application brings its own."""

import random
import time

import polyarch
from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted

pipe = polyarch.loads("""
name: coin
models: {coin: scripted/coin}
answer: {choice: [heads, tails]}
steps:
  tosses: {op: generate, n: 100}
  answer: {op: vote, stop_at: 0.99}
""")


def toss(request: Request, draw: Draw) -> Script:
    """A coin that shows heads three times in four, each toss after 10 to 50 ms."""
    rng = random.Random(draw.seed)
    side = "heads" if rng.random() < 0.75 else "tails"
    return Script(f"Answer: {side}", latency=rng.uniform(0.01, 0.05))


coin = Scripted(toss)
with polyarch.Pipeline(pipe.plan, backends={"coin": coin}) as biased:
    for seed in range(5):
        start = time.perf_counter()
        result = biased("Heads or tails?", seed=seed)
        spent = f"{result.usage.calls} of 100 tosses, {time.perf_counter() - start:.2f} s"
        print(f"{result}  {result.candidates[0].notes['votes']}  {spent}; {result.stopped}")
print(f"asked {coin.log.asked}, finished {coin.log.finished}, cancelled {coin.log.cancelled}")
