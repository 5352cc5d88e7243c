"""What a measurement of speed depends on: processor, GPUs, and versions of what runs there."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict

__all__ = ["Machine", "here"]

_PACKAGES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"embedded": ("numpy",), "vllm": ("vllm", "torch")}
)
"""By backend, what decides how fast it is, polyarch itself aside."""

_DRIVER = Path("/proc/driver/nvidia/gpus")


class Machine(BaseModel):
    """A machine as far as speed depends on it. `versions` by package."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    processor: str
    cores: int
    gpus: tuple[str, ...] = ()
    versions: Mapping[str, str] = {}

    def differs(self, other: Machine) -> str:
        """In what another one differs, in words; "" if in nothing."""
        told = []
        for name in ("processor", "cores", "gpus"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                told.append(f"{name}: {_word(mine)}, not {_word(theirs)}")
        for name in sorted({*self.versions, *other.versions}):
            mine, theirs = self.versions.get(name, "none"), other.versions.get(name, "none")
            if mine != theirs:
                told.append(f"{name} {mine}, not {theirs}")
        return "; ".join(told)


def here(backend: str) -> Machine:
    """This machine, for models of a backend. Reads files alone; starts nothing."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        gpus=tuple(sorted(_gpus())),
        versions={name: found for name in _PACKAGES.get(backend, ()) if (found := _version(name))},
    )


def _processor() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text(errors="replace").splitlines() if told.is_file() else []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _gpus() -> Iterator[str]:
    """The names of NVIDIA's GPUs, as its driver tells them."""
    for told in sorted(_DRIVER.glob("*/information")):
        for line in told.read_text(errors="replace").splitlines():
            if line.startswith("Model:"):
                yield line.split(":", 1)[1].strip()


def _version(package: str) -> str:
    for name in (package, f"{package}-cpu"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return ""


def _word(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)
