"""The engines that a plan needs: one a model, whatever names its pipelines have for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from ..ahead import ahead
from ..op import Each, Source
from ..price import Load
from ..registry import model_info
from ..spec import ModelSpec
from .assumed import PROMPT, TEMPLATE
from .shape import Shape

if TYPE_CHECKING:
    from ..plan import Plan

__all__ = ["Engine", "engines", "identity"]

_BLOCK = 16
"""Tokens in a block of the cache."""
_ADAPTIVE = 256
"""Requests at once where the endpoint decides."""
_ASKING = frozenset(
    {"adapter", "chat_template", "chat_template_kwargs", "seed", "max_tokens", "max_draws"}
)
"""Options that change how an engine is asked, not which one it is."""


@dataclass(frozen=True)
class Engine:
    """A model to be served, by the first of its `entries` in `models:`.

    `longest` tokens are in a prompt and its completion together; `draws` of one question are under
    way at once, and never more than `most` of all questions.
    """

    name: str
    entries: tuple[str, ...]
    spec: ModelSpec
    shape: Shape
    longest: int
    draws: int
    most: int

    def at_once(self, questions: int) -> int:
        """How many draws are under way when so many questions are."""
        return max(1, min(questions * self.draws, self.most))


def identity(spec: ModelSpec) -> str:
    """What entries of `models:` that share an engine have in common."""
    options = {key: value for key, value in spec.options.items() if key not in _ASKING}
    return json.dumps([spec.model, options], sort_keys=True, default=str)


def engines(
    plan: Plan, shapes: Mapping[str, Shape], asked: Mapping[str, tuple[Load, ...]]
) -> tuple[Engine, ...]:
    """The engines for the models that have a shape, in the order of `models:`. Models that no step
    asks are left out, unless one that is asked falls back to them."""
    entries: dict[str, list[str]] = {}
    for name in _needed(plan, asked):
        if name in shapes:
            entries.setdefault(identity(plan.graph.models[name]), []).append(name)
    return tuple(_engine(plan, tuple(names), shapes[names[0]], asked) for names in entries.values())


def _needed(plan: Plan, asked: Mapping[str, tuple[Load, ...]]) -> list[str]:
    named = {load.calls.model for found in asked.values() for load in found}
    models = plan.graph.models
    for name in [*models]:
        if name in named:
            named.update(models[name].fallback)
    return [name for name in models if name in named]


def _engine(
    plan: Plan, names: tuple[str, ...], shape: Shape, asked: Mapping[str, tuple[Load, ...]]
) -> Engine:
    models = plan.graph.models
    served = set(names) | {n for n, spec in models.items() if set(spec.fallback) & set(names)}
    found = list(_asking(plan, served, asked))
    return Engine(
        name=names[0],
        entries=names,
        spec=models[names[0]],
        shape=shape,
        longest=_longest(names, plan, shape, [load for _, load in found]),
        draws=max(1, sum(_together(plan, step, load) for step, load in found)),
        most=sum(_limit(models[name]) for name in names)
        * max((plan.graph.nodes[step].chunk for step, _ in found), default=1),
    )


def _asking(
    plan: Plan, served: set[str], asked: Mapping[str, tuple[Load, ...]]
) -> Iterator[tuple[str, Load]]:
    for step, found in asked.items():
        for load in found:
            if load.calls.model in served:
                yield step, load


def _longest(names: tuple[str, ...], plan: Plan, shape: Shape, found: list[Load]) -> int:
    """Prompt and completion at their longest, in whole blocks, within the model's context."""
    written = [plan.graph.models[name].options.get("max_model_len") for name in names]
    if given := [length for length in written if isinstance(length, int)]:
        return max(given)
    longest = max(
        (
            ceil(PROMPT * load.calls.prompt.high) + TEMPLATE + load.calls.completion.high
            for load in found
        ),
        default=_BLOCK,
    )
    longest = ceil(longest / _BLOCK) * _BLOCK
    return min(longest, shape.context or longest)


def _together(plan: Plan, step: str, load: Load) -> int:
    """How many draws of a step are under way at once, as planned."""
    count = load.calls.count.high
    together = ceil(count / max(1, min(load.calls.depth.high, count)))
    if isinstance(plan.graph.nodes[step].op, Source | Each):
        together = min(together, ahead(plan.graph)[step])
    return together


def _limit(spec: ModelSpec) -> int:
    if spec.concurrency == "adaptive":
        return _ADAPTIVE
    return spec.concurrency or model_info(spec).concurrency
