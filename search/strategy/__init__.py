"""Strategies, found by name: who decides what is tried next."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from ...compiler.errors import InputError
from ...compiler.names import nearest
from .base import Setting, Strategy

__all__ = ["STRATEGIES", "Setting", "Strategy", "strategy"]

STRATEGIES: Mapping[str, str] = MappingProxyType(
    {
        "frugal": "the most expected improvement for a call that the bank does not hold",
        "random": "points at random",
        "grid": "all points in order",
        "greedy": "the best value of one hole after the other (Archon)",
        "gp": "a Gaussian process and expected improvement (Archon)",
        "reinforce": "beliefs about each hole of its own, moved by rewards",
        "halving": "many points on few questions, the better half on twice as many",
        "agent": "a model proposes the next point (Agent-REINFORCE)",
        "tpe": "Optuna's tree-structured Parzen estimator, multivariate and grouped",
        "nsga2": "Optuna's NSGA-II",
        "nsga3": "Optuna's NSGA-III",
        "optuna_gp": "Optuna's Gaussian process, which needs torch",
    }
)
"""Every strategy with its line of help."""

_OPTUNA = ("tpe", "nsga2", "nsga3", "optuna_gp")


def strategy(name: str, setting: Setting, arguments: Mapping[str, Any] | None = None) -> Strategy:
    """The strategy of a name. Raises `InputError` for a name or argument that it does not know,
    and `MissingPackage`."""
    if name not in STRATEGIES:
        raise InputError(f"no strategy {name!r}; {nearest(name, STRATEGIES)}")
    told = dict(arguments or {})
    if name in _OPTUNA:
        module, cls, told = "sampled", "Sampled", {"sampler": name, **told}
    else:
        module, cls = name, name.title()
    made = getattr(import_module(f".{module}", __name__), cls)
    try:
        found: Strategy = made(setting, **told)
    except TypeError as error:
        raise InputError(f"the strategy {name} does not take {told}: {error}") from error
    return found
