"""What to say when models do not fit: what is needed by part, what there is, and what would fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from ..errors import PlanRefused
from .assumed import LIMIT
from .engine import Engine
from .fleet import Fleet
from .gpu import GB
from .memory import need
from .site import Site

__all__ = ["refusal"]

_GROWN = (2, 4, 8, 16)
_MOST = 64
"""GPUs beyond which no larger fleet is tried."""


def refusal(site: Site, at_once: int | None) -> PlanRefused:
    """The error for a site that cannot hold its models with so many questions at once, or with any
    number."""
    lines = [
        f"the models of {site.plan.graph.name} do not fit on {site.fleet}: {_there(site.fleet)}"
    ]
    lines += [f"  {_told(engine, at_once or 1)}" for engine in site.engines]
    wanted = list(_would(site, at_once))
    lines.append("  would fit: " + ("; ".join(wanted) if wanted else "nothing near that was tried"))
    return PlanRefused("\n".join(lines))


def _there(fleet: Fleet) -> str:
    kinds = {group.gpu.name: group.gpu.memory for group in fleet.gpus}
    usable = [f"{m * LIMIT / 1000:.1f} of {m:g} GB of each {name}" for name, m in kinds.items()]
    return "engines may use " + ", ".join(usable)


def _told(engine: Engine, questions: int) -> str:
    draws = engine.at_once(questions)
    parts = need(engine, 1, draws)
    return (
        f"{engine.name} ({engine.spec.model}) needs {parts.total / GB:.1f} GB: weights "
        f"{parts.weights / GB:.1f}, cache {parts.cache / GB:.1f} ({draws} at once of "
        f"{engine.longest:,} tokens), activations {parts.activations / GB:.1f}, engine "
        f"{parts.engine / GB:.1f} for each GPU"
    )


def _would(site: Site, at_once: int | None) -> Iterator[str]:
    """What would fit, of what can be changed."""
    if at_once is not None and at_once > 1 and _fits(site, 1):
        yield "fewer questions at once"
    elif fewer := _fewer(site, at_once):
        yield f"at most {fewer} at once of each model (`concurrency: {fewer}`, `max_draws: 1`)"
    for quantization in ("fp8", "int4"):
        smaller = replace(site, engines=tuple(_in(e, quantization) for e in site.engines))
        if smaller.engines != site.engines and _fits(smaller, at_once):
            yield f"weights in {quantization}"
            break
    if site.batch is None and _fits(replace(site, batch=1), at_once):
        yield "models that take turns over a batch (`--batch`)"
    yield from _more(site, at_once)


def _more(site: Site, at_once: int | None) -> Iterator[str]:
    """The fewest more GPUs, of one of the kinds there are."""
    for times in _GROWN:
        for place, group in enumerate(site.fleet.gpus):
            grown = group.model_copy(update={"count": group.count * times})
            gpus = (*site.fleet.gpus[:place], grown, *site.fleet.gpus[place + 1 :])
            if sum(g.count for g in gpus) > _MOST:
                continue
            larger = Fleet(gpus=gpus, memory=site.fleet.memory, disk=site.fleet.disk)
            if _fits(replace(site, fleet=larger), at_once):
                yield str(larger)
                return


def _fewer(site: Site, at_once: int | None) -> int | None:
    """How many draws of each model at once would fit, if any number does."""
    low, high = 0, max(engine.at_once(at_once or 1) for engine in site.engines) - 1
    while low < high:
        middle = (low + high + 1) // 2
        capped = tuple(replace(e, most=min(e.most, middle)) for e in site.engines)
        if _fits(replace(site, engines=capped), at_once):
            low = middle
        else:
            high = middle - 1
    return low or None


def _in(engine: Engine, quantization: Literal["fp8", "int4"]) -> Engine:
    if engine.shape.quantization is not None:
        return engine
    change = {"quantization": quantization, "measured": None}
    return replace(engine, shape=engine.shape.model_copy(update=change))


def _fits(site: Site, at_once: int | None) -> bool:
    if at_once is None:
        site, at_once = site.capped([1] * len(site.engines)), 1
    return (site.all(at_once) or site.in_turns(at_once)) is not None
