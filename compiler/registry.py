"""Operators and backends, found by name: a file of that name in `ops/` or `backends/`, or an entry
point of another distribution. A name that both hold is an error."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, cast

from .errors import PolyarchError
from .model import Capability, ModelInfo
from .op import Op
from .spec import ModelSpec
from .values import Json

__all__ = [
    "BackendModule",
    "BrokenPlugin",
    "NameClash",
    "backend",
    "backend_names",
    "model_info",
    "offers",
    "operator",
    "operator_names",
    "settings",
]

_PACKAGE = __name__.rsplit(".", 2)[0]
_NOT_BACKENDS = frozenset({"apart", "base", "likeliest", "prices", "recorded", "settings", "words"})


class NameClash(PolyarchError):
    """Two distributions offer an operator or backend of the same name."""

    code = "name-clash"


class BrokenPlugin(PolyarchError):
    """Another distribution offers an operator or backend that cannot be used."""

    code = "broken-plugin"


class BackendModule(Protocol):
    """What the module of a backend holds."""

    def info(self, model: str, options: Mapping[str, Json]) -> ModelInfo:
        """What the model can do and costs. Starts nothing.

        Raises `BackendError` for a model or options it does not know, `MissingPackage`.
        """

    def open_backend(self, model: str, options: Mapping[str, Json]) -> object:
        """A `Backend` for the model, ready to be asked."""

    # And, if it offers more than a chat: `OFFERS`, the capabilities that all its models have, and
    # `BY_OPTION: Mapping[Capability, str]`, those that have to be asked for, and how. `SETTINGS`,
    # where it runs models itself: see `settings`.


@cache
def operator_names() -> tuple[str, ...]:
    """The names of all operators, sorted."""
    return tuple(sorted(_found("ops")))


@cache
def backend_names() -> tuple[str, ...]:
    """The names of all backends, sorted."""
    return tuple(sorted(_found("backends").keys() - _NOT_BACKENDS))


@cache
def operator(name: str) -> type[Op]:
    """The operator of that name. Raises KeyError if there is none, `BrokenPlugin`."""
    entry = _found("ops")[name]
    if entry is not None:
        found = _loaded(entry)
        if not (isinstance(found, type) and issubclass(found, Op)):
            raise BrokenPlugin(f"{_offered(entry)} is no subclass of Source, Each or All")
        return found
    module = importlib.import_module(f"{_PACKAGE}.ops.{name}")
    return cast(type[Op], getattr(module, "".join(p.title() for p in name.split("_"))))


@cache
def backend(name: str) -> BackendModule:
    """The module of the backend of that name. Raises KeyError if there is none, `BrokenPlugin`."""
    entry = _found("backends")[name]
    if entry is not None:
        found = _loaded(entry)
        if not (hasattr(found, "info") and hasattr(found, "open_backend")):
            raise BrokenPlugin(f"{_offered(entry)} is no module with info and open_backend")
        return cast(BackendModule, found)
    if name in _NOT_BACKENDS:
        raise KeyError(name)
    return cast(BackendModule, importlib.import_module(f"{_PACKAGE}.backends.{name}"))


def _loaded(entry: EntryPoint) -> object:
    try:
        found: object = entry.load()
    except (ImportError, AttributeError, SyntaxError) as error:
        raise BrokenPlugin(f"{_offered(entry)} cannot be loaded: {error}") from error
    return found


def _offered(entry: EntryPoint) -> str:
    """An entry point in words: what it is called, and who offers it."""
    owner = "an unknown package" if entry.dist is None else entry.dist.name
    return f"{entry.name!r}, which {owner} offers as {entry.value},"


@cache
def _found(folder: str) -> Mapping[str, EntryPoint | None]:
    """Every name: None for a file of ours, else the entry point that offers it."""
    package = importlib.import_module(f"{_PACKAGE}.{folder}")
    found: dict[str, EntryPoint | None] = {
        module.name: None
        for module in pkgutil.iter_modules(package.__path__)
        if not module.name.startswith("_")
    }
    for entry in entry_points(group=f"polyarch.{folder}"):
        if entry.name in found:
            raise NameClash(
                f"{entry.name!r} is offered by {entry.value} and by "
                f"{found[entry.name] or 'polyarch itself'}; one of them must be renamed"
            )
        found[entry.name] = entry
    return found


def settings(name: str) -> Mapping[str, tuple[Json, ...]]:
    """What decides how fast the models of a backend are, with values worth trying: its module's
    `SETTINGS`, options by name with dots, and `env.` before variables of the environment."""
    found: Mapping[str, tuple[Json, ...]] = getattr(backend(name), "SETTINGS", {})
    return found


def offers(name: str) -> Mapping[Capability, str]:
    """What models of a backend can offer beyond a chat, each with what has to be written for that,
    or "" for nothing: its module's `OFFERS` and `BY_OPTION`. Nothing where it cannot be imported.
    """
    try:
        module = backend(name)
    except ImportError:
        return {}
    always: frozenset[Capability] = getattr(module, "OFFERS", frozenset())
    asked: Mapping[Capability, str] = getattr(module, "BY_OPTION", {})
    return {**dict.fromkeys(always, ""), **asked}


def model_info(spec: ModelSpec) -> ModelInfo:
    """What the backend says of a model. Raises KeyError for an unknown backend, and what the
    backend raises."""
    return backend(spec.backend).info(spec.name, spec.options)
