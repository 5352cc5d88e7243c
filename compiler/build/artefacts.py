"""Files beside a pipeline that hold what was fitted to data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from ..fitted import Fitted, Router, Stopping, Table, Threshold, Weights, fitted
from .faults import Faults
from .files import beside

__all__ = ["with_artefacts"]

_WANTED: Mapping[str, tuple[type[Fitted], ...]] = MappingProxyType(
    {
        "weight": (Weights,),
        "by": (Router, Table),
        "stop_at": (Stopping,),
        "holds": (Threshold,),
        "fails": (Threshold,),
        "accept": (Threshold,),
        "until": (Threshold,),
    }
)
"""What kinds of thing the file may be that an argument names."""

_LARGEST = 1 << 24


def with_artefacts(
    value: Any,
    path: tuple[str | int, ...],
    folder: Path,
    models: Mapping[str, str],
    faults: Faults,
    key: str = "",
) -> Any:
    """The arguments with every `{file: …}` replaced by what was fitted, where an argument takes
    that; a fault for what was fitted to other models than these, backend/model by name."""
    if isinstance(value, dict):
        if key in _WANTED and set(value) == {"file"} and isinstance(value["file"], str):
            return _read(value["file"], (*path, "file"), folder, models, faults, _WANTED[key])
        return {
            k: with_artefacts(v, (*path, k), folder, models, faults, k) for k, v in value.items()
        }
    if isinstance(value, list):
        return [with_artefacts(v, (*path, i), folder, models, faults) for i, v in enumerate(value)]
    return value


def _read(
    name: str,
    path: tuple[str | int, ...],
    folder: Path,
    models: Mapping[str, str],
    faults: Faults,
    wanted: tuple[type[Fitted], ...],
) -> Any:
    found = beside(name, path, folder, faults)
    if found is None:
        return None
    if found.stat().st_size > _LARGEST:
        faults.add("too-large", f"{name} is larger than 16 MiB", path)
        return None
    try:
        artefact = fitted(found.read_bytes())
    except (ValidationError, OSError) as error:
        faults.add("not-fitted", f"{name} holds nothing that `polyarch fit` made: {error}", path)
        return None
    if not isinstance(artefact, wanted):
        kinds = f"{artefact.fitted}, not {' or '.join(kind.__name__.lower() for kind in wanted)}"
        faults.add("not-fitted", f"{name} holds {kinds}", path)
        return None
    if why := artefact.misfit(models):
        told = f"fit it again: polyarch fit, with this pipeline (made {artefact.made})"
        faults.add("misfit", f"{name}: {why}", path, told)
        return None
    if isinstance(artefact, Threshold):
        return {"score": artefact.score, "at_least": artefact.at_least}
    return artefact.model_dump(mode="json")
