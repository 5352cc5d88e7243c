"""The steps of a pipeline: operators, what they read, what becomes of failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from pydantic import ValidationError

from ..answers import AnswerKind
from ..graph import INPUT, QUESTION, Graph, Node, Place
from ..holder import Holder
from ..names import nearest
from ..nested import Nested
from ..op import Op, of_question
from ..regions import REGIONS, Region, Written
from ..registry import operator, operator_names
from ..spec import STEP_KEYS, ModelSpec, Spec
from .artefacts import with_artefacts
from .budgets import Budgets
from .faults import Faults, explain
from .files import MOST_STEPS, Files, opened_in, with_files
from .models import check_askings
from .tools import named_tools

__all__ = ["Around", "steps_of"]

Where: TypeAlias = "tuple[str | int, ...]"

_OURS: Mapping[str, type[Op]] = MappingProxyType({"pipeline": Nested, **REGIONS})
"""What a step may be beside the operators."""


@dataclass(frozen=True, slots=True)
class Around:
    """What is the same for all steps of a pipeline, be they inside a region or not. `models` gains
    those that steps write out, `budgets` those that steps have."""

    spec: Spec
    kind: AnswerKind
    models: dict[str, ModelSpec]
    folder: Path
    opened: Files
    budgets: Budgets
    faults: Faults


def steps_of(around: Around) -> dict[str, Node]:
    """The steps that can be made sense of, as nodes; faults for the others."""
    return _block(_Block(around, Written(("steps",), around.spec.steps), around.faults.steps))


@dataclass(frozen=True, slots=True)
class _Block:
    """Steps that stand together: those of a pipeline, or those inside a region.

    `names` are all of them, be they right or wrong; `before` is what the first one reads.
    """

    around: Around
    written: Written
    names: tuple[str, ...]
    before: str = ""


def _block(block: _Block) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    before, faults = block.before, block.around.faults
    for name in block.names:
        path = block.written.step(name)
        if not name.isidentifier() or name in (QUESTION, INPUT):
            why = "is taken" if name in (QUESTION, INPUT) else "is not a plain word"
            faults.add(
                "step-name", f"a step cannot be named {name!r}: the name {why}", path, key=True
            )
        if name in block.written.steps:
            node = _node(block, name, before)
            if node is not None:
                nodes[name] = node
        before = name
    return nodes


def _node(block: _Block, name: str, before: str) -> Node | None:
    around, path = block.around, block.written.step(name)
    written, faults = block.written.steps[name], around.faults
    op = _operator(written, path, around)
    inputs = _inputs(name, written, before, op, block)
    if op is None or inputs is None:
        return None
    op = named_tools(op, around.spec, path, faults)
    check_askings(op, path, around.spec.question.fields, around.models, faults)
    place = Place(
        faults.document.span(path, key=True),
        {argument: faults.document.span((*path, argument)) for argument in written},
    )
    at_least = _at_least(written, path, op, faults)
    scope = around.budgets.scope(name, written, op, path)
    kind = str(written["op"])
    return Node(
        name,
        kind,
        op,
        inputs,
        around.kind,
        place,
        scope,
        at_least=at_least,
        layout=around.spec.layout,
    )


def _operator(written: Mapping[str, Any], path: Where, around: Around) -> Op | None:
    name, faults = written.get("op"), around.faults
    if not isinstance(name, str):
        known = ", ".join((*operator_names(), *_OURS))
        faults.add(
            "missing", "a step names its operator with `op:`", path, f"known: {known}", key=True
        )
        return None
    if name in _OURS:
        cls: type[Op] = _OURS[name]
    elif name in operator_names():
        cls = operator(name)
    else:
        hint = nearest(name, (*operator_names(), *_OURS))
        faults.add("unknown-operator", f"unknown operator {name!r}", (*path, "op"), hint)
        return None
    before = len(faults.found)
    plain = {key: value for key, value in written.items() if key not in STEP_KEYS}
    plain = with_files(plain, path, around.folder, faults)
    named = {model: spec.model for model, spec in around.models.items()}
    plain = with_artefacts(plain, path, around.folder, named, faults)
    if len(faults.found) > before:
        return None
    try:
        op = cls.model_validate(plain)
    except ValidationError as error:
        explain(error, path, cls, faults)
        return None
    if len(faults.found) > before:
        return None
    if isinstance(op, Nested):
        return opened_in(op, path, around.folder, around.opened, faults)
    return _with_bodies(op, path, around) if isinstance(op, Region) else op


def _with_bodies(region: Region, path: Where, around: Around) -> Region | None:
    """The region with the steps inside it built; None if any of them is at fault."""
    faults = around.faults
    before = len(faults.found)
    bodies = {}
    for name, inside in region.written().items():
        written = Written((*path, *inside.path), inside.steps, inside.alone)
        nodes = _block(_Block(around, written, tuple(inside.steps), INPUT))
        bodies[name] = _body(name, nodes, written, around)
    if len(faults.found) > before:
        return None
    held = region.holding(bodies)
    if held.size > MOST_STEPS:
        told = f"it becomes {held.size:,} steps, more than {MOST_STEPS:,}"
        faults.add("too-large", told, path, key=True)
        return None
    return held


def _body(name: str, nodes: Mapping[str, Node], written: Written, around: Around) -> Graph:
    *_, last = written.steps
    place = Place(around.faults.document.span(written.step(last), key=True))
    spec, kind, models = around.spec, around.kind, around.models
    return Graph(name, "", "", spec.question, kind, models, {}, nodes, last, 1, place)


def _inputs(
    name: str, written: Mapping[str, Any], before: str, op: Op | None, block: _Block
) -> tuple[str, ...] | None:
    """What a step reads; None if that cannot be told."""
    names, faults = block.names, block.around.faults
    step = block.written.step(name)
    path = (*step, "from")
    found = len(faults.found)
    source = isinstance(op, Holder) and not op.reads_input
    source = source or (op is not None and of_question(op))
    if "from" not in written:
        if source or op is None:
            return ()
        if not before:
            message = f"{written['op']} reads candidates, and no step stands before it"
            faults.add("no-input", message, step, key=True)
            return None
        return (before,)
    given = written["from"]
    listed = given if isinstance(given, list) else [given]
    inputs: list[str] = []
    for place, word in enumerate(listed):
        at = (*path, place) if isinstance(given, list) else path
        if not isinstance(word, str):
            faults.add("type", "`from` takes the name of a step, or a list of names", at)
        elif word in inputs:
            faults.add("duplicate", f"{word!r} is read twice", at)
        elif word == QUESTION:
            continue
        elif word == INPUT or word in names:
            if source:
                kind = written["op"]
                faults.add("flow", f"{kind} reads the question alone, not {word!r}", at)
            elif word in names and names.index(word) >= names.index(name):
                what = "itself" if word == name else f"{word!r}, which stands after it"
                faults.add("forward", f"step {name!r} reads {what}", at)
            inputs.append(word)
        else:
            known = [*names[: names.index(name)], QUESTION]
            faults.add("unknown-step", f"unknown step {word!r}", at, nearest(word, known))
    nothing = not inputs and len(faults.found) == found
    if nothing and op is not None and not source:
        faults.add("flow", f"{written['op']} over nothing: it reads candidates", path)
    return tuple(inputs) if len(faults.found) == found else None


def _at_least(written: Mapping[str, Any], path: Where, op: Op, faults: Faults) -> int | None:
    """How many candidates must come out of a step when some fail: `on_failure: fail | drop |
    {min: n}`."""
    if "on_failure" in written and isinstance(op, Region):
        told = "a region cannot fail by itself: the steps inside it say what happens"
        faults.add("value", told, (*path, "on_failure"), key=True)
        return None
    match written.get("on_failure", "fail"):
        case "fail":
            return None
        case "drop":
            return 0
        case {"min": int(least), **rest} if not rest and least > 0:
            return least
    message = "on_failure is fail, drop or {min: N}"
    faults.add("value", message, (*path, "on_failure"))
    return None
