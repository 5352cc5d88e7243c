"""Draw once, keep the draws, and try pipelines on them at no cost: a replay asks no model."""

import json
import tempfile
from pathlib import Path

import polyarch
from polyarch.pipelines import path

QUESTION = (
    "Jack has 20 nuts. Nina has 8 fewer than Jack. How many nuts do Jack and Nina have together?"
)

DRAW = """
name: draw
models: {solver: embedded/abacus}
answer: number
steps: {drafts: {op: generate, n: 40, temperature: 0.8}}
output: {from: drafts, keep: 40}
"""

with tempfile.TemporaryDirectory() as folder, polyarch.loads(DRAW) as draw:
    lines = [
        {"item": "nuts", "model": "abacus", "sample": number, "text": candidate.text}
        for number, candidate in enumerate(draw(QUESTION).candidates)
    ]
    Path(folder, "samples.jsonl").write_text("\n".join(map(json.dumps, lines)))
    recorded = f"{{model: replay/abacus, options: {{recordings: {folder}}}}}"
    for name in ("self_consistency", "adaptive_consistency"):
        text = path(name).read_text().replace("embedded/abacus", recorded)
        with polyarch.loads(text) as pipe:
            result = pipe(QUESTION, id="nuts")
        votes = result.candidates[0].notes["votes"]
        print(f"{name:22} {result}  votes {votes}  {result.usage.calls} draws asked for")
