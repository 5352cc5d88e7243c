"""Runs of pipelines in virtual time, on scripted backends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from random import Random

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.build import build
from polyarch.compiler.plan import Plan, plan
from polyarch.compiler.source import parse
from polyarch.runtime.events import Listener
from polyarch.runtime.result import Result
from polyarch.runtime.session import Session
from polyarch.runtime.virtual import run

Latency = float | Callable[[Request, Draw], float]


def compiled(text: str, folder: Path = Path()) -> Plan:
    """The plan of a pipeline."""
    return plan(build(parse(text, "test.yaml"), folder))


def simulate(
    made: Plan,
    backends: Mapping[str, Scripted],
    *,
    seed: int = 0,
    question: str = "What is 2 + 2?",
    id: str = "q",
    listeners: Iterable[Listener] = (),
) -> Result:
    """Answer one question in virtual time; nothing may be left running, whatever happened."""

    async def main() -> Result:
        session = Session(made, backends=backends, listeners=listeners)
        try:
            return await session.ask(question, seed=seed, id=id)
        finally:
            await session.aclose()
            assert asyncio.all_tasks() == {asyncio.current_task()}
            for backend in backends.values():
                assert backend.log.under_way == 0

    return run(main())


def solo(
    text: str,
    reply: Callable[[Request, Draw], str | Script],
    latency: Latency = 0.0,
    *,
    seed: int = 0,
    keep: bool = False,
) -> tuple[Result, Scripted]:
    """Answer with a pipeline of one model, `m`."""
    backend = Scripted(reply, latency=latency, keep=keep)
    return simulate(compiled(text), {"m": backend}, seed=seed), backend


def judge(request: Request, draw: Draw, *, answers: int = 3) -> str:
    """A model that can play every role, well or badly, from the draw's seed alone."""
    dice = Random(draw.seed)
    match request.purpose.role:
        case "verify":
            verdict = dice.choice(["right", "wrong"])
            text = json.dumps({"reason": "so", "verdict": verdict})
        case "critique_all":
            shown = range(1, len(request.purpose.shown) + 1)
            told = [{"candidate": n, "critique": f"no {n} {dice.random()}"} for n in shown]
            text = json.dumps({"critiques": told})
        case "critique":
            text = json.dumps({"critique": f"hm {dice.random()}"})
        case "rank":
            order = list(range(1, len(request.purpose.shown) + 1))
            dice.shuffle(order)
            text = json.dumps({"ranking": order})
        case "compare":
            better = dice.choice(["first", "second", "tie"])
            text = json.dumps({"reason": "so", "better": better})
        case "score":
            text = json.dumps({"reason": "so", "score": dice.randint(0, 10)})
        case _:
            text = f"so the answer is {dice.randrange(answers)}"
    # One reply in eight cannot be read.
    return text if dice.random() > 1 / 8 else "I would rather not say"


def steady(request: Request, draw: Draw) -> str:
    """A model whose answers are all 4 and whose verdicts are all right."""
    match request.purpose.role:
        case "verify":
            return '{"reason": "so", "verdict": "right"}'
        case "critique":
            return '{"critique": "fine"}'
        case "rank":
            return json.dumps({"ranking": list(range(1, len(request.purpose.shown) + 1))})
        case _:
            return "the answer is 4"


def jitter(seed: int, longest: float = 5.0) -> Callable[[Request, Draw], float]:
    """Latencies that look random and depend on seed, step and draw alone."""

    def latency(request: Request, draw: Draw) -> float:
        # Whole steps of a quarter, so that many end at the same instant.
        key = f"{seed} {request.step} {draw.seed} {request.turn}"
        return Random(key).randrange(int(4 * longest)) / 4

    return latency


def random_limits(dice: Random) -> str:
    """Some limits of a step, or of several."""
    limits = [
        ("calls", dice.randint(3, 40)),
        ("tokens", dice.randint(200, 5000)),
        ("usd", dice.randint(1, 20) / 1000),
        ("seconds", dice.randint(1, 12)),
        ("on_budget", dice.choice(["best", "best", "fail"])),
    ]
    units = dice.sample(limits[:4], k=dice.randint(1, 2)) + limits[4 : dice.randint(4, 5)]
    return ", ".join(f"{unit}: {limit}" for unit, limit in units)


_TURN = ("critique", "refine", "verify")
_UNTIL = ("{score: verify, at_least: 1, every: true}", "{agree: 0.6}", "{unchanged: true}")


def random_pipeline(dice: Random, budget: str = "", *, limits: Random | None = None) -> str:
    """A pipeline of two models with one to three layers that decides in the end.

    With `limits`, some of its steps have budgets drawn from it: their own, shares, or one that is
    called `together`.
    """
    steps: list[str] = []

    def limited(kind: str, arguments: dict[str, object]) -> str:
        if limits is None or (kind != "generate" and "model" not in arguments):
            return ""
        own = f"{{{random_limits(limits)}}}"
        share = f"{{share: {limits.randint(2, 9) / 10}}}" if budget else own
        given = limits.choice(["", own, share, "together", "together"])
        return f", budget: {given}" if given else ""

    def step(kind: str, **arguments: object) -> str:
        name = f"s{len(steps)}"
        told = "".join(f", {key}: {value}" for key, value in arguments.items())
        told += limited(kind, arguments)
        steps.append(f"  {name}: {{op: {kind}{told}}}")
        return name

    def model() -> str:
        return dice.choice(["m", "o"])

    last = [step("generate", model=model(), n=dice.randint(2, 9))]
    if dice.random() < 0.5:
        members = f"[{model()}, {{model: {model()}, n: {dice.randint(1, 4)}}}]"
        last.append(step("ensemble", members=members, n=dice.randint(1, 4)))
    for _ in range(dice.randint(0, 3)):
        read = f"[{', '.join(last)}]"
        kinds = ["verify", "keep", "critique", "refine", "all", "rank", "fuse"]
        match dice.choice([*kinds, "loop", "cascade"]):
            case "loop":
                until = dice.choice(_UNTIL)
                inside = ", ".join(f"{op}: {{op: {op}, model: {model()}}}" for op in _TURN)
                told = {"steps": f"{{{inside}}}", "until": until, "times": dice.randint(1, 3)}
                made = step("loop", **told, **{"from": read})
            case "cascade":
                first = f"{{op: generate, model: {model()}, n: {dice.randint(1, 3)}}}"
                stages = f"{{one: {first}, two: {{op: refine, model: {model()}}}}}"
                made = step("cascade", stages=stages, accept="{agree: 0.6}", **{"from": read})
            case "verify":
                made = step("verify", model=model(), votes=dice.randint(1, 3), **{"from": read})
            case "keep":
                made = step("verify", model=model(), keep_at=0.1, **{"from": read})
            case "critique":
                made = step("critique", model=model(), **{"from": read})
            case "refine":
                made = step("refine", model=model(), **{"from": read})
            case "all":
                made = step("critique_all", model=model(), **{"from": read})
            case "rank":
                method = dice.choice(["listwise", "pairwise", "pointwise"])
                made = step("rank", model=model(), method=method, keep=2, **{"from": read})
            case _:
                made = step("fuse", model=model(), n=dice.randint(2, 4), **{"from": read})
        last = [made, last[0]] if dice.random() < 0.3 else [made]
    read = f"[{', '.join(last)}]"
    match dice.choice(["vote", "exact", "sure", "first", "rank"]):
        case "vote":
            step("vote", **{"from": read})
        case "exact":
            step("vote", stop_at="exact", ahead=dice.randint(1, 5), **{"from": read})
        case "sure":
            step("vote", stop_at=0.8, ahead=dice.randint(1, 5), **{"from": read})
        case "first":
            step("select", by="first", **{"from": read})
        case _:
            step("rank", model=model(), **{"from": read})
    widths = [dice.choice([1, 2, 64]), dice.choice([1, 3, 64])]
    shared = limits is not None and any("budget: together" in one for one in steps)
    budgets = f"{{together: {{{random_limits(limits)}}}}}" if limits and shared else "{}"
    return f"""\
name: p
answer: number
budget: {{{budget}}}
budgets: {budgets}
models:
  m: {{model: scripted/x, concurrency: {widths[0]}, max_draws: {widths[1]}, max_tokens: 40,
      price: {{prompt: 2, completion: 7}}}}
  o: {{model: scripted/y, concurrency: {widths[1]}, max_tokens: 40,
      price: {{prompt: 1, completion: 3}}}}
steps:
""" + "\n".join(steps)
