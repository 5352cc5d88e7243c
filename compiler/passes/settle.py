"""Write down every default: model, sampling parameters, bounds on completions.

Preserves exactly the requests: what was left out would have been taken from the same places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..graph import Graph
from ..model import ModelInfo
from ..op import Asking
from ..registry import model_info
from ..spec import ModelSpec

__all__ = ["settle"]


def settle(graph: Graph) -> Graph:
    """Settle each asking operator's arguments: its own, else its model's entry, else the backend's
    own defaults, else the library's."""
    infos = {name: model_info(spec) for name, spec in graph.models.items()}
    nodes = []
    for node in graph.nodes.values():
        askings = node.op.askings()
        if askings:
            settled = tuple(_settled(asking, graph.models, infos) for asking in askings)
            node = replace(node, op=node.op.with_askings(settled))
        nodes.append(node)
    return graph.with_nodes(nodes)


def _settled(
    asking: Asking, models: Mapping[str, ModelSpec], infos: Mapping[str, ModelInfo]
) -> Asking:
    name = asking.model or next(iter(models))
    spec, info = models[name], infos[name]
    update: dict[str, Any] = {"model": name}
    for key, otherwise in _OTHERWISE.items():
        if getattr(asking, key) is None:
            written = getattr(spec, key)
            default = info.parameters.get(key, otherwise)
            update[key] = default if written is None else written
    if asking.max_tokens is None:
        update["max_tokens"] = spec.max_tokens or info.max_tokens
    if asking.thinking is None and spec.thinking is not None:
        update["thinking"] = spec.thinking
    if not asking.stop and spec.stop:
        update["stop"] = spec.stop
    return asking.model_copy(update=update)


_OTHERWISE: Mapping[str, float] = {"temperature": 1.0, "top_p": 1.0, "top_k": 0}
"""Sampling from the model as it is."""
