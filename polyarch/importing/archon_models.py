"""The models of an Archon configuration, each named once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .archon_file import Component
from .endpoints import Endpoint
from .imported import slug, unused

__all__ = ["Models"]

_ASKED = ("temperature", "max_tokens")


class Models:
    """Names for the models of components. What all uses of one agree on stands with the model, the
    rest with each step."""

    def __init__(self, components: Iterable[Component]) -> None:
        self._uses: list[tuple[Endpoint, str, list[Component]]] = []
        self._named: set[str] = set()
        for component in components:
            if not component.pairs:
                self._uses_of(component.endpoint)[2].append(component)

    def _uses_of(self, asked: Endpoint) -> tuple[Endpoint, str, list[Component]]:
        for use in self._uses:
            if (use[0].model, use[0].options) == (asked.model, asked.options):
                return use
        name = slug(asked.model.rpartition("/")[2], "model")
        made = (asked, unused(name, {name for _, name, _ in self._uses}), list[Component]())
        self._uses.append(made)
        return made

    def entries(self) -> Mapping[str, Any]:
        """What stands under `models:`: those that a step was given."""
        made: dict[str, Any] = {}
        for asked, name, components in self._uses:
            if name not in self._named:
                continue
            entry: dict[str, Any] = {"model": asked.model, **_shared(components)}
            if asked.options:
                entry["options"] = dict(asked.options)
            made[name] = entry if len(entry) > 1 else asked.model
        return made

    def name(self, component: Component) -> str:
        """The name of a component's model, for a step."""
        name = self._uses_of(component.endpoint)[1]
        self._named.add(name)
        return name

    def asking(self, component: Component, *, whole: bool = False) -> dict[str, Any]:
        """The arguments that ask a component's model; all of them if `whole`."""
        name, components = self.name(component), self._uses_of(component.endpoint)[2]
        shared = {} if whole else _shared(components)
        own = {key: getattr(component, key) for key in _ASKED if key not in shared}
        return {"model": name, **{key: value for key, value in own.items() if value is not None}}


def _shared(components: list[Component]) -> dict[str, Any]:
    """What all of them ask with."""
    made = {}
    for key in _ASKED:
        values = {getattr(component, key) for component in components}
        if len(values) == 1 and None not in values:
            made[key] = values.pop()
    return made
