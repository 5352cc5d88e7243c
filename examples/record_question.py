"""A question that is a record: its fields are named in the pipeline, and checked when asked."""

import polyarch

PIPELINE = """
name: shopping
models: {solver: embedded/abacus}
answer: number
question:
  kind: record
  fields: [who, has, buys, things]
  text: "{who} has {has} {things}. {who} buys {buys} more. How many {things} does {who} have?"
steps:
  drafts: {op: generate, n: 9}
  answer: {op: vote, stop_at: exact}
"""

orders: list[dict[str, str | int]] = [
    {"who": "Zoe", "has": 17, "buys": 6, "things": "stamps"},
    {"who": "Leo", "has": 48, "buys": 15, "things": "coins"},
]
with polyarch.loads(PIPELINE) as pipe:
    for result in pipe.map(orders):
        print(f"{result.question.text}\n→ {result}\n")
    try:
        pipe({"who": "Ruth", "had": 3, "buys": 4, "things": "eggs"})
    except polyarch.PolyarchError as error:
        print(f"{error.code}: {error}")
