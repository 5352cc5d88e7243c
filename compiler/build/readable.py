"""The spec of a document; where parts of it are wrong, what is right of it."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from ..answers import AnswerKind, answer_kind
from ..errors import PolyarchError
from ..names import nearest
from ..spec import Spec
from .faults import Faults, explain, known_part

__all__ = ["answer_of", "output_of", "readable"]

_ATTEMPTS = 4


def readable(faults: Faults) -> Spec | None:
    """The spec; where parts of it are wrong, what is right of it, so that the rest is checked."""
    if not isinstance(faults.plain, dict):
        faults.add("type", "a pipeline file holds a mapping of keys such as name and steps", ())
        return None
    plain = faults.plain
    for attempt in range(_ATTEMPTS):
        try:
            return Spec.model_validate(plain)
        except ValidationError as error:
            no_steps = any(p["loc"] == ("steps",) for p in error.errors())
            # Left without steps by what was told before.
            if not (no_steps and attempt):
                explain(error, (), Spec, faults)
            if no_steps:
                return None
            plain = _without(plain, [known_part(plain, p["loc"]) for p in error.errors()])
            plain.setdefault("name", "unnamed")
    return None


def _without(plain: Any, paths: list[tuple[str | int, ...]]) -> Any:
    """A copy of nested mappings without what stands at the paths."""
    copy = dict(plain)
    for head in {path[0] for path in paths if path}:
        inner = [path[1:] for path in paths if path[:1] == (head,)]
        if () in inner or not isinstance(copy[head], dict):
            del copy[head]
        else:
            copy[head] = _without(copy[head], inner)
    return copy


def answer_of(spec: Spec, faults: Faults) -> AnswerKind:
    """How the pipeline reads answers."""
    try:
        return answer_kind(spec.answer)
    except ValueError as error:
        faults.add("answer-kind", str(error), ("answer",))
    except PolyarchError as error:
        faults.add(error.code, str(error), ("answer",))
    return answer_kind("text")


def output_of(spec: Spec, faults: Faults) -> tuple[str, int]:
    """The step that is the result, and how many candidates it may hold."""
    if spec.output is None:
        return faults.steps[-1], 1
    if spec.output.from_ not in faults.steps:
        hint = nearest(spec.output.from_, faults.steps)
        path = ("output", "from") if isinstance(faults.plain["output"], dict) else ("output",)
        faults.add("unknown-step", f"unknown step {spec.output.from_!r}", path, hint)
    return spec.output.from_, spec.output.keep
