"""What a space says of its search: `search:` in its file, as it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

__all__ = ["Objective", "SearchBudget", "SearchSpec", "Unit"]

Unit: TypeAlias = Literal["calls", "tokens", "usd", "seconds"]
"""What a question costs."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SearchBudget(_Frozen):
    """Hard limits for the whole search. One left out does not bind."""

    calls: Annotated[int, Field(ge=1)] | None = None
    tokens: Annotated[int, Field(ge=1)] | None = None
    """Prompt and completion together."""
    usd: Annotated[float, Field(gt=0)] | None = None
    minutes: Annotated[float, Field(gt=0)] | None = None


class Objective(_Frozen):
    """What is to be as large as possible, or as small: a metric, perhaps less what it costs; or a
    cost."""

    maximize: Annotated[str, Field(min_length=1)] | None = None
    """The name of a metric."""
    minus: Mapping[Unit, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """By unit of cost, how much of the metric one is worth, for one question."""
    minimize: Unit | None = None
    """What of a question's cost is to be small."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.maximize is None) == (self.minimize is None):
            raise ValueError("an objective has either `maximize:` or `minimize:`")
        if self.minimize is not None and self.minus:
            raise ValueError("`minus:` goes with `maximize:`")
        return self

    def __str__(self) -> str:
        if self.minimize is not None:
            return f"least {self.minimize}"
        less = "".join(f" - {worth:g} {unit}" for unit, worth in self.minus.items())
        return f"{self.maximize}{less}"


def _listed(value: object) -> object:
    return (value,) if isinstance(value, dict) else value


class SearchSpec(_Frozen):
    """How a space is to be searched. What is left out, the command line says or the search itself
    decides."""

    data: Annotated[str, Field(min_length=1)] | None = None
    """The questions: a file, a benchmark's name, …"""
    fields: Mapping[str, str] = Field(default_factory=dict)
    """What the dataset's own columns are called, by what they are here."""
    metric: str | Mapping[str, Any] | None = None
    """How an answer is scored; the dataset's own if left out."""
    objective: (
        Annotated[
            tuple[Objective, ...], BeforeValidator(_listed), Field(min_length=1, max_length=4)
        ]
        | None
    ) = None
    """One objective, or several of which the front is sought; the metric if left out."""
    budget: SearchBudget = SearchBudget()
    at_most: Mapping[Unit, Annotated[float, Field(gt=0)]] | Literal["default"] | None = None
    """By unit, what a question may cost on average; `default`: no more calls and tokens than the
    space's first point costs."""
    trials: Annotated[int, Field(ge=1)] | None = None
    """The most points that are tried."""
    strategy: str | Mapping[str, Any] | None = None
    """How points are chosen: a strategy's name, or its name and arguments."""
    seed: int = 0
    confirm: Annotated[int, Field(ge=1)] | None = None
    """How many questions the best points are confirmed with."""
    guard: bool = False
    """Whether half of the questions is held back, to tell how far the search fitted the others."""
    start: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Pipelines that are tried first, files or names of the library: points of this space."""
    test: Annotated[int, Field(ge=1)] | bool = True
    """With how many questions of the locked split the winner is reported, once; true is all."""

    @model_validator(mode="after")
    def _names_no_objective_twice(self) -> Self:
        told = [objective.maximize or objective.minimize for objective in self.objective or ()]
        if len(set(told)) < len(told):
            raise ValueError("two objectives are the same")
        return self
