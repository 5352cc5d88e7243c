"""Where two models run on the GPUs at hand, and what a question costs there, before renting any."""

import polyarch
from polyarch.compiler.place.fleet import fleet
from polyarch.compiler.place.placing import placed

PIPELINE = """
name: draft_and_check
models:
  solver: {model: openai/Qwen/Qwen3-8B, options: {base_url: "http://127.0.0.1:8000/v1"}}
  judge: {model: openai/openai/gpt-oss-120b, options: {base_url: "http://127.0.0.1:8001/v1"}}
answer: number
steps:
  drafts: {op: generate, model: solver, n: 8, temperature: 0.8, max_tokens: 1024}
  checked: {op: verify, model: judge, max_tokens: 512}
  answer: {op: vote, weight: verify}
"""

plan = polyarch.loads(PIPELINE).plan
for gpus in ("1xL40S", "1xH100", "1xH200", "2xA100-80G"):
    try:
        found = placed(plan, fleet(gpus), batch=1000, usd_per_hour=2.5).placement
    except polyarch.PolyarchError as error:
        print(f"{gpus}: {error}\n")
        continue
    print(f"{gpus}: {found.swaps} swaps, up to ${found.batch.usd.high:.3f} a question of the batch")
    for home in found.placed:
        where = ", ".join(map(str, home.gpus))
        print(
            f"  {home.engine.name:7} on GPU {where}: {home.utilization:.0%} of its memory,", end=" "
        )
        print(f"{home.draws} draws at once of up to {home.engine.longest:,} tokens")
