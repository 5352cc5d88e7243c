"""A hardware profile: the settings with which a model was fastest on one machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .machine import Machine

__all__ = ["Profile", "Rate", "profile"]


class Rate(BaseModel):
    """Completion tokens a second: the median, the least and the most of several measurements."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    median: Annotated[float, Field(gt=0)]
    least: Annotated[float, Field(gt=0)]
    most: Annotated[float, Field(gt=0)]


class Profile(BaseModel):
    """What `polyarch tune` found. Nothing is interpolated: it holds for this model on this machine
    with this load, of which `load` is the digest and `about` says what it was."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tuned: Literal[1] = 1
    made: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    model: str
    """backend/model."""
    options: Mapping[str, Any]
    environment: Mapping[str, str] = {}
    """Variables that it was measured with, to be set by whoever starts the process."""
    machine: Machine
    load: str
    about: str
    measured: Annotated[int, Field(ge=1)]
    """How many settings were measured."""
    rate: Rate
    plain: Rate
    """That of the settings as they were, measured in turn with the others."""
    ratio: Rate
    """How many times as fast, in turn."""


def profile(text: str | bytes) -> Profile:
    """The profile that a file holds. Raises `ValidationError`."""
    return Profile.model_validate_json(text)
