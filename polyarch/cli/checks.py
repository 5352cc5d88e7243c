"""What is looked at on this machine: packages, keys, servers, the sandbox, the cache."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, version
from types import MappingProxyType
from typing import Literal

from .. import __version__
from ..compiler.errors import PolyarchError, SandboxFailed
from ..runtime.cachefile import default_path
from ..runtime.sandbox.probe import probed

__all__ = [
    "KEYS",
    "Finding",
    "State",
    "backends",
    "cache",
    "embedded",
    "extras",
    "key",
    "package",
    "python",
    "sandbox",
]

State = Literal["ok", "missing", "unset"]

KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "anthropic": ("ANTHROPIC_API_KEY",),
        "azure": ("AZURE_API_KEY",),
        "cohere": ("COHERE_API_KEY",),
        "deepseek": ("DEEPSEEK_API_KEY",),
        "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        "groq": ("GROQ_API_KEY",),
        "mistral": ("MISTRAL_API_KEY",),
        "openai": ("OPENAI_API_KEY",),
        "openrouter": ("OPENROUTER_API_KEY",),
        "xai": ("XAI_API_KEY",),
    }
)
"""By provider, the variables that may hold its key: one of them is enough."""

_NEED = re.compile(r"^([A-Za-z0-9._-]+).*;\s*extra\s*==\s*['\"]([\w-]+)['\"]")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `needed` says whether the pipeline cannot do without."""

    what: str
    name: str
    state: State
    detail: str
    needed: bool = False


def python() -> Iterator[Finding]:
    """polyarch, Python and the machine."""
    system = f"{platform.system()} {platform.release()} on {platform.machine()}"
    yield Finding("versions", "polyarch", "ok", __version__)
    yield Finding("versions", "python", "ok", platform.python_version())
    yield Finding("versions", "platform", "ok", system)


def extras() -> Iterator[Finding]:
    """The packages of every extra of the installed polyarch."""
    for extra, needs in sorted(_extras().items()):
        for need in needs:
            yield package(need, extra)


def _extras() -> Mapping[str, Sequence[str]]:
    """By extra, the packages it brings; none where polyarch is not installed as a package."""
    try:
        told = metadata("polyarch").get_all("Requires-Dist") or []
    except PackageNotFoundError:
        return {}
    made: dict[str, list[str]] = {}
    for line in told:
        if (found := _NEED.match(line)) is not None:
            made.setdefault(found[2], []).append(found[1])
    return made


def package(name: str, extra: str, *, needed: bool = False) -> Finding:
    """Whether a package is installed."""
    try:
        return Finding("packages", f"{name} ({extra})", "ok", version(name), needed)
    except PackageNotFoundError:
        told = f"pip install 'polyarch[{extra}]'"
        return Finding("packages", f"{name} ({extra})", "missing", told, needed)


def key(names: Sequence[str], *, needed: bool = False) -> Finding:
    """Whether one of the variables is set; what it holds is not told."""
    found = [name for name in names if os.environ.get(name, "").strip()]
    told = " or ".join(names)
    if found:
        return Finding("keys", found[0], "ok", "set", needed)
    return Finding("keys", told, "missing" if needed else "unset", "not set", needed)


def backends() -> Iterator[Finding]:
    """Every backend, and whether it can be used here."""
    from .known import backends as known

    for one in known():
        if one.name == "embedded":
            yield embedded()
        else:
            state: State = "missing" if one.lacks else "ok"
            yield Finding("backends", one.name, state, one.lacks or "ready")


def embedded() -> Finding:
    """Whether the model that ships with polyarch answers a question."""
    from ..pipeline import load
    from ..pipelines import path

    began = time.perf_counter()
    try:
        load(path("greedy"))("Ann has 2 pens. Ann finds 3 more. How many pens does Ann have?")
    except PolyarchError as error:
        return Finding("backends", "embedded", "missing", str(error))
    told = f"answers, the first time in {time.perf_counter() - began:.1f} s"
    return Finding("backends", "embedded", "ok", told)


def sandbox(*, needed: bool = False) -> Finding:
    """Whether programs can be run apart from everything else; it is tried."""
    try:
        probed()
    except SandboxFailed as error:
        return Finding("sandbox", "bubblewrap", "missing", str(error), needed)
    return Finding("sandbox", "bubblewrap", "ok", "holds", needed)


def cache() -> Finding:
    """Where the cache of replies is, and how large."""
    path = default_path()
    parts = [path.with_name(path.name + end) for end in ("", "-wal", "-shm")]
    held = sum(part.stat().st_size for part in parts if part.is_file())
    return Finding("cache", str(path), "ok", f"{held:,} bytes" if path.exists() else "none yet")
