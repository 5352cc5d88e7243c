"""The contract of an operator: what it reads and adds, what it costs, and how it runs.

An operator is one frozen pydantic model in one file of `ops/`; its fields are its YAML arguments,
its docstring is its help text, the upper-case constants above it are its prompts. It reaches the
world only through the `Context` it is handed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from random import Random
from typing import Annotated, Any, ClassVar, Generic, Literal, Protocol, Self, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from .answers import AnswerKind
from .errors import Fault
from .execution import Limits, Outcome, Script, Tester
from .model import Capability
from .toolcalls import Called
from .values import (
    Candidate,
    Json,
    Message,
    Purpose,
    Question,
    TokenLogprob,
    Tool,
    ToolCall,
    Usage,
)
from .wishes import PLAIN, Wishes

__all__ = [
    "PLAIN",
    "All",
    "Amount",
    "Asked",
    "Asking",
    "Called",
    "Calls",
    "Context",
    "Drawing",
    "Each",
    "Effect",
    "Flow",
    "Mismatch",
    "ModelName",
    "Op",
    "Reading",
    "Reply",
    "Shown",
    "Source",
    "Stream",
    "Uses",
    "Wishes",
    "Writing",
    "of_question",
]

T = TypeVar("T")
FormT = TypeVar("FormT", bound=BaseModel)

Reading: TypeAlias = Literal["joined", "first", "last", "arrival"]
"""How a deciding operator reads several steps: one after the other, as one; the first that gives
any, and later ones only when those before gave nothing; all, to pass on the last one's; or each
candidate as it arrives."""

Effect: TypeAlias = Literal["pure", "samples", "acts"]

ModelName = Annotated[str, Field(min_length=1, json_schema_extra={"polyarch": "model"})]
"""A name from the pipeline's `models:`, or backend/model written out."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A count known between two bounds, both included."""

    low: int
    high: int

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.low + other.low, self.high + other.high)

    def __mul__(self, other: Amount) -> Amount:
        return Amount(self.low * other.low, self.high * other.high)

    def __str__(self) -> str:
        return f"{self.low:,}" if self.low == self.high else f"{self.low:,}–{self.high:,}"


@dataclass(frozen=True, slots=True)
class Flow:
    """What is known of an edge before anything runs.

    `count` candidates when none fails; `scores` and `notes` that every one of them carries;
    `tokens` in a candidate's text and `question` tokens in the question, for pricing.
    """

    count: Amount
    scores: frozenset[str] = frozenset()
    notes: frozenset[str] = frozenset()
    tokens: Amount = Amount(0, 0)
    question: Amount = Amount(0, 0)

    def with_count(self, low: int, high: int) -> Flow:
        """This flow with another number of candidates."""
        return Flow(Amount(low, high), self.scores, self.notes, self.tokens, self.question)

    def adding(self, scores: Sequence[str] = (), notes: Sequence[str] = ()) -> Flow:
        """This flow with more scores and notes on every candidate."""
        return Flow(
            self.count,
            self.scores.union(scores),
            self.notes.union(notes),
            self.tokens,
            self.question,
        )


@dataclass(frozen=True, slots=True)
class Calls:
    """Bounds on the calls an operator makes to one model.

    `prompt` and `completion` are tokens of one call; `depth` is how many calls follow one another
    at most, for the critical path. A repair turn after an unreadable reply counts in the high
    bounds.
    """

    model: str
    count: Amount
    prompt: Amount
    completion: Amount
    depth: Amount = Amount(1, 1)


@dataclass(frozen=True, slots=True)
class Uses:
    """Bounds on the calls of tools that an operator makes; each may be of any of `tools`."""

    tools: tuple[str, ...]
    count: Amount


@dataclass(frozen=True, slots=True)
class Shown:
    """How a variable of a prompt shows candidates, for estimates of what prompts have in common.

    It takes `times` values after one value of all the other variables before it, each holding
    `of` candidates: their texts, what was noted of them, or both. Requests that show the same
    candidates of one step in index order show the same.
    """

    times: int
    of: int = 1
    what: Literal["texts", "notes", "both"] = "texts"


class Mismatch(ValueError):
    """An operator is fed what it cannot read. `field` is the argument at fault, if one is; `inner`
    are the faults of steps inside it, which are told instead."""

    def __init__(
        self, message: str, field: str = "", code: str = "flow", inner: Sequence[Fault] = ()
    ) -> None:
        self.field = field
        self.code = code
        self.inner = inner
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Reply:
    """One completion of a sampling request, as an operator sees it.

    `finish` is stop, length, or tools for one that ends in `calls`. `reasoning` is what came before
    the text and is no part of it. `logprobs` are of the text's tokens and `prompt_logprobs` of the
    prompt's, where they were wished for; `values` a reward model's score, or an embedding.
    """

    index: int
    text: str
    model: str
    finish: str
    usage: Usage
    reasoning: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()
    prompt_logprobs: tuple[TokenLogprob, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    values: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked(Generic[T]):
    """What became of a question that wanted a form filled in: the value, or None if neither the
    reply nor its repair could be read; and what asking cost."""

    value: T | None
    usage: Usage


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a source asks to make candidates: whom, with which messages, what for, and for what
    beside a text."""

    asking: Asking
    messages: tuple[Message, ...]
    purpose: Purpose
    wishes: Wishes = PLAIN


class Stream(Protocol):
    """The candidates of an edge, in index order. Closing it cancels what nobody else reads."""

    def __aiter__(self) -> AsyncIterator[Candidate]: ...

    @property
    def left(self) -> int:
        """How many more candidates can come, at most."""

    @property
    def part(self) -> int:
        """Which of the steps that are read the last candidate came from; 0 before the first."""

    @property
    def parts(self) -> int:
        """How many steps are read."""

    async def aclose(self) -> None:
        """Say that enough was read: work upstream without another reader is cancelled."""

    async def all(self) -> list[Candidate]:
        """Everything, once it is there."""


class Writing(Protocol):
    """A reply while it is written: its text in parts, once, in order."""

    def __aiter__(self) -> AsyncIterator[str]: ...

    @property
    def reply(self) -> Reply:
        """The whole reply, once the last part was read."""


class Context(Protocol):
    """All of the outside world that an operator sees.

    Every request through it is metered, reserved in the ledger, limited, traced and cancellable.
    """

    @property
    def question(self) -> Question:
        """What the pipeline was asked."""

    @property
    def answer(self) -> AnswerKind:
        """How an answer is read out of a text."""

    @property
    def step(self) -> str:
        """The name of the step that runs."""

    def fill(self, asking: Asking, **values: str) -> str:
        """The prompt of `asking` (its own, or the operator's default) with its variables filled
        in; `question` is filled in anyway. For an operator's own prompt, `asking` is `self`."""

    async def sample(
        self,
        asking: Asking,
        messages: tuple[Message, ...],
        purpose: Purpose,
        draws: range,
        wishes: Wishes = PLAIN,
    ) -> list[Reply]:
        """Draw completions of one prompt in one request; in index order.

        What `wishes` need must be in the operator's `asks` or `prefers`; of the latter, what the
        model does not offer is left out of the request.
        """

    async def ask(
        self,
        asking: Asking,
        text: str,
        purpose: Purpose,
        form: type[FormT],
        *,
        index: int,
        check: Callable[[FormT], str] | None = None,
    ) -> Asked[FormT]:
        """Ask for a filled-in form: by schema where the model offers that (the operator `prefers`
        it), parsed strictly, with one repair turn.

        `index` tells this request from the step's others: seeds derive from it. `check` says what
        is wrong with a form that parses, or "" if nothing is. A reply that cannot be read even
        after the repair turn is counted in the trace as unreadable.
        """

    def stream(
        self,
        asking: Asking,
        messages: tuple[Message, ...],
        purpose: Purpose,
        index: int,
        wishes: Wishes = PLAIN,
    ) -> AbstractAsyncContextManager[Writing]:
        """Draw one completion and read it while it is written. Leaving before its end cancels it.

        Tried again, or asked of another model, only as long as none of its text was read; never
        hedged. A reply that was kept comes whole, at once.
        """

    async def tools(self, names: Sequence[str]) -> tuple[Tool, ...]:
        """What a model is told of tools of the pipeline. Raises `ToolFailed` where one cannot be
        asked what it takes."""

    async def call(self, tool: str, arguments: Mapping[str, Json], *, index: int) -> Called:
        """Call a tool; what becomes of it, be that its result or why there is none.

        Arguments that its schema does not allow fail the call before it is made. `index` tells
        this call from the step's others. Raises `BudgetExhausted`.
        """

    async def execute(self, script: Script, limits: Limits, *, confined: bool = True) -> Outcome:
        """Run a program in the sandbox. What it does is its outcome; raises `SandboxFailed` where
        isolation is not real. `confined=False` is for operators that were told so in words."""

    def tester(
        self, tests: Sequence[str], limits: Limits, *, confined: bool = True
    ) -> AbstractAsyncContextManager[Tester]:
        """Make tests ready to be held against programs in the sandbox, as `execute` runs them."""

    def candidate(
        self, reply: Reply, *, index: int, parents: Sequence[Candidate] = ()
    ) -> Candidate:
        """A new candidate from a reply, its answer read, its parents named."""

    def count_unreadable(self, reply: Reply, why: str) -> None:
        """Count a reply in the trace as one that could not be read. `ask` does so itself."""

    def rng(self, *names: str | int) -> Random:
        """A random generator that depends on run seed, question, step and names alone."""

    def note(self, what: str, **data: Json) -> None:
        """Write something worth knowing into the trace."""

    async def together(self, jobs: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
        """Run jobs at the same time; results in the order given. One failing cancels the rest."""

    async def once(self, name: str, work: Callable[[Context], Coroutine[Any, Any, T]]) -> T:
        """What work of this name gives that is done once for the question, by the whole step: for
        all candidates of an `Each`. It is handed a context of its own, so that it does not matter
        which candidate comes first; what it costs is the step's."""


class Op(BaseModel):
    """An operator. Subclass `Source`, `Each` or `All`, not this.

    Raises `Mismatch` from `flow` when fed what it cannot read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    effect: ClassVar[Effect] = "pure"
    """pure: the same input gives the same output, at no cost. samples: asks a model.
    acts: does something outside."""
    verbatim: ClassVar[bool] = False
    """Whether the text of each candidate is that of the one reply it is drawn from, so that it can
    be shown while it is written."""

    @abstractmethod
    def flow(self, given: Flow) -> Flow:
        """How many candidates come out, and which scores they carry: shape inference."""

    def keeps(self) -> Literal["none", "some", "all"]:
        """Which of the candidates it reads come out with the same text: `all` of them in the same
        order, `some` in any order, or `none`, because it makes new ones."""
        return "none"

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        """Bounds on the calls made."""
        return ()

    def tool_uses(self, given: Flow) -> Uses | None:
        """Bounds on the calls of tools made."""
        return None

    def tool_names(self) -> tuple[str, ...]:
        """The tools of the pipeline that it may call."""
        return ()

    def with_tools(self, names: Sequence[str]) -> Self:
        """This operator with its tools under other names, in the order of `tool_names()`."""
        if names:
            raise ValueError(f"{type(self).__name__} calls no tool")
        return self

    def asks(self) -> frozenset[Capability]:
        """What its model must offer beyond a chat. Of several `askings()`, each says its own."""
        return frozenset()

    def prefers(self) -> Mapping[Capability, str]:
        """What is used where the model offers it, with the words for what happens otherwise."""
        return {}

    def unconfined(self) -> bool:
        """Whether it runs programs outside the sandbox, which needs a grant."""
        return False

    def roles(self) -> frozenset[str]:
        """The purposes of its requests, for backends that serve only some."""
        return frozenset()

    def askings(self) -> tuple[Asking, ...]:
        """Everything in it that asks a model, in a fixed order."""
        return ()

    def with_askings(self, askings: Sequence[Asking]) -> Self:
        """This operator with what asks a model replaced, in the order of `askings()`."""
        if askings:
            raise ValueError(f"{type(self).__name__} asks no model")
        return self


class Asking(Op):
    """An operator that asks a model. Arguments left out come from the model's own entry in
    `models:`, then from its backend."""

    effect: ClassVar[Effect] = "samples"
    variables: ClassVar[frozenset[str]] = frozenset()
    """What a prompt of this operator may name, `question` among them."""
    required: ClassVar[frozenset[str]] = frozenset()
    """What a prompt of this operator must name, for it would make no sense otherwise."""
    default_prompt: ClassVar[str] = ""
    movable: ClassVar[bool] = False
    """Whether the paragraphs of the operator's own prompt read right in any order."""

    model: ModelName | None = None
    """Who is asked. May be left out when the pipeline names one model."""
    temperature: Annotated[float, Field(ge=0, le=5)] | None = None
    """The model's own if left out; so are the four after it."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """Draw from the likeliest tokens that together have this probability."""
    top_k: Annotated[int, Field(ge=0)] | None = None
    """Draw from so many of the likeliest tokens; 0 for all."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Bound on a completion, in tokens."""
    thinking: Annotated[int, Field(ge=0)] | None = None
    """Bound on the reasoning before a completion, in tokens, on top of `max_tokens`."""
    stop: tuple[str, ...] = ()
    """Texts at which a completion ends."""
    prompt: str | None = None
    """Overrides the operator's prompt; `{file: path}` reads it from beside the pipeline."""

    def asks(self) -> frozenset[Capability]:
        return frozenset() if self.thinking is None else frozenset({Capability.THINKING})

    @property
    def wording(self) -> str:
        """The prompt in use: the one written for it, else the operator's own."""
        return self.prompt or self.default_prompt

    def shows(self, given: Flow) -> Mapping[str, Shown]:
        """How the variables of its prompt show candidates, by name. Needed where `movable`."""
        return {}

    def askings(self) -> tuple[Asking, ...]:
        return (self,)

    def with_askings(self, askings: Sequence[Asking]) -> Self:
        (own,) = askings
        if not isinstance(own, type(self)):
            raise TypeError(f"{type(own).__name__} cannot stand for {type(self).__name__}")
        return own

    def prices(
        self,
        given: Flow,
        count: Amount,
        *,
        shown: Amount = Amount(0, 0),
        depth: Amount | None = None,
    ) -> Calls:
        """Bounds for `count` calls that each show the question, the prompt's own text and `shown`
        candidates. Only valid on a settled operator."""
        own = len(self.wording) // 4
        prompt = Amount(
            given.question.low + own + shown.low * given.tokens.low,
            given.question.high + own + shown.high * given.tokens.high,
        )
        return Calls(
            self.model or "",
            count,
            prompt,
            Amount(1, (self.max_tokens or 1) + (self.thinking or 0)),
            depth or Amount(min(1, count.low), min(1, count.high)),
        )


class Source(Asking):
    """An operator that draws candidates from the question alone.

    Its draws are numbered from 0; those of one group share prompt, model and parameters, so they
    may be asked for in one request. There is one asking for each group.
    """

    varies: ClassVar[bool] = False
    """Whether its groups are asked differently although their askings are alike."""

    @abstractmethod
    def groups(self) -> tuple[range, ...]:
        """The draws that share a prompt, in index order; together they cover every draw."""

    @abstractmethod
    def drawing(self, ctx: Context, draws: range) -> Drawing:
        """What is asked for these draws, which are of one group."""

    def drawn(self, ctx: Context, reply: Reply) -> Candidate:
        """The candidate that the reply to a draw becomes."""
        return ctx.candidate(reply, index=reply.index)


class Each(Op):
    """An operator on one candidate at a time: starts on each as it arrives, all concurrently."""

    @abstractmethod
    async def one(self, ctx: Context, candidate: Candidate) -> Candidate | None:
        """The candidate, judged or rewritten; None drops it."""

    def unpaid(self, candidate: Candidate) -> Candidate | None:
        """What goes on when the budget is spent before this one's turn: the candidate as it is."""
        return candidate


class All(Op):
    """An operator that reads candidates in index order and decides."""

    reads: ClassVar[bool] = True
    """Whether it reads candidates; else it answers the question alone, as sources do."""
    reading: ClassVar[Reading] = "joined"
    passes_on: ClassVar[bool] = False
    """Whether it yields what it reads at once, so that it reads no more than is read of it."""

    def window(self, given: Flow) -> int | None:
        """How many candidates it wants to be under way ahead of what it has read; None for all
        of them."""
        return None

    def least(self, given: Flow) -> int:
        """The fewest candidates it can decide on, for the lower bound of the price."""
        return given.count.low

    @abstractmethod
    def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        """Yield what comes out, in index order."""

    def so_far(self, read: Sequence[Candidate]) -> Sequence[Candidate]:
        """The best that can be said of what was read when the budget is spent: the candidates in
        index order, of which as many go on as the step may give."""
        return read


def of_question(op: Op) -> bool:
    """Whether an operator reads the question alone."""
    return isinstance(op, Source) or (isinstance(op, All) and not op.reads)
