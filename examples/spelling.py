"""A file with several mistakes: every one is told at once, at its place, with the nearest name."""

import polyarch

PIPELINE = """
name: mistakes
models: {solver: embedded/abacus}
answer: numbr
steps:
  drafts: {op: generate, n: sixteen}
  checked: {op: verify, model: slover, prompt: "Is {candidat} right?"}
  best: {op: rank, keeps: 3}
  answer: {op: vot, weight: verify}
"""

try:
    polyarch.loads(PIPELINE)
except polyarch.SpecError as error:
    print(error)
    print(f"\n{len(error.faults)} faults")
