"""Pipelines made out of the winner's text: with less in it, and plain ones at the same price."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from ..compiler.space.text import yaml_text

__all__ = ["baselines", "reductions"]


def reductions(text: str) -> Iterator[tuple[str, str]]:
    """What could be taken away, in words, and the pipeline without it: each step but sources and
    the last, and half the draws of each that draws several."""
    whole = yaml.safe_load(text)
    steps = whole["steps"]
    names = list(steps)
    for place, name in enumerate(names):
        step = steps[name]
        count = step.get("n")
        if isinstance(count, int) and count > 1:
            halved = {**steps, name: {**step, "n": count // 2}}
            yield f"{name}: n {count} → {count // 2}", yaml_text({**whole, "steps": halved})
        if 0 < place < len(names) - 1 and step.get("op") not in ("generate", "ensemble"):
            yield f"without {name}", yaml_text({**whole, "steps": _without(steps, name)})


def _without(steps: Mapping[str, Any], gone: str) -> Mapping[str, Any]:
    """The steps but for one; who read it reads what it read."""
    names = list(steps)
    before = steps[gone].get("from", names[names.index(gone) - 1])
    fed = before if isinstance(before, list) else [before]
    made = {}
    for name, step in steps.items():
        if name == gone:
            continue
        read = step.get("from")
        if read is None:
            previous = names[names.index(name) - 1] if names.index(name) else None
            made[name] = {**step, "from": _plain(fed)} if previous == gone else step
        else:
            listed = read if isinstance(read, list) else [read]
            rewired = [one for r in listed for one in (fed if r == gone else [r])]
            made[name] = {**step, "from": _plain(list(dict.fromkeys(rewired)))}
        if step.get("op") == "vote" and steps[gone].get("op") == step.get("weight"):
            made[name] = {key: value for key, value in made[name].items() if key != "weight"}
    return made


def _plain(fed: list[str]) -> str | list[str]:
    return fed[0] if len(fed) == 1 else fed


def baselines(text: str, calls: float) -> Iterator[tuple[str, str]]:
    """Plain pipelines with the winner's models and its first step's parameters, at no more calls: a
    single call, a plurality, and the best of several by a verifier."""
    whole = yaml.safe_load(text)
    source = _source(whole["steps"])
    judge = next(
        (s["model"] for s in whole["steps"].values() if s.get("op") == "verify" and "model" in s),
        source.get("model"),
    )
    most, half = max(1, int(calls + 1e-9)), max(1, int(calls / 2 + 1e-9))
    kept = {k: v for k, v in whole.items() if k not in ("steps", "output", "budgets", "about")}

    def made(name: str, steps: Mapping[str, Any]) -> tuple[str, str]:
        return name, yaml_text({**kept, "steps": steps})

    yield made("single call", {"answer": {**source, "n": 1}})
    if most > 1:
        drafts = {**source, "n": most}
        yield made(f"plurality of {most}", {"drafts": drafts, "answer": {"op": "vote"}})
    if half > 1:
        checked = {"op": "verify"} | ({"model": judge} if judge else {})
        best = {"op": "select", "by": "verify", "otherwise": "first"}
        yield made(
            f"best of {half}",
            {"drafts": {**source, "n": half}, "checked": checked, "answer": best},
        )


def _source(steps: Mapping[str, Any]) -> dict[str, Any]:
    """The first drawing step, as one that draws from one model."""
    for step in steps.values():
        if step.get("op") == "generate":
            return {k: v for k, v in step.items() if k in ("op", "model", "temperature", "prompt")}
        if step.get("op") == "ensemble" and step.get("members"):
            member = step["members"][0]
            model = member.get("model") if isinstance(member, dict) else member
            return {"op": "generate", "model": model}
    return {"op": "generate"}
