"""Search a space within a budget, and see what the winner is worth on questions it never saw."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polyarch

SPACE = """\
name: small
models: {solver: embedded/abacus}
answer: number
steps:
  drafts: {op: generate, n: {choose: [2, 4]}, temperature: {choose: [0.4, 0.8]}}
  checked: {optional: {op: verify}}
  answer: {op: vote}
"""

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "small.yaml")
    path.write_text(SPACE)
    found = polyarch.search(path, "embedded:40", calls=600, trials=3, out=Path(folder, "out"))

print(found.text)
print(f"dev {found.dev.estimate:.0%} on {len(found.best.marks)} questions, {found.calls} calls")
for one in found.test:
    print(f"{one.name}: {one.score.estimate:.0%} on {len(one.marks)} locked questions")
