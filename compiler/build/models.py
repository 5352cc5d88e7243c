"""The models that a pipeline and its steps name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from ..errors import PolyarchError
from ..names import nearest
from ..op import Asking, Op
from ..registry import backend_names, model_info
from ..spec import ModelSpec, Spec
from ..template import Template
from .faults import Faults
from .offers import check_offers, check_thinking

__all__ = ["check_askings", "known_model", "leaves", "models_of"]


def models_of(spec: Spec, faults: Faults) -> dict[str, ModelSpec]:
    """The models of a pipeline that its backends know; a fault for each other one."""
    for name, model in spec.models.items():
        for place, other in enumerate(model.fallback):
            if other not in spec.models or other == name:
                hint = nearest(other, [known for known in spec.models if known != name])
                path = ("models", name, "fallback", place)
                faults.add("unknown-model", f"no other model {other!r} to fall back to", path, hint)
    models = {
        name: model
        for name, model in spec.models.items()
        if known_model(model, ("models", name), faults)
    }
    for name in models:
        check_thinking(name, models, faults)
    return models


def known_model(model: ModelSpec, path: tuple[str | int, ...], faults: Faults) -> bool:
    """Whether a backend has the model; a fault if not."""
    if model.backend not in backend_names():
        faults.add(
            "unknown-backend",
            f"unknown backend {model.backend!r}",
            path,
            nearest(model.backend, backend_names()),
        )
        return False
    try:
        model_info(model)
    except PolyarchError as error:
        faults.add(error.code, str(error), path)
        return False
    return True


def check_askings(
    op: Op,
    path: tuple[str | int, ...],
    fields: tuple[str, ...],
    models: dict[str, ModelSpec],
    faults: Faults,
) -> None:
    """Faults for the models and prompts that a step names."""
    told: set[object] = set()
    for asking in op.askings():
        # What draws of one source have in common is told once.
        alike = (type(asking), asking.model, asking.prompt, asking.asks())
        if alike in told:
            continue
        told.add(alike)
        name = _named_model(asking, path, models, faults)
        if name is not None:
            check_offers(asking, op.roles(), name, path, models, faults)
        if asking.prompt is not None:
            _check_prompt(asking, fields, path, faults)


def _check_prompt(
    asking: Asking, fields: tuple[str, ...], path: tuple[str | int, ...], faults: Faults
) -> None:
    """Faults for the names that a prompt may not hold, at their places inside it, and for those
    that it must."""
    text = asking.prompt or ""
    written = faults.plain
    for part in path:
        written = written[part]
    at = next((found for found, leaf in leaves(written, path) if leaf == text), (*path, "prompt"))
    variables = asking.variables.union(fields)
    for wrong in Template(text, variables, asking.required).check():
        word = text[wrong.offset : wrong.offset + wrong.width]
        nth = text[: wrong.offset].count(word)
        span = faults.document.inside(at, word, nth)
        faults.at("prompt", wrong.message, span, wrong.hint)


def _named_model(
    asking: Asking, path: tuple[str | int, ...], models: dict[str, ModelSpec], faults: Faults
) -> str | None:
    """The name of the model that a step asks: one of `models:`, or backend/model, which then joins
    them."""
    if asking.model is None:
        if len(models) == 1:
            return next(iter(models))
        if not faults.declares_models():
            told = f"name one of: {', '.join(models)}" if models else "declare one in `models:`"
            faults.add("no-model", "which model is asked?", path, told, key=True)
        return None
    if asking.model in models:
        return asking.model
    if faults.declares_models(asking.model):
        return None
    at = _where(faults.plain, path, asking.model)
    if "/" not in asking.model:
        hint = nearest(asking.model, models)
        faults.add("unknown-model", f"unknown model {asking.model!r}", at, hint)
        return None
    try:
        model = ModelSpec(model=asking.model)
    except ValidationError:
        faults.add("unknown-model", f"{asking.model!r} is not backend/model", at)
        return None
    if not known_model(model, at, faults):
        return None
    models[asking.model] = model
    return asking.model


def _where(plain: Any, path: tuple[str | int, ...], model: str | None) -> tuple[str | int, ...]:
    """The path at which a step writes the name of a model."""
    value = plain
    for part in path:
        value = value[part]
    for found, leaf in leaves(value, path):
        if leaf == model and (found[-1] == "model" or isinstance(found[-1], int)):
            return found
    return path


def leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """The plain values inside a value, with their paths."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    else:
        yield path, value
