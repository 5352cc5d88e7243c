"""A compiled module back into the plan it was written from, held against its lock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from .. import __version__
from .answers import AnswerKind, answer_kind
from .emit.python import FORMAT
from .errors import Span, VersionMismatch
from .flow import infer
from .graph import Graph, Node, Place
from .locked import Lock, Source, Step
from .op import Amount, Op
from .plan import Plan, digest, fingerprints
from .price import price
from .registry import backend_names, operator, operator_names
from .spec import Budget, ModelSpec, QuestionSpec
from .toolspec import ToolSpec
from .values import Json
from .verify import verify

__all__ = ["rebuild"]

ModelT = TypeVar("ModelT", bound=BaseModel)


def rebuild(source: Source) -> Plan:
    """The plan of a compiled module, priced again.

    Raises `VersionMismatch` if its format is newer, if this polyarch cannot run it, or if it would
    ask something else than it was compiled to ask.
    """
    if source.lock.format > FORMAT:
        raise VersionMismatch(
            f"{source.name} has module format {source.lock.format}, made by polyarch "
            f"{source.lock.polyarch}; polyarch {__version__} reads formats up to {FORMAT}"
        )
    graph = _graph(source)
    _check(graph, source)
    question = Amount(*source.question_tokens)
    flows, _ = infer(graph, question)
    costs, total = price(graph, question)
    return Plan(graph, question, flows, costs, total)


def _graph(source: Source) -> Graph:
    place = Place(Span(source.name, 1, 1))
    kind = _answer(source, source.answer)
    return Graph(
        name=source.name,
        about=source.about,
        source=source.source,
        question=_valid(source, "question", QuestionSpec, source.question),
        answer=kind,
        models={name: _model(source, name, given) for name, given in source.models.items()},
        budgets={
            scope: _valid(source, "budget", Budget, given)
            for scope, given in source.budgets.items()
        },
        nodes={given.name: _node(source, given, kind, place) for given in source.steps},
        output=source.output,
        keep=source.keep,
        place=place,
        notes=source.notes,
        tools={
            name: _valid(source, f"tool {name!r}", ToolSpec, given)
            for name, given in source.tools.items()
        },
    )


def _node(source: Source, given: Step, kind: AnswerKind, place: Place) -> Node:
    return Node(
        given.name,
        given.op,
        _operator(source, given),
        given.inputs,
        kind if given.answer is None else _answer(source, given.answer),
        place,
        given.scope,
        given.chunk,
        given.window,
        given.at_least,
        gate=given.gate,
        topic=given.topic,
    )


def _operator(source: Source, given: Step) -> Op:
    if given.op not in operator_names():
        raise _unfit(source, f"step {given.name!r} wants an operator {given.op!r}")
    return _valid(source, f"step {given.name!r}", operator(given.op), given.arguments)


def _model(source: Source, name: str, given: Mapping[str, Json]) -> ModelSpec:
    spec = _valid(source, f"model {name!r}", ModelSpec, given)
    if spec.backend not in backend_names():
        raise _unfit(source, f"model {name!r} wants a backend {spec.backend!r}")
    return spec


def _answer(source: Source, given: str | Mapping[str, Json]) -> AnswerKind:
    try:
        return answer_kind(given)
    except ValueError as error:
        raise _unfit(source, f"answer: {error}") from error


def _valid(source: Source, where: str, cls: type[ModelT], given: Mapping[str, Json]) -> ModelT:
    try:
        return cls.model_validate(given)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        at = ".".join(map(str, problem["loc"]))
        raise _unfit(source, f"{where}: {at}: {problem['msg']}") from error


def _unfit(source: Source, why: str) -> VersionMismatch:
    """What to raise of a module that this polyarch cannot build."""
    return VersionMismatch(f"{source.name} cannot be built: {why}; {_cause(source.lock)}")


def _cause(lock: Lock) -> str:
    if lock.polyarch == __version__:
        return "it was edited since it was compiled: change the YAML and compile it again"
    return (
        f"it was compiled by polyarch {lock.polyarch} and this is {__version__}: install that "
        "version, or compile the YAML again"
    )


def _check(graph: Graph, source: Source) -> None:
    """Raise `VersionMismatch` unless the graph is the one that was compiled."""
    if graph.output not in graph.nodes:
        raise _unfit(source, f"there is no step {graph.output!r}")
    if faults := verify(graph):
        raise _unfit(source, faults[0].message)
    if digest(graph) == source.lock.digest:
        return
    changed = list(_changed(graph, source.lock)) or ["outside the steps"]
    raise VersionMismatch(
        f"{source.name} is not what was compiled, at {', '.join(changed)}; {_cause(source.lock)}"
    )


def _changed(graph: Graph, lock: Lock) -> Iterator[str]:
    steps = fingerprints(graph)
    for name in dict.fromkeys((*lock.steps, *steps)):
        if steps.get(name) != lock.steps.get(name):
            yield f"step {name!r}"
    models = {name: spec.model for name, spec in graph.models.items()}
    for name in dict.fromkeys((*lock.models, *models)):
        if models.get(name) != lock.models.get(name):
            yield f"model {name!r}"
