"""Whole pipelines over HTTP say what they say with the model in process."""

from __future__ import annotations

from served import MODEL, served
from sim import compiled

from polyarch.runtime.result import Result
from polyarch.runtime.session import Session

STORY = (
    "Tom has 12 apples. Ann has twice as many as Tom. Ann gives away 7. "
    "How many apples does Ann have?"
)
PIPELINE = """
name: p
answer: number
models:
  m: {model: %s, temperature: 0.8, max_tokens: 200, max_draws: 1, options: %s}
steps:
  drafts: {op: generate, n: 4}
  checked: {op: verify, temperature: 0}
  mended: {op: refine}
  fused: {op: fuse, temperature: 0}
"""


async def ask(model: str, options: str) -> Result:
    async with Session(compiled(PIPELINE % (model, options))) as session:
        return await session.ask(STORY, seed=3, id="q")


async def test_a_pipeline_of_judges() -> None:
    with served() as server:
        options = f'{{base_url: "{server.url}", purpose: true, seed: true, context: 512}}'
        over = await ask(f"openai/{MODEL}", options)
    within = await ask(MODEL, "{}")
    assert [c.text for c in over.candidates] == [c.text for c in within.candidates]
    assert over.answer == within.answer
    assert over.usage.calls == within.usage.calls
    assert over.usage.completion_tokens == within.usage.completion_tokens


async def test_a_server_before_a_server() -> None:
    with served() as inner:
        options = f'{{"base_url": "{inner.url}", "purpose": true, "seed": true}}'
        with served(f"openai/{MODEL}", "--name", "abacus", "--options", options) as outer:
            outside = f'{{base_url: "{outer.url}", seed: true}}'
            models = f"models: {{m: {{model: openai/abacus, options: {outside}}}}}"
            made = compiled(f"name: p\n{models}\nsteps: {{d: {{op: generate}}}}")
            async with Session(made) as session:
                result = await session.ask(STORY, seed=3, id="q")
        assert result.candidates[0].text
        assert inner.metrics()["polyarch_completion_tokens_total"] == result.usage.completion_tokens
