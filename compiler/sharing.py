"""What the prompts of a graph have in common, estimated before anything runs.

An endpoint with a prefix cache computes a beginning that several prompts share once. Lengths are
estimates, half-way between their bounds; system messages, images and repair turns are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import ceil

from .flow import infer, read_by
from .graph import Graph, Node
from .op import Amount, Asking, Flow, Shown, Source
from .prefixes import Key, Prefixes, Segment
from .registry import model_info
from .template import Template

__all__ = ["Prompts", "Share", "prompts", "sharing"]

_CHARS = 4
"""Characters in a token."""


@dataclass(frozen=True, slots=True)
class Share:
    """Prompt tokens that a step sends for one question, and those of them that are new: in no
    prompt of this step or an earlier one so far."""

    sent: int = 0
    computed: int = 0

    def __add__(self, other: Share) -> Share:
        return Share(self.sent + other.sent, self.computed + other.computed)


@dataclass(frozen=True, slots=True)
class Prompts:
    """The prompts that one asking of a step sends to a model for one question, in so many
    requests. `shown` and `question` are the variables that stand for candidates and question."""

    step: str
    place: int
    asking: Asking
    model: str
    requests: int
    shown: frozenset[str]
    question: frozenset[str]
    _slots: Mapping[str, Segment]

    @property
    def template(self) -> str:
        """The prompt in use; without any, the question's own chat is sent."""
        return self.asking.wording or "{question}"

    def segments(self, text: str) -> tuple[Segment, ...]:
        """The segments of these prompts, if their template were `text`."""
        parts = _parts(text, self.asking.variables | self.question)
        return tuple(self._slots[name] if name else _static(between) for name, between in parts)


def sharing(graph: Graph, question: Amount) -> dict[str, Share]:
    """What each asking step of a settled graph sends, and what of that is new, for one question of
    so many tokens."""
    shares: dict[str, Share] = {}
    prefixes = Prefixes()
    for one in prompts(graph, question):
        segments = one.segments(one.template)
        route = prefixes.route(one.model, segments)
        sent = one.requests * sum(segment.tokens for segment in segments)
        # Of requests that may not be made, less is sent than would be new.
        own = Share(sent, min(sent, prefixes.new(route)))
        shares[one.step] = shares.get(one.step, Share()) + own
        prefixes.add(route)
    return shares


def prompts(graph: Graph, question: Amount) -> Iterator[Prompts]:
    """The prompts of every asking of a settled graph, in running order; not of models that render
    their prompts themselves."""
    plain = {name for name, spec in graph.models.items() if model_info(spec).roles is None}
    flows, _ = infer(graph, question)
    texts: dict[str, _Texts] = {}
    for name in graph.order:
        node = graph.nodes[name]
        read = _joined([texts[given] for given in node.inputs])
        texts[name] = _made(node, flows[name], read)
        given = read_by(node.op, [flows[i] for i in node.inputs]) if node.inputs else _NOTHING
        for one in _prompts(graph, node, _typical(replace(given, question=question)), read):
            if one.asking.model in plain:
                yield one


@dataclass(frozen=True, slots=True)
class _Texts:
    """Where the texts of an edge come from: the steps that made them, with how many each made; the
    steps that put them in order; and how long one is."""

    made: Mapping[str, int] = field(default_factory=dict)
    order: Key = ()
    tokens: int = 0


_NOTHING = Flow(Amount(0, 0))


def _made(node: Node, flow: Flow, read: _Texts) -> _Texts:
    match node.op.keeps():
        case "all":
            return read
        case "some":
            return replace(read, order=(node.name,))
    return _Texts({node.name: flow.count.high}, (node.name,), _middle(flow.tokens))


def _joined(read: Sequence[_Texts]) -> _Texts:
    return _Texts(
        {name: count for texts in read for name, count in texts.made.items()},
        tuple(name for texts in read for name in texts.order),
        max((texts.tokens for texts in read), default=0),
    )


def _prompts(graph: Graph, node: Node, given: Flow, read: _Texts) -> Iterator[Prompts]:
    askings = node.op.askings()
    question = frozenset({"question", *graph.question.fields})
    for place, (asking, requests) in enumerate(zip(askings, _requests(node, given), strict=False)):
        shows = asking.shows(given)
        slots = {name: _shown(shown, given, read) for name, shown in shows.items()}
        for name in (asking.variables | question) - slots.keys():
            about = name in question
            slots[name] = _asked(name, given) if about else _static(str(getattr(asking, name, "")))
        model = graph.models[asking.model or ""].model
        shown = frozenset(shows)
        yield Prompts(node.name, place, asking, model, requests, shown, question, slots)


def _requests(node: Node, given: Flow) -> Sequence[int]:
    """How many requests each asking of a step makes, none of them a repair turn."""
    if isinstance(node.op, Source):
        return [ceil(len(group) / node.chunk) for group in node.op.groups()]
    return [calls.count.low for calls in node.op.calls(given)]


def _shown(shown: Shown, given: Flow, read: _Texts) -> Segment:
    tokens = {
        "texts": read.tokens,
        "notes": max(0, given.tokens.low - read.tokens),
        "both": given.tokens.low,
    }
    alone = shown.of == 1
    # Read by two ways, a candidate still has one text.
    times = min(shown.times, sum(read.made.values())) if alone else shown.times
    key = (shown.what, *(read.made if alone else ("in order", *read.order)))
    return Segment(key, times, shown.of * tokens[shown.what])


def _asked(name: str, given: Flow) -> Segment:
    return Segment((name, "question"), 1, given.question.low)


@lru_cache(maxsize=1024)
def _parts(text: str, variables: frozenset[str]) -> tuple[tuple[str, str], ...]:
    return Template(text, variables).parts


def _static(text: str) -> Segment:
    return Segment(("", text), 1, len(text) // _CHARS)


def _typical(flow: Flow) -> Flow:
    """The flow with as many candidates as there can be, and lengths half-way between bounds."""
    count, tokens, question = flow.count.high, _middle(flow.tokens), _middle(flow.question)
    return replace(
        flow,
        count=Amount(count, count),
        tokens=Amount(tokens, tokens),
        question=Amount(question, question),
    )


def _middle(amount: Amount) -> int:
    return (amount.low + amount.high) // 2
