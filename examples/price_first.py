"""What a pipeline will cost, before it asks anything; and a budget that cannot hold it."""

import polyarch

PIPELINE = """
name: careful
models:
  small:
    model: scripted/small
    price: {prompt: 0.15, completion: 0.60}     # dollars per million tokens
    options: {replies: [{texts: "Answer: 7", cycle: true}]}
answer: number
budget: {usd: LIMIT}
steps:
  drafts: {op: generate, n: 16, max_tokens: 200}
  best: {op: rank, method: pairwise, keep: 3}
  answer: {op: fuse, max_tokens: 200}
"""

plan = polyarch.loads(PIPELINE.replace("LIMIT", "0.50")).plan
for name, cost in plan.costs.items():
    print(f"{name:7} calls {cost.calls!s:9} tokens {cost.tokens!s:16} up to ${cost.usd.high:.4f}")
print(f"total   calls {plan.total.calls!s:9} tokens {plan.total.tokens!s:16}", end=" ")
print(f"up to ${plan.total.usd.high:.4f}; {plan.total.depth} calls one after another\n")

with polyarch.loads(PIPELINE.replace("LIMIT", "0.001")) as tight:
    try:
        tight("How many days has a week?")
    except polyarch.PolyarchError as error:
        print(f"{error.code}: {error}")
