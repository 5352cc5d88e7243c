"""What was written: the shape of a pipeline file, frozen. Step arguments stay as written here;
each operator's own model validates them when the graph is built."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from .model import Price
from .place.asked import ShapeSpec, as_shape
from .toolspec import ToolName, ToolSpec
from .values import Json

__all__ = [
    "Allowance",
    "Budget",
    "Layout",
    "Limits",
    "ModelSpec",
    "OutputSpec",
    "PriceSpec",
    "QuestionSpec",
    "Spec",
]

Layout: TypeAlias = Literal["prefix", "written"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PriceSpec(_Frozen):
    """Dollars per million tokens, overriding the backend's own table."""

    prompt: Annotated[float, Field(ge=0)] = 0.0
    completion: Annotated[float, Field(ge=0)] = 0.0
    """Reasoning included."""
    cached: Annotated[float, Field(ge=0)] | None = None
    """Of prompt tokens that the provider had in its cache; the prompt's price if left out."""

    def price(self) -> Price:
        """The same as a plain value."""
        return Price(self.prompt, self.completion, self.cached)


def _named(value: object) -> object:
    return {"model": value} if isinstance(value, str) else value


class ModelSpec(_Frozen):
    """A model that steps may name: backend/model, and defaults for asking it."""

    model: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*/.+$")]
    """The backend's name, a slash, and the model's name there."""
    temperature: Annotated[float, Field(ge=0, le=5)] | None = None
    """Of steps that do not say; so are the four after it."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """Draw from the likeliest tokens that together have this probability."""
    top_k: Annotated[int, Field(ge=0)] | None = None
    """Draw from so many of the likeliest tokens; 0 for all."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Bound on a completion, in tokens; the backend's own if left out."""
    thinking: Annotated[int, Field(ge=0)] | None = None
    """Most tokens of reasoning before a reply, on top of `max_tokens`."""
    stop: tuple[str, ...] = ()
    """Texts at which a completion ends."""
    concurrency: Annotated[int, Field(ge=1)] | Literal["adaptive"] | None = None
    """Requests under way at once, over all questions; `adaptive`: what the endpoint bears."""
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    """The most requests begun in a minute."""
    tokens_per_minute: Annotated[int, Field(ge=1)] | None = None
    """The most tokens asked for in a minute, prompts included."""
    timeout: Annotated[float, Field(gt=0)] | None = None
    """Seconds that one request may take."""
    retries: Annotated[int, Field(ge=0)] = 4
    """How often a request that failed in passing is asked again."""
    hedge_after: Annotated[float, Field(gt=0)] | None = None
    """Ask a second time if no reply came after so many seconds; the first to answer counts, the
    other is cancelled and charged."""
    fallback: tuple[str, ...] = ()
    """Models of this pipeline to ask instead, in this order, while this one cannot be reached."""
    max_draws: Annotated[int, Field(ge=1)] | None = None
    """Most draws in one request."""
    price: PriceSpec | None = None
    """What a million tokens cost, where the backend's table does not know or is wrong."""
    cache: bool = True
    """Whether replies may be kept in a cache; off keeps prompts with secrets out of it."""
    shape: Annotated[ShapeSpec, BeforeValidator(as_shape)] | None = None
    """The model's architecture, for planning GPUs, where it does not follow from its name."""
    options: Mapping[str, Any] = Field(default_factory=dict)
    """Handed to the backend as they are; it checks them."""
    profile: str | None = None
    """A file beside the pipeline that `polyarch tune` wrote: options, under those written here."""

    @property
    def backend(self) -> str:
        """The backend's name."""
        return self.model.split("/", 1)[0]

    @property
    def name(self) -> str:
        """The model's name within its backend."""
        return self.model.split("/", 1)[1]


class Limits(_Frozen):
    """Hard limits for one question. One left out does not bind."""

    calls: Annotated[int, Field(ge=1)] | None = None
    """Completions asked for."""
    tokens: Annotated[int, Field(ge=1)] | None = None
    """Prompt and completion together."""
    usd: Annotated[float, Field(gt=0)] | None = None
    """Dollars."""
    seconds: Annotated[float, Field(gt=0)] | None = None
    """From the first request on."""


class Budget(Limits):
    """The limits of a pipeline, and what happens at one."""

    on_budget: Literal["best", "fail"] = "fail"
    """At a limit: end with the best that is there and say so, or raise."""


class Allowance(Limits):
    """The limits of a step, or of several that share an account, within the pipeline's budget."""

    share: Annotated[float, Field(gt=0, le=1)] | None = None
    """The part of every limit of the pipeline's own budget that is the limit here, calls and tokens
    rounded down; a limit written beside it stands for itself."""
    on_budget: Literal["best", "fail"] | None = None
    """At a limit: go on with what the steps have so far, or raise; the pipeline's own if left
    out."""

    def within(self, whole: Budget) -> Budget:
        """The limits themselves, in a pipeline with the budget `whole`.

        Raises `ValueError` where nothing is limited, or a share comes to nothing.
        """
        own = self.model_dump(include=set(Limits.model_fields), exclude_none=True)
        limits = {**self._shared(whole), **own}
        if not limits:
            raise ValueError("it limits nothing: give calls, tokens, usd, seconds or share")
        return Budget(**limits, on_budget=self.on_budget or whole.on_budget)

    def _shared(self, whole: Budget) -> dict[str, Any]:
        if self.share is None:
            return {}
        around = whole.model_dump(include=set(Limits.model_fields), exclude_none=True)
        if not around:
            raise ValueError("a share of nothing: the pipeline's own `budget:` has no limit")
        limits = {unit: _part(self.share, limit) for unit, limit in around.items()}
        for unit, limit in limits.items():
            if not limit and getattr(self, unit) is None:
                raise ValueError(f"a share of {self.share:g} of {around[unit]:,} {unit} is none")
        return limits


def _part(share: float, limit: float) -> float:
    """A share of a limit; of a whole number rounded down, in the decimals that were written."""
    return int(Decimal(str(share)) * limit) if isinstance(limit, int) else share * limit


class QuestionSpec(_Frozen):
    """What a question of this pipeline is: a text, a chat, or a record with these fields."""

    kind: Literal["text", "chat", "record"] = "text"
    """The same in one word: `question: chat`."""
    fields: tuple[str, ...] = ()
    """The names of a record's fields, which prompts may name."""
    text: str | None = None
    """For a record: the template that makes it one text, naming `{field}`s."""


def _question(value: object) -> object:
    if isinstance(value, str):
        return {"kind": value}
    return value


class OutputSpec(_Frozen):
    """Which step is the result, and how many candidates it may hold."""

    from_: Annotated[str, Field(alias="from")]
    """The step; the same in one word: `output: best`."""
    keep: Annotated[int, Field(ge=1)] = 1
    """The most candidates that come out."""


def _output(value: object) -> object:
    return {"from": value} if isinstance(value, str) else value


class Spec(_Frozen):
    """A pipeline file, as written."""

    version: Literal[1] = 1
    """The version of the language."""
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """Lower case, digits and underscores."""
    about: str = ""
    """What it does, in a line."""
    source: str = ""
    """The paper or system that the pipeline follows."""
    question: Annotated[QuestionSpec, BeforeValidator(_question)] = QuestionSpec()
    """What it is asked."""
    models: Mapping[str, Annotated[ModelSpec, BeforeValidator(_named)]] = Field(
        default_factory=dict
    )
    """The models that steps may name; backend/model alone, or with what it is asked with."""
    tools: Mapping[ToolName, ToolSpec] = Field(default_factory=dict)
    """The tools that steps may name."""
    answer: str | Mapping[str, Any] = "text"
    """How an answer is read out of a text: a word, or a word with its options."""
    layout: Layout = "prefix"
    """The order of the paragraphs in the operators' own prompts: the one that lets requests share
    the longest prefix, or as written. A `prompt:` stays as it is."""
    budget: Budget = Budget()
    """Hard limits for one question."""
    budgets: Mapping[str, Allowance] = Field(default_factory=dict)
    """Accounts that steps share: a step names its own with `budget:`."""
    steps: Annotated[Mapping[str, Mapping[str, Any]], Field(min_length=1)]
    """The steps by name, each reading those written before it."""
    output: Annotated[OutputSpec, BeforeValidator(_output)] | None = None
    """The step that is the result; the last one if left out."""


STEP_KEYS = ("op", "from", "on_failure", "budget")
"""What a step may hold beside its operator's arguments."""

Arguments = Mapping[str, Json]
