"""The GPUs that there are, as `--gpus` names them: `2xA100-80G`, `1xH200,2xL40S` or a YAML file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ..errors import InputError
from ..names import nearest
from ..source import read
from .asked import ShapeSpec, as_shape
from .gpu import Gpu, known_gpus

__all__ = ["Fleet", "Group", "fleet"]

_ITEM = re.compile(r"(?:(\d+)\s*[x×*]\s*)?([A-Za-z][\w-]*)$")
_MOST = 1024


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _gpu(value: object) -> object:
    if not isinstance(value, str):
        return value
    plain = {_plain(name): gpu for name, gpu in known_gpus().items()}
    if _plain(value) not in plain:
        raise ValueError(f"no GPU {value!r} is known; {nearest(value, list(known_gpus()))}")
    return plain[_plain(value)]


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


class Group(_Frozen):
    """GPUs of one kind in one machine; a model is spread over those of one group only."""

    gpu: Annotated[Gpu, BeforeValidator(_gpu)]
    count: Annotated[int, Field(ge=1, le=_MOST)] = 1
    host: str = ""
    """The machine; GPUs are numbered from 0 in each."""
    usd_per_hour: Annotated[float, Field(ge=0)] | None = None
    """Of one GPU."""


class Fleet(_Frozen):
    """All GPUs there are. `memory` in GB is what the hosts have for models that sleep, None for
    enough; `disk` in GB/s is how fast weights are read again where they did not fit."""

    gpus: Annotated[tuple[Group, ...], Field(min_length=1)]
    memory: Annotated[float, Field(ge=0)] | None = None
    disk: Annotated[float, Field(gt=0)] = 2.0
    shapes: Mapping[str, Annotated[ShapeSpec, BeforeValidator(as_shape)]] = Field(
        default_factory=dict
    )
    """Shapes of models that are not known, by the model's name."""

    @model_validator(mode="after")
    def _bounded(self) -> Fleet:
        if self.count > _MOST:
            raise ValueError(f"{self.count} GPUs are more than the {_MOST} that can be planned for")
        return self

    @property
    def count(self) -> int:
        """How many GPUs there are."""
        return sum(group.count for group in self.gpus)

    @property
    def each(self) -> tuple[Group, ...]:
        """The group of every GPU, in order: places in it number the GPUs of the whole fleet."""
        return tuple(group for group in self.gpus for _ in range(group.count))

    @property
    def ids(self) -> tuple[int, ...]:
        """The number of every GPU in its machine."""
        seen: dict[str, int] = {}
        numbers = []
        for group in self.each:
            numbers.append(seen.get(group.host, 0))
            seen[group.host] = numbers[-1] + 1
        return tuple(numbers)

    def usd_per_hour(self, rate: float | None) -> float | None:
        """Dollars an hour for all of them, at `rate` each unless a group says its own; None where
        neither does."""
        rates = [g.usd_per_hour if g.usd_per_hour is not None else rate for g in self.each]
        known = [r for r in rates if r is not None]
        return sum(known) if len(known) == len(rates) else None

    def __str__(self) -> str:
        return ", ".join(
            f"{g.count}x{g.gpu.name}" + (f" in {g.host}" if g.host else "") for g in self.gpus
        )


def fleet(text: str) -> Fleet:
    """The GPUs that a text names: `COUNTxKIND,…`, or the path of a YAML file.

    Raises `InputError`, and `SpecError` for a file that is no YAML.
    """
    if text.endswith((".yaml", ".yml")):
        return _validated(read(Path(text)).plain(), text)
    return _validated({"gpus": [_item(part.strip()) for part in text.split(",")]}, "--gpus")


def _item(part: str) -> Mapping[str, Any]:
    found = _ITEM.match(part)
    if found is None:
        raise InputError(f"--gpus: {part!r} is not COUNTxKIND, such as 2xA100-80G, nor a YAML file")
    return {"gpu": found[2], "count": int(found[1] or 1)}


def _validated(plain: object, where: str) -> Fleet:
    try:
        return Fleet.model_validate(plain)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        # Pydantic counts a tuple without its wrong items.
        problems = [p for p in problems if p["type"] != "too_short"] or problems
        raise InputError(
            "\n".join(f"{where}: {_told(p['loc'], p['msg'])}" for p in problems)
        ) from None


def _told(path: Sequence[str | int], message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message if "is known;" in message else ": ".join([".".join(map(str, path)), message])
