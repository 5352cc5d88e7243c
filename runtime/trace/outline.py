"""A trace as people think of it: questions, their steps, what those asked, and what they made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ...compiler.values import NOTHING, Json
from ..beside import Extras, loaded
from ..events import Event

__all__ = [
    "Abandoned",
    "Asked",
    "Drawn",
    "Key",
    "Made",
    "Outline",
    "Part",
    "Recalled",
    "Run",
    "Stage",
    "outline",
]

Key: TypeAlias = "tuple[str, int, int, int]"
"""What tells a reply from all others of a question: step, place, ask, turn."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A reply. `ask` is the step's own number for it."""

    place: int
    ask: int
    turn: int
    at: float
    model: str
    text: str
    finish: str
    prompt: int
    cached: int
    tokens: int
    usd: float
    extras: Extras = field(default_factory=Extras)
    """What it holds beside its text."""
    parts: tuple[Part, ...] = ()
    """What it was read in, if it was read while it was written."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a reply that was read while it was written: when it came, in seconds after the
    request, how many characters it has, and how many tokens there were with it."""

    after: float
    size: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Abandoned:
    """What was read of a reply that was given up."""

    prompt: int
    cached: int
    text: str
    parts: tuple[Part, ...]


@dataclass(slots=True)
class Asked:
    """One attempt at a request. `ended` is when its last reply came, or it was given up."""

    step: str
    place: int
    ask: int
    turn: int
    draws: int
    at: float
    model: str
    role: str
    digest: int | None
    ended: float
    state: Literal["waiting", "answered", "retried", "cancelled"] = "waiting"
    drawn: list[Drawn] = field(default_factory=list)
    abandoned: Abandoned | None = None

    @property
    def prompt(self) -> int:
        """Tokens of the prompt."""
        return sum(drawn.prompt for drawn in self.drawn)

    @property
    def tokens(self) -> int:
        """Tokens of the replies."""
        return sum(drawn.tokens for drawn in self.drawn)

    @property
    def usd(self) -> float:
        """Dollars."""
        return sum(drawn.usd for drawn in self.drawn)


@dataclass(frozen=True, slots=True)
class Made:
    """A place that was filled. `candidate` is `step[index]` of where its text came from; `text` is
    None where the step only judged it. `added` are the scores and notes that are new or changed
    since the candidate was last seen."""

    step: str
    place: int
    at: float
    candidate: str
    text: str | None
    answer: str | None
    scores: Mapping[str, float]
    notes: Mapping[str, Json]
    parents: Sequence[str]
    added: tuple[Mapping[str, float], Mapping[str, Json]]


@dataclass(frozen=True, slots=True)
class Recalled:
    """A reply that was not asked for, since a cache or journal had it. What it cost is not told."""

    drawn: Drawn
    digest: int | None


@dataclass(slots=True)
class Stage:
    """A step at work on one question."""

    name: str
    began: float
    ended: float
    asked: list[Asked] = field(default_factory=list)
    made: list[Made] = field(default_factory=list)
    other: list[Event] = field(default_factory=list)
    """What was noted, dropped, unreadable, retried, closed, …"""

    @property
    def recalled(self) -> Iterator[Recalled]:
        """Replies that a cache or a journal had."""
        return (_recalled(event) for event in self.other if event.what == "recalled")

    @property
    def drawn(self) -> Iterator[Drawn]:
        """Its replies."""
        return (drawn for asked in self.asked for drawn in asked.drawn)

    def count(self, what: str) -> int:
        """How many other events of that kind there are."""
        return sum(event.what == what for event in self.other)


@dataclass(slots=True)
class Run:
    """One question on its way. `began` and `ended` are on the events' clock; `end` is ended, failed
    or, where the trace stops before, nothing."""

    id: str
    began: float
    ended: float
    number: int = 0
    """Which of the trace's runs it is, from 0."""
    seed: int = 0
    question: Mapping[str, Json] = field(default_factory=lambda: NOTHING)
    end: Literal["", "ended", "failed"] = ""
    why: str = ""
    stages: dict[str, Stage] = field(default_factory=dict)
    origins: dict[str, Made] = field(default_factory=dict)
    """Where each candidate's text came from, by its name."""
    _open: dict[Key, Asked] = field(default_factory=dict)
    _seen: dict[str, Made] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What was asked."""
        return str(self.question.get("text", ""))

    @property
    def asked(self) -> Iterator[Asked]:
        """Its requests, step by step."""
        return (asked for stage in self.stages.values() for asked in stage.asked)

    @property
    def drawn(self) -> Iterator[Drawn]:
        """Its replies, step by step."""
        return (drawn for asked in self.asked for drawn in asked.drawn)

    def outcome(self, output: str, keep: int = 1) -> list[Made]:
        """The candidates that the output step made, each as it was when its text came about."""
        made = sorted(self.stages[output].made, key=lambda m: m.place) if self._has(output) else []
        return [self.origins.get(one.candidate, one) for one in made[:keep]]

    def take(self, event: Event) -> None:
        """Take an event of this question in."""
        self.ended = max(self.ended, event.at)
        if not event.step:
            self._own(event)
            return
        stage = self.stages.get(event.step)
        if stage is None:
            stage = self.stages[event.step] = Stage(event.step, event.at, event.at)
        stage.ended = max(stage.ended, event.at)
        match event.what:
            case "asked":
                self._asked(stage, event)
            case "drew":
                self._drew(stage, event)
            case "abandoned":
                self._abandoned(event)
            case "made":
                self._made(stage, event)
            case _:
                stage.other.append(event)
                if event.what in ("retried", "fell back"):
                    self._gave_up(event)
                if event.what == "failed":
                    self._own(event)

    def _has(self, step: str) -> bool:
        return step in self.stages

    def _own(self, event: Event) -> None:
        match event.what:
            case "started":
                self.seed = _whole(event.data.get("seed"))
                question = event.data.get("question")
                self.question = question if isinstance(question, Mapping) else NOTHING
            case "ended":
                self.end = "ended"
            case "failed":
                self.end, self.why = "failed", str(event.data.get("why", ""))
        if self.end:
            for asked in self.asked:
                if asked.state == "waiting":
                    asked.state, asked.ended = "cancelled", event.at

    def _asked(self, stage: Stage, event: Event) -> None:
        data = event.data
        asked = Asked(
            event.step,
            event.place,
            _whole(data.get("ask")),
            _whole(data.get("turn")),
            _whole(data.get("draws"), 1),
            event.at,
            str(data.get("model", "")),
            str(data.get("role", "")),
            _digest(data),
            event.at,
        )
        stage.asked.append(asked)
        self._open[asked.step, asked.place, asked.ask, asked.turn] = asked

    def _drew(self, stage: Stage, event: Event) -> None:
        data = event.data
        drawn = Drawn(
            event.place,
            _whole(data.get("ask")),
            _whole(data.get("turn")),
            event.at,
            str(data.get("model", "")),
            str(data.get("text", "")),
            str(data.get("finish", "")),
            _whole(data.get("prompt")),
            _whole(data.get("cached")),
            _whole(data.get("tokens")),
            _number(data.get("usd")),
            loaded(data),
            _parts(data),
        )
        asked = self._request(event.step, drawn)
        if asked is None:
            return
        asked.drawn.append(drawn)
        asked.ended = event.at
        if len(asked.drawn) == asked.draws:
            asked.state = "answered"

    def _abandoned(self, event: Event) -> None:
        """A reply was given up while it was read."""
        data = event.data
        key = event.step, event.place, _whole(data.get("ask")), _whole(data.get("turn"))
        if (asked := self._open.get(key)) is not None:
            prompt, cached = _whole(data.get("prompt")), _whole(data.get("cached"))
            asked.abandoned = Abandoned(prompt, cached, str(data.get("text", "")), _parts(data))
            asked.state, asked.ended = "cancelled", event.at

    def _request(self, step: str, drawn: Drawn) -> Asked | None:
        """The request that a reply belongs to: one of several draws is named by its first."""
        back = 0
        while back <= drawn.ask:
            for place in (drawn.place, drawn.place - back):
                found = self._open.get((step, place, drawn.ask - back, drawn.turn))
                if found is not None and found.draws > back:
                    return found
            back += 1
        return None

    def _gave_up(self, event: Event) -> None:
        """An attempt failed and another will follow."""
        for asked in reversed(self.stages[event.step].asked):
            same = asked.place == event.place and asked.model == event.data.get("model")
            if same and asked.state == "waiting":
                asked.state, asked.ended = "retried", event.at
                return

    def _made(self, stage: Stage, event: Event) -> None:
        data = event.data
        key, text, answer = str(data.get("candidate", "")), data.get("text"), data.get("answer")
        scores, notes, parents = data.get("scores"), data.get("notes"), data.get("parents")
        given: dict[str, float] = {}
        if isinstance(scores, Mapping):
            given = {name: _number(score) for name, score in scores.items()}
        told = notes if isinstance(notes, Mapping) else NOTHING
        before = self._seen.get(key)
        made = Made(
            event.step,
            event.place,
            event.at,
            key,
            text if isinstance(text, str) else None,
            answer if isinstance(answer, str) else None,
            given,
            told,
            [str(parent) for parent in parents] if isinstance(parents, Sequence) else (),
            (
                {n: v for n, v in given.items() if before is None or before.scores.get(n) != v},
                {n: v for n, v in told.items() if before is None or before.notes.get(n) != v},
            ),
        )
        stage.made.append(made)
        self._seen[key] = made
        if made.text is not None:
            self.origins[key] = made


class Outline:
    """The runs of a trace, in the order they began, as its events come. A question that is asked
    again, once it was answered, is a run of its own."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self._current: dict[str, Run] = {}

    def take(self, event: Event) -> Run:
        """Take an event in; the run that it belongs to."""
        run = self._current.get(event.question)
        if run is None or (event.what == "started" and run.stages):
            run = Run(event.question, event.at, event.at, len(self.runs))
            self._current[event.question] = run
            self.runs.append(run)
        run.take(event)
        return run


def outline(events: Iterable[Event]) -> list[Run]:
    """The runs of a trace, in the order they began."""
    made = Outline()
    for event in events:
        made.take(event)
    return made.runs


def _whole(value: Json, default: int = 0) -> int:
    return value if isinstance(value, int) else default


def _parts(data: Mapping[str, Json]) -> tuple[Part, ...]:
    parts = data.get("parts")
    told = parts if isinstance(parts, list | tuple) else ()
    return tuple(
        Part(_number(one[0]), _whole(one[1]), _whole(one[2]))
        for one in told
        if isinstance(one, list | tuple) and len(one) == 3
    )


def _digest(data: Mapping[str, Json]) -> int | None:
    told = data.get("digest")
    return told if isinstance(told, int) else None


def _recalled(event: Event) -> Recalled:
    data = event.data
    drawn = Drawn(
        event.place,
        _whole(data.get("ask")),
        _whole(data.get("turn")),
        event.at,
        str(data.get("model", "")),
        str(data.get("text", "")),
        str(data.get("finish", "")),
        prompt=0,
        cached=0,
        tokens=0,
        usd=0.0,
        extras=loaded(data),
    )
    return Recalled(drawn, _digest(data))


def _number(value: Json) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
