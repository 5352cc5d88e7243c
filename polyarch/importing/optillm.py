"""Approaches of optillm, as they stand before a model's name, to pipeline files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import yaml

from ..compiler.errors import InputError
from ..compiler.names import nearest
from ..pipelines import path
from .endpoints import PROVIDERS
from .imported import Imported, Written, file_text, slug, unused
from .optillm_approaches import ALIASES, APPROACHES, LACKING

__all__ = ["from_optillm"]

_DEFAULT = "gpt-4o-mini"


class _Asked(NamedTuple):
    """What a name asks for: approaches, how they are joined, and of which model."""

    approaches: tuple[str, ...]
    joined: Literal["", "&", "|"]
    model: str


def from_optillm(name: str) -> Imported:
    """The pipeline of a name such as `moa&self_consistency-gpt-4o`.

    Approaches joined by `&` are asked one after the other, each with the reply of the one before
    as its question; joined by `|`, all are asked the question and all replies come out. Raises
    `InputError` for an approach that has no equal here, naming the nearest pipelines.
    """
    asked = _read(name)
    notes: list[str] = []
    model = _model(asked.model, notes)
    used = _used(asked, notes)
    for approach in dict.fromkeys(used):
        if remark := APPROACHES[approach].remark:
            notes.append(f"{approach}: {remark}")
    answer = None
    if any(APPROACHES[approach].votes for approach in used):
        answer = "number"
        notes.append("answer: number is a guess; it is the kind of your answers that belongs there")
    steps, output = _steps(used, asked.joined)
    head = {"name": slug("_".join(used), "optillm"), "about": f"optillm's {name}"}
    text = file_text(
        head,
        {"model": model},
        steps,
        answer=answer,
        output=output,
        remarks=("Imported from a name of optillm's.", *notes),
    )
    return Imported(text, tuple(notes))


def _read(name: str) -> _Asked:
    """Split a name as optillm does: at hyphens, approaches first."""
    approaches: list[str] = []
    joined: Literal["", "&", "|"] = ""
    parts = name.strip().split("-")
    while parts and (sign := _sign(parts[0])) is not None:
        part = parts.pop(0)
        if sign and joined and sign != joined:
            raise InputError(f"{name!r}: & and | do not go together in optillm")
        joined = sign or joined
        approaches += part.split(sign) if sign else [part]
    if not approaches:
        word = name.partition("-")[0]
        hint = nearest(word, [*APPROACHES, *LACKING])
        raise InputError(
            f"{name!r} begins with no approach of optillm's (for the model alone, write "
            f"none-{name}); {hint}"
        )
    return _Asked(tuple(_known(word) for word in approaches), joined, "-".join(parts))


def _sign(part: str) -> Literal["", "&", "|"] | None:
    """How the approaches in a part are joined; None if the model's name begins there."""
    if "&" in part and "|" in part:
        raise InputError(f"{part!r}: & and | do not go together in optillm")
    if "&" in part:
        return "&"
    if "|" in part:
        return "|"
    return "" if part in APPROACHES or part in ALIASES or part in LACKING else None


def _known(word: str) -> str:
    """The approach of that name. Raises `InputError` for one without an equal here."""
    word = ALIASES.get(word, word)
    if word in APPROACHES:
        return word
    if word in LACKING:
        why, near = LACKING[word]
        told = f"optillm's {word!r} has no equal here: {why}"
        listed = f"; the nearest in the library: {', '.join(near)}" if near else ""
        raise InputError(told + listed)
    raise InputError(f"no approach {word!r} in optillm; {nearest(word, [*APPROACHES, *LACKING])}")


def _used(asked: _Asked, notes: list[str]) -> tuple[str, ...]:
    """The approaches that optillm runs: only the first where nothing joins them."""
    if not asked.joined and len(asked.approaches) > 1:
        notes.append("of approaches joined by hyphens optillm runs the first alone; & joins them")
        return asked.approaches[:1]
    return asked.approaches


def _model(name: str, notes: list[str]) -> str:
    """The model as a pipeline file names it. Raises `InputError`."""
    if not name:
        notes.append(f"no model is named: it is optillm's default, {_DEFAULT}")
        return f"openai/{_DEFAULT}"
    if "/" not in name:
        return f"openai/{name}"
    if name.startswith("openai/"):
        return name
    if name.partition("/")[0] in PROVIDERS.values():
        return f"litellm/{name}"
    if "+" in name:
        raise InputError(f"{name!r}: adapters on top of a model have no equal here")
    notes.append(
        f"{name} is taken for a model of Hugging Face's that vLLM runs in this process; for a "
        "server, write openai/NAME with options: {base_url: …}"
    )
    return f"vllm/{name}"


def _steps(
    used: Sequence[str], joined: Literal["", "&", "|"]
) -> tuple[list[Written], Mapping[str, Any] | None]:
    if joined == "&":
        return list(_chained(used)), None
    if joined == "|":
        return list(_beside(used)), {"from": "answers", "keep": len(used)}
    return [Written(name, step) for name, step in _own(used[0]).items()], None


def _chained(used: Sequence[str]) -> Iterator[Written]:
    """One after the other, each asked what the one before replied."""
    for name, step in _own(used[0], f"{used[0]}_").items():
        yield Written(name, step)
    taken: set[str] = set()
    for approach in used[1:]:
        name = unused(approach, taken)
        taken.add(name)
        step = {"op": "map", "split": "whole", "most": 1, "steps": _own(approach)}
        yield Written(name, step, ("Its question is the reply of the step before, as in optillm.",))


def _beside(used: Sequence[str]) -> Iterator[Written]:
    """All of them, each asked the question."""
    ends: list[str] = []
    for number, approach in enumerate(used, 1):
        prefix = f"{approach}_" if used.count(approach) == 1 else f"{approach}_{number}_"
        steps = _own(approach, prefix)
        for name, step in steps.items():
            yield Written(name, step)
        ends.append(list(steps)[-1])
    yield Written("answers", {"op": "gather", "from": ends})


def _own(approach: str, prefix: str = "") -> dict[str, dict[str, Any]]:
    """An approach's steps, each reading the one before it, asked of the file's one model."""
    told = APPROACHES[approach]
    library: Mapping[str, Any] = {}
    if told.pipeline:
        library = yaml.safe_load(path(told.pipeline).read_text("utf-8"))["steps"]
    made = {}
    for name in (*library, *(n for n in told.changes if n not in library)):
        step = {**library.get(name, {}), **told.changes.get(name, {})}
        step.pop("model", None)
        made[prefix + name] = step
    return made
