"""What was fitted to data: a file that says to which, and refuses to be used for anything else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

__all__ = [
    "Artefact",
    "Data",
    "Fitted",
    "Router",
    "Stopping",
    "Table",
    "Threshold",
    "Weights",
    "fitted",
]

_Finite = Annotated[float, Field(allow_inf_nan=False)]


class Data(BaseModel):
    """The questions that something was fitted to: the file's name, its SHA-256 and its length."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    items: Annotated[int, Field(ge=1)]


class Fitted(BaseModel):
    """Something fitted. `made` is the day, `models` what was asked, as backend/model by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    made: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    pipeline: str
    data: Data
    models: Mapping[str, str]

    def misfit(self, models: Mapping[str, str]) -> str:
        """Why this was not fitted for a pipeline with these models, as backend/model by name; "" if
        it was."""
        for name, fitted_to in self.models.items():
            if name not in models:
                return f"it was fitted with the model {name!r}, which this pipeline does not have"
            if models[name] != fitted_to:
                return f"it was fitted with {name} being {fitted_to}, not {models[name]}"
        return ""


class Weights(Fitted):
    """What the vote of each model counts: the log of how much likelier it was on the data to give
    the right answer than any one wrong answer."""

    fitted: Literal["weights"] = "weights"
    weights: Mapping[str, _Finite]

    @model_validator(mode="after")
    def _of_its_models(self) -> Weights:
        if set(self.weights) != set(self.models):
            raise ValueError("there is one weight for each of `models`")
        return self


class Threshold(Fitted):
    """The least score at which answers are given, and what was promised of them: with probability
    `confidence` over the data, at most the share `risk` of the answers given is wrong."""

    fitted: Literal["threshold"] = "threshold"
    score: str
    at_least: _Finite
    risk: Annotated[float, Field(gt=0, lt=1)]
    confidence: Annotated[float, Field(gt=0, lt=1)]
    answered: Annotated[float, Field(ge=0, le=1)]
    """The share of the data that was answered."""


class Stopping(Fitted):
    """The score from which on another draw is not worth its cost: what it brings on average beyond
    that is `cost`, where a right answer is worth 1."""

    fitted: Literal["stopping"] = "stopping"
    score: str
    at_least: _Finite
    cost: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    value: _Finite
    """The chance of being right at which to stop."""


class Table(Fitted):
    """Which case answers best, by what `draws` draws say: by how many of them agree, as `k/n`, or
    by their answers, in order with `|` between and nothing for *no answer*."""

    fitted: Literal["table"] = "table"
    by: Literal["agreement", "answers"]
    draws: Annotated[int, Field(ge=1)]
    cases: tuple[str, ...]
    table: Mapping[str, str]
    otherwise: str
    """The case for what was seen too seldom."""

    @model_validator(mode="after")
    def _names_cases(self) -> Table:
        if unknown := {*self.table.values(), self.otherwise} - set(self.cases):
            raise ValueError(f"no case {sorted(unknown)[0]!r} among {', '.join(self.cases)}")
        return self


class Router(Fitted):
    """The chance that a question needs the second of two cases: a logistic regression on hashed
    n-grams of words and on lengths, or on the embedding, at length 1 and of `buckets` numbers, that
    the model `embedder` gives of it. Above `threshold` it goes there."""

    fitted: Literal["router"] = "router"
    cases: tuple[str, str]
    embedder: str = ""
    buckets: Annotated[int, Field(ge=1, le=1 << 20)]
    coefficients: Mapping[int, _Finite]
    """By feature; those left out are 0."""
    intercept: _Finite
    threshold: _Finite


Artefact: TypeAlias = Weights | Threshold | Stopping | Table | Router
"""Anything fitted."""

_ADAPTER: TypeAdapter[Artefact] = TypeAdapter(Annotated[Artefact, Field(discriminator="fitted")])


def fitted(text: str | bytes) -> Artefact:
    """The artefact that a file holds. Raises `ValidationError`."""
    return _ADAPTER.validate_json(text)
