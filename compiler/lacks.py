"""What the steps of a plan would use, and their models do not offer: the fallbacks of a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .graph import Graph
from .model import Capability
from .registry import model_info
from .spec import ModelSpec

__all__ = ["Lack", "lacks", "reached"]


@dataclass(frozen=True, slots=True)
class Lack:
    """A step does without something, in words: `instead` says what happens in its place.

    `model` is the name that the pipeline gives the model, `of` is backend/model.
    """

    step: str
    model: str
    of: str
    capability: Capability
    instead: str

    def __str__(self) -> str:
        asked = self.of if self.model == self.of else f"{self.model} ({self.of})"
        return f"step {self.step!r}: {asked} does not offer {self.capability.value}: {self.instead}"


def lacks(graph: Graph) -> tuple[Lack, ...]:
    """What the steps of a settled graph do without, in the order of the graph."""
    return tuple(dict.fromkeys(_lacks(graph)))


def _lacks(graph: Graph) -> Iterator[Lack]:
    for name in graph.order:
        for asking in graph.nodes[name].op.askings():
            preferred = asking.prefers()
            if not preferred:
                continue
            for model in reached(asking.model or "", graph.models):
                spec = graph.models[model]
                offered = model_info(spec).capabilities
                for capability, instead in preferred.items():
                    if capability not in offered:
                        yield Lack(name, model, spec.model, capability, instead)


def reached(model: str, models: Mapping[str, ModelSpec]) -> tuple[str, ...]:
    """A model and those that may be asked in its place, as far as there are such."""
    found = [model]
    for name in found:
        others = models[name].fallback if name in models else ()
        found += [other for other in others if other in models and other not in found]
    return tuple(found)
