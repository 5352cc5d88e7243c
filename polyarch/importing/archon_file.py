"""Reading an Archon configuration: its layers of components, checked, each with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..compiler.errors import Fault, SpecError
from ..compiler.names import nearest
from .endpoints import Endpoint, endpoint
from .json_text import JsonText, Path, told

__all__ = ["PAIRRM", "Component", "Configuration", "Notes", "read"]

PAIRRM = "llm-blender/PairRM"
"""The one ranker of Archon's that is no chat model."""

_SHARED = frozenset(
    {"type", "model", "model_type", "temperature", "max_tokens", "base_url", "api_base"}
)
_READ: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "generator": frozenset({"samples"}),
        "fuser": frozenset({"samples", "length_control"}),
        "critic": frozenset[str](),
        "ranker": frozenset({"top_k"}),
        "verifier": frozenset({"first_k"}),
        "unit_test_generator": frozenset({"unit_test_cap"}),
        "unit_test_evaluator": frozenset({"top_k", "first_k", "first_pass"}),
    }
)
_DEAD: Mapping[str, str] = MappingProxyType(
    {
        "top_k": "Archon reads top_k of a ranker and of a unit_test_evaluator alone",
        "samples": "Archon takes the first reply alone",
        "use_critiques": "Archon no longer reads use_critiques",
        "ranker_batch_size": "ranker_batch_size is for PairRM's own program",
        "remove_unit_tests_from_prompt": "tests are never put into the question here",
        "remove_unit_test_from_prompt": "tests are never put into the question here",
        "unit_test_cap": "the unit_test_generator's own counts",
        "no_system": "nothing adds a system message here",
        "length_control": "Archon reads length_control of a fuser alone",
        "first_k": "Archon reads first_k of a verifier and of a unit_test_evaluator alone",
        "first_pass": "Archon reads first_pass of a unit_test_evaluator alone",
        "top_k_generations": "Archon no longer reads top_k_generations",
        "branches": "Archon no longer reads branches",
    }
)
_WHOLE = {"max_tokens": None, "samples": None, "top_k": None, "first_k": None, "unit_test_cap": 256}
_FLAGS = ("length_control", "first_pass", "no_system", "use_critiques")
_BARE = frozenset({"o1-preview-2024-09-12", "o1-mini-2024-09-12"})
"""Models that Archon sends neither temperature nor max_tokens."""


@dataclass(frozen=True, slots=True)
class Component:
    """One component of a layer."""

    kind: str
    path: Path
    endpoint: Endpoint
    temperature: float | None = None
    max_tokens: int | None = None
    samples: int = 1
    top_k: int | None = None
    first_k: int | None = None
    tests: int | None = None
    length_control: bool = False
    pairs: bool = False
    """Whether it is PairRM."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration: its name, and components by layer."""

    name: str
    layers: tuple[tuple[Component, ...], ...]


@dataclass
class Notes:
    """What is said of an import; the same of several places is said once."""

    _places: dict[str, list[str]] = field(default_factory=dict)

    def add(self, message: str, path: Path) -> None:
        """Say it of a place."""
        self._places.setdefault(message, []).append(told(path))

    def lines(self) -> tuple[str, ...]:
        """All of it, in the order it was first said."""
        return tuple(f"{', '.join(at)}: {message}" for message, at in self._places.items())


def read(source: JsonText, notes: Notes) -> Configuration:
    """The configuration. Raises `SpecError` with all that is wrong with it."""
    reader = _Reader(source, notes)
    made = reader.configuration()
    if reader.faults:
        raise SpecError(reader.faults)
    return made


class _Reader:
    def __init__(self, source: JsonText, notes: Notes) -> None:
        self._source = source
        self._notes = notes
        self.faults: list[Fault] = []

    def configuration(self) -> Configuration:
        whole = self._source.value
        if not isinstance(whole, dict) or "layers" not in whole:
            self._fault((), 'a configuration is an object with "layers"')
            return Configuration("", ())
        self._strays(whole, (), {"name", "layers", "custom"})
        if whole.get("custom"):
            self._notes.add(
                "custom components and generators are Python code, which is not read", ("custom",)
            )
        name = whole.get("name", "archon")
        if not isinstance(name, str):
            self._fault(("name",), "the name is a text")
            name = ""
        layers = tuple(self._layers(whole["layers"]))
        return Configuration(name, layers)

    def _layers(self, value: Any) -> Iterator[tuple[Component, ...]]:
        if not isinstance(value, list) or not value:
            self._fault(("layers",), "a list of layers, at least one")
            return
        for number, layer in enumerate(value):
            yield tuple(self._layer(layer, ("layers", number)))

    def _layer(self, value: Any, path: Path) -> Iterator[Component]:
        """The components of a layer: a list, or the older form `{"models": […]}`."""
        if isinstance(value, dict) and "models" in value:
            self._strays(value, path, {"models"})
            path, value = (*path, "models"), value["models"]
        if not isinstance(value, list) or not value:
            self._fault(path, 'a layer is a list of components, or {"models": […]}')
            return
        for number, inner in enumerate(value):
            if (made := self._component(inner, (*path, number))) is not None:
                yield made

    def _component(self, value: Any, path: Path) -> Component | None:
        if not isinstance(value, dict):
            self._fault(path, "a component is an object with type, model and model_type")
            return None
        value = {key: inner for key, inner in value.items() if inner is not None}
        kind = value.get("type")
        if kind not in _READ if isinstance(kind, str) else True:
            self._wrong_kind(kind, path)
            return None
        assert isinstance(kind, str)
        self._unread(value, path, kind)
        asked = self._endpoint(value, path)
        if asked is None:
            return None
        return self._made(kind, path, asked, value)

    def _made(self, kind: str, path: Path, asked: Endpoint, value: dict[str, Any]) -> Component:
        number = {name: self._whole(value, name, path, most) for name, most in _WHOLE.items()}
        flags = {name: self._flag(value, name, path) for name in _FLAGS}
        first = number["first_k"]
        if kind == "unit_test_evaluator" and first is None and flags["first_pass"]:
            first = 1
        bare = value["model_type"] == "OpenAI_API" and value["model"] in _BARE
        if bare and value.keys() & {"temperature", "max_tokens"}:
            self._notes.add("this model takes neither temperature nor max_tokens", path)
        return Component(
            kind,
            path,
            asked,
            None if bare else self._temperature(value, path),
            None if bare else number["max_tokens"],
            samples=(number["samples"] or 1) if kind in ("generator", "fuser") else 1,
            top_k=number["top_k"],
            first_k=first,
            tests=number["unit_test_cap"],
            length_control=flags["length_control"],
            pairs=kind == "ranker" and value["model"] == PAIRRM,
        )

    def _endpoint(self, value: dict[str, Any], path: Path) -> Endpoint | None:
        sound = True
        for key in ("model", "model_type"):
            if not isinstance(value.get(key), str) or not value[key].strip():
                at = (*path, key) if key in value else path
                self._fault(at, f"a component wants {key}, a text")
                sound = False
        key = "base_url" if "base_url" in value else "api_base"
        url = value.get(key)
        if url is not None and not isinstance(url, str):
            self._fault((*path, key), "an address is a text")
            sound = False
        if not sound:
            return None
        try:
            made = endpoint(value["model_type"], value["model"], url)
        except ValueError as error:
            self._fault((*path, "model" if url is None else key), f"the server {error}")
            return None
        if made.note:
            self._notes.add(made.note, path)
        self._sent_otherwise(value, path)
        return made

    def _sent_otherwise(self, value: dict[str, Any], path: Path) -> None:
        """Say where Archon's code sends something else than is written."""
        if value["model_type"] == "Anthropic_API" and value.get("max_tokens", 4096) != 4096:
            self._notes.add(
                "Archon's code sends Anthropic max_tokens 4096 whatever is written; here it is as "
                "written",
                path,
            )
        if value["model_type"] == "Bedrock_API" and value.keys() & {"temperature", "max_tokens"}:
            self._notes.add(
                "Archon's code sends Bedrock neither temperature nor max_tokens; here they are as "
                "written",
                path,
            )

    def _wrong_kind(self, kind: Any, path: Path) -> None:
        at = (*path, "type")
        if kind is None:
            self._fault(path, f"a component wants a type: {', '.join(_READ)}")
        elif not isinstance(kind, str):
            self._fault(at, "a type is a text")
        else:
            hint = f"{nearest(kind, _READ)}; custom components are Python code"
            self._fault(at, f"unknown type {kind!r}", hint)

    def _unread(self, value: Mapping[str, Any], path: Path, kind: str) -> None:
        """Say what of a component is left out."""
        for key in value:
            if key in _SHARED or key in _READ[kind] or (key == "samples" and value[key] == 1):
                continue
            if key in _DEAD:
                self._notes.add(f"{key} is left out: {_DEAD[key]}", path)
            else:
                self._notes.add(f"{key} is left out: it is no key that Archon reads", path)

    def _strays(self, value: Mapping[str, Any], path: Path, read: set[str]) -> None:
        for key in value:
            if key not in read:
                why = _DEAD.get(key, "it is no key that Archon reads")
                self._notes.add(f"{key} is left out: {why}", path)

    def _whole(self, value: dict[str, Any], key: str, path: Path, most: int | None) -> int | None:
        given = value.get(key)
        if given is None:
            return None
        if isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= (most or given):
            return given
        bound = "" if most is None else f" and at most {most}"
        self._fault((*path, key), f"a whole number, at least 1{bound}")
        return None

    def _temperature(self, value: dict[str, Any], path: Path) -> float | None:
        given = value.get("temperature")
        if given is None:
            return None
        if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given <= 5:
            return given
        self._fault((*path, "temperature"), "a number from 0 to 5")
        return None

    def _flag(self, value: dict[str, Any], key: str, path: Path) -> bool:
        given = value.get(key, False)
        if not isinstance(given, bool):
            self._fault((*path, key), "true or false")
            return False
        return given

    def _fault(self, path: Path, message: str, hint: str = "") -> None:
        self.faults.append(self._source.fault(path, message, hint))
