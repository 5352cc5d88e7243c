"""What a reply holds beside its text gets from the backend to the operator: through retries, the
cache, the journal, the trace and its replay. What a model does not offer is never sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sim import compiled

from polyarch.backends.base import Draw, Piece, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler import registry
from polyarch.compiler.errors import BadRequest, ServerFailed, StepFailed
from polyarch.compiler.model import Capability
from polyarch.compiler.op import Amount, Calls, Context, Each, Flow, Reply, Wishes
from polyarch.compiler.op import Asking as AskingOp
from polyarch.compiler.plan import Plan
from polyarch.compiler.values import Candidate, Message, Purpose, TokenLogprob, Tool, ToolCall
from polyarch.pipeline import Pipeline
from polyarch.runtime.beside import Gathered, dumped, loaded
from polyarch.runtime.cache import Cache
from polyarch.runtime.result import Result
from polyarch.runtime.trace.read import read
from polyarch.runtime.trace.replay import Edit, replay
from polyarch.runtime.trace.write import TraceWriter

TOKENS = (TokenLogprob("4", -0.25, (("4", -0.25), ("5", -inf))), TokenLogprob("2", -0.75))
WEATHER = Tool("weather", "Tells the weather.", {"type": "object"})
EVERYTHING = Script(
    "42",
    reasoning="Six times seven.",
    logprobs=TOKENS,
    prompt_logprobs=TOKENS[::-1],
    calls=(ToolCall("c1", "weather", '{"city": "Oslo"}'),),
)
HELD = {
    "reasoning": "Six times seven.",
    "logprobs": TOKENS,
    "prompt_logprobs": TOKENS[::-1],
    "calls": EVERYTHING.calls,
    "values": (),
}


class Probe(AskingOp, Each):
    """Asks with every wish, and keeps the reply."""

    got: ClassVar[list[Reply]] = []

    def flow(self, given: Flow) -> Flow:
        return given

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        return (self.prices(given, given.count),)

    async def one(self, ctx: Context, candidate: Candidate) -> Candidate:
        (reply,) = await ctx.sample(
            self,
            (Message("user", "What is 6 * 7?"),),
            Purpose("solve", ctx.question.text),
            range(1),
            Wishes(logprobs=1, prompt_logprobs=0, tools=(WEATHER,)),
        )
        Probe.got.append(reply)
        return candidate.scored("calls", float(len(reply.calls)))


TEXT = """\
name: p
answer: number
models:
  m: {model: scripted/x, max_draws: 1, retries: 1, price: {prompt: 1, completion: 9}}
steps:
  drafts: {op: generate}
  probed: {op: probe}
"""


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> list[Reply]:
    """The replies that an operator `probe` gets."""
    known, names = registry.operator, registry.operator_names()
    for module in ("polyarch.compiler.build.steps", "polyarch.compiler.rebuild"):
        monkeypatch.setattr(f"{module}.operator", lambda n: Probe if n == "probe" else known(n))
        monkeypatch.setattr(f"{module}.operator_names", lambda: (*names, "probe"))
    monkeypatch.setattr(
        "polyarch.runtime.trace.tree.operator", lambda n: Probe if n == "probe" else known(n)
    )
    Probe.got.clear()
    return Probe.got


def held(reply: Reply) -> dict[str, object]:
    return {name: getattr(reply, name) for name in HELD}


def backend() -> Scripted:
    return Scripted(lambda r, d: EVERYTHING if r.tools else "41", keep=True, repeatable=True)


def ask(plan: Plan, asked: Scripted, **more: object) -> Result:
    with Pipeline(plan, backends={"m": asked}, **more) as pipe:  # type: ignore[arg-type]
        return pipe("What is 6 * 7?")


def test_it_reaches_the_operator_and_the_trace_and_not_the_answer(probe: list[Reply]) -> None:
    asked = backend()
    result = ask(compiled(TEXT), asked)
    (reply,) = probe
    assert held(reply) == HELD
    assert (reply.text, reply.finish) == ("42", "tools")
    assert result.text == "41"
    assert asked.log.seen[1].tools == (WEATHER,)
    drew = {e.step: e.data for e in result.trace if e.what == "drew"}
    assert (
        not {"reasoning", "logprobs", "prompt_logprobs", "calls", "values"} & drew["drafts"].keys()
    )
    assert {name for name, value in HELD.items() if value} <= drew["probed"].keys()
    assert drew["probed"]["reasoning"] == "Six times seven."
    assert drew["probed"]["calls"] == [["c1", "weather", '{"city": "Oslo"}']]


def test_the_cache_and_the_journal_give_all_of_it_back(probe: list[Reply], tmp_path: Path) -> None:
    for _ in range(2):
        cache = Cache(tmp_path / "c")
        result = ask(compiled(TEXT), backend(), cache=cache)
        cache.close()
    assert [held(reply) for reply in probe] == [HELD, HELD]
    assert [reply.finish for reply in probe] == ["tools", "tools"]
    assert result.usage.calls == 0
    recalled = {e.step: e.data for e in result.trace if e.what == "recalled"}
    assert recalled["probed"]["reasoning"] == "Six times seven."
    assert "reasoning" not in recalled["drafts"]

    probe.clear()
    for _ in range(2):
        with Pipeline(compiled(TEXT), backends={"m": backend()}) as pipe:
            list(pipe.map(["What is 6 * 7?"], journal=tmp_path / "j"))
    assert [held(reply) for reply in probe] == [HELD, HELD]


def test_a_replay_of_the_trace_gives_all_of_it_back(probe: list[Reply], tmp_path: Path) -> None:
    plan = compiled(TEXT)
    with TraceWriter(tmp_path / "t", plan) as writer:
        first = ask(plan, backend(), listeners=[writer])
    again = replay(read(tmp_path / "t"))
    assert [held(reply) for reply in probe] == [HELD, HELD]
    assert again[0].best is not None
    assert first.best is not None
    assert again[0].best.scores == first.best.scores == {"calls": 1.0}
    edited = replay(read(tmp_path / "t"), [Edit("probed", (), "43")])
    assert (probe[-1].text, held(probe[-1])["calls"]) == ("43", ())
    assert edited[0].best is not None
    assert edited[0].best.scores == {"calls": 0.0}


class Broken(Scripted):
    """Fails once after some pieces."""

    failed = False

    async def generate(self, request: Request) -> AsyncIterator[Piece]:  # type: ignore[override]
        if request.tools and not self.failed:
            self.failed = True
            yield Piece(0, "not", reasoning="Not ", calls=(ToolCall("c0", "weather", ""),))
            raise ServerFailed("broken off")
        async for piece in super().generate(request):
            yield piece


def test_nothing_of_a_failed_attempt_is_left(probe: list[Reply]) -> None:
    ask(compiled(TEXT), Broken(lambda r, d: EVERYTHING if r.tools else "41"))
    assert [held(reply) for reply in probe] == [HELD]


def test_pieces_of_several_draws_are_gathered_apart() -> None:
    gathered = Gathered()
    gathered.take(Piece(0, reasoning="a", prompt_logprobs=TOKENS))
    gathered.take(Piece(1, reasoning="x", logprobs=TOKENS[:1]))
    gathered.take(Piece(0, reasoning="b", values=(1.0,)))
    gathered.take(Piece(1, logprobs=TOKENS[1:]))
    assert gathered.end(1) == {"reasoning": "x", "logprobs": TOKENS, "prompt_logprobs": TOKENS}
    assert gathered.end(0) == {"reasoning": "ab", "prompt_logprobs": TOKENS, "values": (1.0,)}
    assert gathered.end(2) == {"prompt_logprobs": TOKENS}


LOGS = st.floats(max_value=0, allow_nan=False)
LISTED = st.lists(
    st.builds(
        TokenLogprob,
        st.text(max_size=2),
        LOGS,
        st.lists(st.tuples(st.text(max_size=2), LOGS), max_size=2).map(tuple),
    ),
    max_size=2,
).map(tuple)


@given(st.text(max_size=3), LISTED, LISTED, st.lists(st.floats(-9, 9), max_size=3).map(tuple))
def test_what_is_written_down_is_read_back(
    reasoning: str,
    logprobs: tuple[TokenLogprob, ...],
    prompt: tuple[TokenLogprob, ...],
    values: tuple[float, ...],
) -> None:
    script = Script("", reasoning=reasoning, logprobs=logprobs, prompt_logprobs=prompt)
    script = replace(script, values=values)
    assert replace(Script(), **loaded(dumped(script))) == script


JUDGED = """\
name: p
answer: number
models:
  m: {model: scripted/x, retries: 0, options: {offers: [%s]}%s}
  spare: {model: scripted/y, retries: 0, options: {offers: []}}
steps:
  drafts: {op: generate, model: m}
  checked: {op: verify, model: m}
"""
RIGHT = '{"reason": "so", "verdict": "right"}'


def judged(offers: str, fallback: str = "") -> tuple[Result, Scripted, Scripted]:
    names = frozenset(Capability(name) for name in offers.split(", ") if name)

    def said(request: Request, draw: Draw) -> str | Script:
        if request.purpose.role == "solve":
            return "42"
        return Script(fault=ServerFailed("down")) if fallback else RIGHT

    asked = Scripted(said, keep=True, offers=names)
    spare = Scripted(lambda r, d: RIGHT, keep=True, offers=frozenset())
    with Pipeline(
        compiled(JUDGED % (offers, fallback)), backends={"m": asked, "spare": spare}
    ) as pipe:
        return pipe("What is 6 * 7?"), asked, spare


def test_a_schema_goes_to_those_alone_who_offer_to_keep_it() -> None:
    result, asked, _ = judged("guided_json")
    assert asked.log.seen[1].schema is not None
    assert [e for e in result.trace if e.what == "without"] == []

    result, asked, _ = judged("")
    assert asked.log.seen[1].schema is None
    assert result.best is not None
    assert result.best.scores == {"verify": 1.0}
    (told,) = [e for e in result.trace if e.what == "without"]
    assert (told.step, dict(told.data)) == (
        "",
        {
            "step": "checked",
            "model": "m",
            "capability": "guided_json",
            "instead": "replies are parsed, with one repair turn",
        },
    )
    assert result.trace.index(told) == 1


def test_who_is_asked_instead_is_spared_what_it_does_not_offer() -> None:
    result, asked, spare = judged("guided_json", ", fallback: [spare]")
    assert asked.log.seen[1].schema is not None
    assert spare.log.seen[0].schema is None
    assert result.best is not None
    assert result.best.scores == {"verify": 1.0}


def test_what_nobody_can_do_without_is_refused(probe: list[Reply]) -> None:
    asked = Scripted(lambda r, d: "41", offers=frozenset({Capability.LOGPROBS}))
    with pytest.raises(StepFailed) as caught:
        ask(compiled(TEXT), asked)
    assert isinstance(caught.value.__cause__, BadRequest)
    assert "does not offer prompt_logprobs, tools" in str(caught.value)


BOUND = """\
name: p
answer: number
models:
  m: {model: scripted/x, max_tokens: 100, thinking: 50}
  rm: {model: scripted/rm}
budget: {tokens: %d}
steps:
  drafts: {op: generate, model: m}
  scored: {op: score, model: rm, by: reward}
"""


def test_a_reward_has_no_completion_and_reasoning_counts_beside_the_text() -> None:
    plan = compiled(BOUND % 100_000)
    assert plan.costs["drafts"].completion == Amount(1, 150)
    assert plan.costs["scored"].completion == Amount(0, 0)
    asked = Request("m", (), Purpose("solve", ""), (Draw(0, 0, 0),), 100, thinking=50)
    assert (asked.most, replace(asked, wants="reward").most) == (150, 0)
    models = {"m": Scripted(lambda r, d: "42"), "rm": Scripted(lambda r, d: Script(values=(2.5,)))}
    with Pipeline(plan, backends=models) as pipe:
        result = pipe("What is 6 * 7?")
    assert result.best is not None
    assert result.best.scores == {"reward": 2.5}
    assert result.best.usage.completion_tokens == 1


def test_what_yaml_scripts_say_beside_a_text() -> None:
    text = """\
name: p
answer: number
models:
  m:
    model: scripted/x
    options:
      replies:
        - {role: solve, texts: [{text: "42", logprobs: [["42", -0.5, {"42": -0.5}]]}, "41"]}
        - {role: score, texts: [{values: [1.5]}, {values: [0.5]}]}
steps:
  drafts: {op: generate, n: 1, logprobs: true}
  scored: {op: score, by: reward}
"""

    async def main() -> Result:
        async with asyncio.timeout(5):
            pipe = Pipeline(compiled(text))
            try:
                return await pipe.acall("What is 6 * 7?")
            finally:
                await pipe.aclose()

    best = asyncio.run(main()).best
    assert best is not None
    assert best.scores == {
        "logprob": -0.5,
        "logprob_mean": -0.5,
        "probability_mean": pytest.approx(0.6065306597126334),
        "reward": 1.5,
    }


def test_a_run_that_a_cache_answered_is_replayed(probe: list[Reply], tmp_path: Path) -> None:
    plan = compiled(TEXT)
    for _ in range(2):
        cache = Cache(tmp_path / "c")
        with TraceWriter(tmp_path / "t", plan) as writer:
            kept = ask(plan, backend(), cache=cache, listeners=[writer])
        cache.close()
    assert kept.usage.hits == 2
    (again,) = replay(read(tmp_path / "t"))
    assert (again.text, again.usage.tokens, again.usage.usd) == (kept.text, 0, 0.0)
    assert held(probe[-1]) == HELD
    (edited,) = replay(read(tmp_path / "t"), [Edit("drafts", (), "17")])
    assert edited.text == "17"
