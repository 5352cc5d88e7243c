"""Whether models offer what steps need, and where it can be had if they do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

from ..lacks import reached
from ..model import Capability
from ..op import Asking
from ..registry import backend_names, model_info, offers
from ..spec import ModelSpec
from .faults import Faults

__all__ = ["check_offers", "check_thinking"]


def check_offers(
    asking: Asking,
    roles: Set[str],
    name: str,
    path: tuple[str | int, ...],
    models: Mapping[str, ModelSpec],
    faults: Faults,
) -> None:
    """Faults for what the model of that name, or one that may be asked in its place, does not
    offer and the asking needs: capabilities, and the kinds of work in `roles`."""
    step = path[1]
    for model in reached(name, models):
        spec = models[model]
        info = model_info(spec)
        asked = _named(model, spec)
        if model != name:
            asked += f", the fallback of {name},"
        lacking = sorted(asking.asks() - info.capabilities, key=lambda need: need.value)
        if lacking:
            told = ", ".join(need.value for need in lacking)
            message = f"step {step!r} needs {told}, which {asked} does not offer"
            hint = _instead(lacking, roles, spec, models)
            faults.add("capability", message, path, hint, key=True)
        if info.roles is not None and (unknown := sorted(roles - info.roles)):
            message = f"step {step!r}: {asked} cannot {' or '.join(unknown)}"
            served = f"it serves: {', '.join(sorted(info.roles))}"
            faults.add("capability", message, path, served, key=True)


def check_thinking(name: str, models: Mapping[str, ModelSpec], faults: Faults) -> None:
    """A fault for a model with a bound on reasoning that cannot be told of one."""
    spec = models[name]
    if spec.thinking is None or Capability.THINKING in model_info(spec).capabilities:
        return
    message = f"{_named(name, spec)} does not offer thinking"
    hint = _instead([Capability.THINKING], frozenset(), spec, models)
    faults.add("capability", message, ("models", name, "thinking"), hint)


def _named(name: str, spec: ModelSpec) -> str:
    return name if name == spec.model else f"{name} ({spec.model})"


def _instead(
    lacking: Sequence[Capability],
    roles: Set[str],
    spec: ModelSpec,
    models: Mapping[str, ModelSpec],
) -> str:
    """What offers each of them: an option of this very model, other models of the pipeline that
    can do the work, or else backends."""
    return "; ".join(_of_one(need, roles, spec, models) for need in lacking)


def _of_one(
    need: Capability, roles: Set[str], spec: ModelSpec, models: Mapping[str, ModelSpec]
) -> str:
    told = []
    if option := offers(spec.backend).get(need):
        told.append(f"{spec.backend} offers it with {option}")
    infos = {name: model_info(other) for name, other in models.items()}
    able = [
        name
        for name, info in infos.items()
        if need in info.capabilities and (info.roles is None or roles <= info.roles)
    ]
    if able:
        verb = "offers" if len(able) == 1 else "offer"
        told.append(f"{', '.join(able)} of this pipeline {verb} it")
    elif others := list(_backends(need, spec.backend)):
        told.append(f"{'other ' if told else ''}backends that offer it: {', '.join(others)}")
    return f"{need.value}: {', or '.join(told) or 'no installed backend offers it'}"


def _backends(need: Capability, but: str) -> Iterator[str]:
    for name in backend_names():
        option = offers(name).get(need)
        if option is not None and name != but:
            yield f"{name} (with {option})" if option else name
