"""The budgets of a pipeline: its own, those that its steps share, and those of single steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ..holder import Holder
from ..names import nearest
from ..op import Op
from ..spec import Allowance, Budget, Spec
from .faults import Faults, explain

__all__ = ["Budgets"]


class Budgets:
    """The budgets of a pipeline by scope, gathered while its steps are built."""

    def __init__(self, spec: Spec, faults: Faults) -> None:
        self._own = spec.budget
        self._faults = faults
        self._known = _named(faults)
        self.by_scope: dict[str, Budget] = {"": spec.budget} if spec.budget != Budget() else {}
        for name, allowance in spec.budgets.items():
            self._check_name(name)
            # One with faults of its own, told already, is here without what is wrong.
            if len(allowance.model_fields_set) == len(faults.plain["budgets"][name]):
                self._limit(name, allowance, ("budgets", name))

    def scope(
        self, step: str, written: Mapping[str, Any], op: Op, where: tuple[str | int, ...]
    ) -> str:
        """The scope of a step: its own, that of the account it names, or the pipeline's; `where`
        it is written."""
        if "budget" not in written:
            return ""
        path, given = (*where, "budget"), written["budget"]
        if where != ("steps", step):
            told = "steps inside a region share its account: write the budget at the region"
            self._faults.add("budget", told, path, key=True)
            return ""
        if op.effect == "pure" and not isinstance(op, Holder):
            told = f"{written['op']} asks no model, so there is nothing to limit"
            self._faults.add("budget", told, path, key=True)
            return ""
        if isinstance(given, str):
            return self._shared(given, path)
        if not isinstance(given, dict):
            told = "a step's budget is a mapping of limits, or a name from `budgets:`"
            self._faults.add("type", told, path)
            return ""
        try:
            allowance = Allowance.model_validate(given)
        except ValidationError as error:
            explain(error, path, Allowance, self._faults)
            return ""
        self._limit(step, allowance, path)
        return step

    def check_used(self) -> None:
        """A fault for each shared account that no step names."""
        named = {
            step["budget"]
            for step in self._faults.plain["steps"].values()
            if isinstance(step, dict) and isinstance(step.get("budget"), str)
        }
        for name in self._known:
            if name not in named:
                told = f"no step has `budget: {name}`"
                self._faults.add("unused-budget", told, ("budgets", name), key=True)

    def _shared(self, name: str, path: tuple[str | int, ...]) -> str:
        if name not in self._known:
            hint = nearest(name, self._known) or "declare it in `budgets:`"
            self._faults.add("unknown-budget", f"unknown budget {name!r}", path, hint)
            return ""
        return name

    def _check_name(self, name: str) -> None:
        taken = name in self._faults.steps
        if taken or not name.isidentifier():
            why = "a step has that name" if taken else "the name is not a plain word"
            told = f"a budget cannot be named {name!r}: {why}"
            self._faults.add("budget-name", told, ("budgets", name), key=True)

    def _limit(self, scope: str, allowance: Allowance, path: tuple[str | int, ...]) -> None:
        told = self._faults.found and "budget" in self._faults.plain
        if allowance.share is not None and self._own == Budget() and told:
            return  # the pipeline's own was at fault
        try:
            self.by_scope[scope] = allowance.within(self._own)
        except ValueError as error:
            at = (*path, "share") if allowance.share is not None else path
            self._faults.add("budget", str(error), at, key=allowance.share is None)


def _named(faults: Faults) -> tuple[str, ...]:
    """The names of the shared accounts, be they right or wrong."""
    budgets = faults.plain.get("budgets")
    return tuple(budgets) if isinstance(budgets, dict) else ()
