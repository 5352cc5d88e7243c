"""Pipelines to write down: scripted, so that what is written can run."""

from __future__ import annotations

from typing import Any

import polyarch
from polyarch.compiler.plan import Plan

VOTE = """
name: tiny_vote
about: Three draws vote.
source: A paper (2024)
answer: number
budget: {calls: 40, tokens: 60_000, usd: 0.5, seconds: 30}
models:
  solver:
    model: scripted/x
    options:
      replies:
        - {role: solve, texts: ["answer: 4", "answer: 5", "answer: 4"]}
        - {role: verify, texts: ['{"reason": "so", "verdict": "right"}'], cycle: true}
steps:
  drafts: {op: generate, n: 3, temperature: 0.8}
  checked: {op: verify}
  answer: {op: vote, weight: verify}
"""

ROUGH = r"""
name: rough
answer: {choice: [yes, "no"]}
question: {kind: record, fields: [claim], text: "{claim}?"}
models:
  "a \"model\"": {model: scripted/x, stop: ["\n\n", "'\"\\"], price: {prompt: 1, completion: 2},
                  options: {replies: [{texts: ["yes", "no", "yes", "yes", "no"]}]}}
  other: {model: scripted/y, temperature: 0, options: {replies: [{texts: ["yes"], cycle: true}]}}
steps:
  drafts:
    op: ensemble
    n: 2
    temperature: 0.5
    members:
      - 'a "model"'
      - model: other
        n: 1
        prompt: "Is it so?\n\n\"\"\"{question}\"\"\"\n\\boxed{ } {claim} \t end, and this line is \
          so long that it is certain to be cut somewhere between two of its words \n"
      - {model: 'a "model"', temperature: 0.5}
  best: {op: vote, stop_at: exact, ahead: 2, otherwise: none}
output: {from: best, keep: 1}
"""


def planned(text: str, **options: Any) -> Plan:
    """The plan of a pipeline text."""
    return polyarch.loads(text, **options).plan
