"""Files beside a pipeline that say with which settings a model is fastest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from ..machine import here
from ..profile import Profile, profile
from ..spec import ModelSpec
from .faults import Faults
from .files import beside

__all__ = ["notes", "with_profiles"]

_LARGEST = 1 << 20


def with_profiles(
    models: Mapping[str, ModelSpec], folder: Path, faults: Faults
) -> tuple[dict[str, ModelSpec], tuple[str, ...]]:
    """The models with the options of their profiles under their own, and what is to be said of
    profiles that were made elsewhere; a fault for one of another model."""
    made, told = {}, []
    for name, model in models.items():
        found = None
        if model.profile is not None:
            found = _read(model, ("models", name, "profile"), folder, faults)
        if found is None:
            made[name] = model.model_copy(update={"profile": None}) if model.profile else model
            continue
        options = {**found.options, **model.options}
        made[name] = model.model_copy(update={"options": options, "profile": None})
        told += notes(name, found)
    return made, tuple(told)


def notes(name: str, found: Profile) -> list[str]:
    """What does not hold of a profile here."""
    differs = here(found.model.split("/", 1)[0]).differs(found.machine)
    told = [f"{name} was tuned on another machine ({differs}): tune it again"] if differs else []
    if found.environment:
        needed = " ".join(f"{key}={value}" for key, value in found.environment.items())
        told.append(f"{name} was tuned with {needed} in the environment")
    return told


def _read(model: ModelSpec, path: tuple[str, ...], folder: Path, faults: Faults) -> Profile | None:
    found = beside(str(model.profile), path, folder, faults)
    if found is None:
        return None
    if found.stat().st_size > _LARGEST:
        faults.add("too-large", f"{found.name} is larger than 1 MiB", path)
        return None
    try:
        made = profile(found.read_bytes())
    except (ValidationError, OSError) as error:
        faults.add(
            "no-profile", f"{found.name} is nothing that `polyarch tune` made: {error}", path
        )
        return None
    if made.model != model.model:
        faults.add("misfit", f"{found.name} is of {made.model}, not {model.model}", path)
        return None
    return made
