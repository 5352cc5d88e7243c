"""The steps of a pipeline: operators, what they read, what becomes of failures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..answers import AnswerKind
from ..graph import INPUT, QUESTION, Node, Place
from ..names import nearest
from ..nested import Nested
from ..op import Op, Source
from ..registry import operator, operator_names
from ..spec import STEP_KEYS, ModelSpec, Spec
from .faults import Faults, explain
from .files import Files, opened_in, with_files
from .models import check_askings

__all__ = ["steps_of"]

_PIPELINE = "pipeline"


def steps_of(
    spec: Spec,
    kind: AnswerKind,
    models: dict[str, ModelSpec],
    folder: Path,
    opened: Files,
    faults: Faults,
) -> dict[str, Node]:
    """The steps that can be made sense of, as nodes; faults for the others. `models` gains those
    that steps write out."""
    nodes: dict[str, Node] = {}
    before = ""
    for name in faults.steps:
        path = ("steps", name)
        written = spec.steps.get(name)
        if not name.isidentifier() or name in (QUESTION, INPUT):
            why = "is taken" if name in (QUESTION, INPUT) else "is not a plain word"
            faults.add(
                "step-name", f"a step cannot be named {name!r}: the name {why}", path, key=True
            )
        if written is None:
            before = name
            continue
        op = _operator(written, path, spec, folder, opened, faults)
        inputs = _inputs(name, written, before, op, faults)
        before = name
        if op is None or inputs is None:
            continue
        check_askings(op, path, spec.question.fields, models, faults)
        place = Place(
            faults.document.span(path, key=True),
            {argument: faults.document.span((*path, argument)) for argument in written},
        )
        at_least = _at_least(written, path, faults)
        nodes[name] = Node(
            name,
            str(written["op"]),
            op,
            inputs,
            kind,
            place,
            at_least=at_least,
            layout=spec.layout,
        )
    return nodes


def _operator(
    written: Mapping[str, Any],
    path: tuple[str | int, ...],
    spec: Spec,
    folder: Path,
    opened: Files,
    faults: Faults,
) -> Op | None:
    name = written.get("op")
    if not isinstance(name, str):
        known = ", ".join((*operator_names(), _PIPELINE))
        faults.add(
            "missing", "a step names its operator with `op:`", path, f"known: {known}", key=True
        )
        return None
    if name == _PIPELINE:
        cls: type[Op] = Nested
    elif name in operator_names():
        cls = operator(name)
    else:
        hint = nearest(name, (*operator_names(), _PIPELINE))
        faults.add("unknown-operator", f"unknown operator {name!r}", (*path, "op"), hint)
        return None
    before = len(faults.found)
    plain = {key: value for key, value in written.items() if key not in STEP_KEYS}
    plain = with_files(plain, path, folder, faults)
    try:
        op = cls.model_validate(plain)
    except ValidationError as error:
        explain(error, path, cls, faults)
        return None
    if len(faults.found) > before:
        return None
    return opened_in(op, path, folder, opened, faults) if isinstance(op, Nested) else op


def _inputs(
    name: str,
    written: Mapping[str, Any],
    before: str,
    op: Op | None,
    faults: Faults,
) -> tuple[str, ...] | None:
    """What a step reads; None if that cannot be told."""
    names = faults.steps
    path = ("steps", name, "from")
    found = len(faults.found)
    source = isinstance(op, Source) or (isinstance(op, Nested) and not op.reads_input)
    if "from" not in written:
        if source or op is None:
            return ()
        if not before:
            message = f"{written['op']} reads candidates, and no step stands before it"
            faults.add("no-input", message, path[:2], key=True)
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


def _at_least(
    written: Mapping[str, Any], path: tuple[str | int, ...], faults: Faults
) -> int | None:
    """How many candidates must come out of a step when some fail: `on_failure: fail | drop |
    {min: n}`."""
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
