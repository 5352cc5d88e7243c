"""Where programs run: the sandbox, opened when the first one does."""

from __future__ import annotations

from ..compiler.errors import PlanRefused
from ..compiler.execution import Executor
from ..compiler.plan import Plan

__all__ = ["Executors", "refuse_unconfined"]


class Executors:
    """Runs the programs of one session. `given` stands for the sandbox, for tests."""

    def __init__(self, given: Executor | None = None) -> None:
        self._known: dict[bool, Executor] = {} if given is None else {True: given, False: given}

    def __call__(self, confined: bool) -> Executor:
        """What runs programs, in the sandbox or with nothing around them."""
        if confined not in self._known:
            from .sandbox.box import Sandbox

            self._known[confined] = Sandbox(confined=confined)
        return self._known[confined]


def refuse_unconfined(plan: Plan) -> None:
    """Raise `PlanRefused` if a step would run programs outside the sandbox."""
    bare = [node.name for node in plan.graph.nodes.values() if node.op.unconfined()]
    if bare:
        raise PlanRefused(
            f"step {bare[0]!r} says `sandbox: none`: programs that a model writes would run with "
            "all that you may do; grant it with --allow-unsandboxed (allow_unsandboxed=True)"
        )
