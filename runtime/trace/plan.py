"""A plan as a trace holds it: enough to run it again, without its models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from pydantic import BaseModel

from ... import __version__
from ...compiler.emit.literals import answer
from ...compiler.emit.python import FORMAT
from ...compiler.errors import VersionMismatch
from ...compiler.graph import Graph, Node
from ...compiler.locked import Lock, Source, Step
from ...compiler.plan import Plan, digest, fingerprints
from ...compiler.rebuild import rebuild
from ...compiler.registry import model_info
from ...compiler.spec import ModelSpec, PriceSpec
from ...compiler.toolspec import ToolSpec
from ...compiler.values import Json

__all__ = ["described", "rebuilt"]


def described(plan: Plan) -> Mapping[str, Json]:
    """The plan, its models replaced by stand-ins of equal price: where models are, how they are
    reached and with which options stays out of it."""
    models = {name: _stand_in(spec) for name, spec in plan.graph.models.items()}
    tools = {name: _played(spec) for name, spec in plan.graph.tools.items()}
    graph = replace(plan.graph, models=models, tools=tools)
    return {
        "format": FORMAT,
        "digest": digest(graph),
        "fingerprints": fingerprints(graph),
        "name": graph.name,
        "about": graph.about,
        "source": graph.source,
        "question": graph.question.model_dump(mode="json", exclude_defaults=True),
        "question_tokens": [plan.question.low, plan.question.high],
        "models": _dumped(graph.models),
        "tools": _dumped(graph.tools),
        "answer": answer(graph.answer),
        "budgets": _dumped(graph.budgets),
        "steps": [_step(graph, node) for node in graph.nodes.values()],
        "output": graph.output,
        "keep": graph.keep,
    }


def rebuilt(told: Mapping[str, Json], polyarch: str) -> Plan:
    """The plan that `described` told, made by that version of polyarch.

    Raises `VersionMismatch` if this polyarch would ask something else, or cannot build it.
    """
    try:
        source = _source(cast("Mapping[str, object]", told), polyarch)
    except (KeyError, TypeError) as error:
        raise VersionMismatch(f"the trace holds no plan that can be run: {error!r}") from error
    try:
        return rebuild(source)
    except VersionMismatch as error:
        raise VersionMismatch(
            f"the trace was written by polyarch {polyarch}, and polyarch {__version__} cannot run "
            f"its plan as it was: {str(error).rsplit('; ', 1)[0]}"
        ) from error


def _stand_in(spec: ModelSpec) -> ModelSpec:
    """A model that stands for another in a replay. It answers at once or never, so nothing that
    waits, asks again or slows down is kept."""
    info = model_info(spec)
    cost = spec.price.price() if spec.price else info.price
    return ModelSpec(
        model=f"scripted/{spec.model}",
        price=PriceSpec(prompt=cost.prompt, completion=cost.completion, cached=cost.cached),
        concurrency=None
        if spec.concurrency == "adaptive"
        else spec.concurrency or info.concurrency,
        retries=0,
        fallback=spec.fallback,
        options={"offers": sorted(offered.value for offered in info.capabilities)},
    )


def _played(spec: ToolSpec) -> ToolSpec:
    """A tool that stands for another in a replay. Only what its calls cost is known of it."""
    return ToolSpec(given=True, usd=spec.usd, idempotent=spec.retries > 0, retries=spec.retries)


def _dumped(values: Mapping[str, BaseModel]) -> Mapping[str, Json]:
    return {n: v.model_dump(mode="json", exclude_defaults=True) for n, v in values.items()}


def _step(graph: Graph, node: Node) -> Mapping[str, Json]:
    told: dict[str, Json] = {
        "name": node.name,
        "op": node.kind,
        # All that were set: an ensemble gives its own to members that lack them.
        "arguments": node.op.model_dump(mode="json", exclude_unset=True),
        "inputs": node.inputs,
        "chunk": node.chunk,
        "window": node.window,
        "at_least": node.at_least,
        "scope": node.scope,
        "gate": node.gate,
        "topic": node.topic,
    }
    if node.answer != graph.answer:
        told["answer"] = answer(node.answer)
    return told


def _source(told: Mapping[str, object], polyarch: str) -> Source:
    """As `polyarch.compiled` takes it. Raises KeyError and TypeError; the rest is checked later."""
    given = cast("Mapping[str, Mapping[str, Json]]", told)
    low, high = cast("Sequence[int]", told["question_tokens"])
    lock = Lock(
        format=cast(int, told["format"]),
        polyarch=polyarch,
        digest=cast(str, told["digest"]),
        models={name: str(spec["model"]) for name, spec in _table(told["models"]).items()},
        prompts={},
        steps=cast("Mapping[str, str]", told["fingerprints"]),
        calls=(0, 0),
        prompt_tokens=(0, 0),
        completion_tokens=(0, 0),
        usd=(0.0, 0.0),
    )
    return Source(
        lock=lock,
        name=str(told["name"]),
        about=str(told["about"]),
        source=str(told["source"]),
        question=given["question"],
        question_tokens=(low, high),
        models=_table(told["models"]),
        answer=cast("str | Mapping[str, Json]", told["answer"]),
        budgets=_table(told["budgets"]),
        steps=[_rebuilt_step(step) for step in cast("Sequence[Mapping[str, Json]]", told["steps"])],
        output=str(told["output"]),
        keep=cast(int, told["keep"]),
        notes=(),
        tools=_table(told.get("tools", {})),
    )


def _table(value: object) -> Mapping[str, Mapping[str, Json]]:
    return cast("Mapping[str, Mapping[str, Json]]", value)


def _rebuilt_step(told: Mapping[str, Json]) -> Step:
    return Step(
        name=str(told["name"]),
        op=str(told["op"]),
        arguments=cast("Mapping[str, Json]", told["arguments"]),
        inputs=tuple(cast("Sequence[str]", told["inputs"])),
        chunk=cast(int, told["chunk"]),
        window=cast("int | None", told["window"]),
        answer=cast("str | Mapping[str, Json] | None", told.get("answer")),
        scope=str(told["scope"]),
        at_least=cast("int | None", told.get("at_least")),
        gate=str(told.get("gate", "")),
        topic=str(told.get("topic", "")),
    )
