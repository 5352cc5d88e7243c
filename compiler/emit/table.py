"""The plan for people: a line a step, the totals, the budget, and what to know of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from ..graph import Node
from ..op import Amount
from ..plan import Plan
from ..price import Cost, Dollars
from ..sharing import Share
from ..spec import Budget
from .lints import lints
from .placed import as_text, span

__all__ = ["dollars", "emit"]

_HEAD = ("step", "operator", "model", "candidates", "calls", "prompt", "completion", "usd")
_LEFT = 3
"""Columns of words; those after them hold numbers and are aligned to the right."""


def emit(plan: Plan) -> str:
    """The plan as a table of plain text."""
    graph = plan.graph
    head = f"{graph.name}: {graph.about}" if graph.about else graph.name
    rows = [_head(plan), *(_row(plan, graph.nodes[name]) for name in graph.order), _total(plan)]
    sections = [[head], list(_aligned(rows)), list(_facts(plan))]
    if plan.placement:
        sections.append(list(as_text(plan.placement)))
    if told := lints(plan):
        sections.append([f"note: {line}" for line in told])
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def dollars(usd: Dollars) -> str:
    """A sum of dollars, or a dash when no price is known."""
    if usd.high == 0:
        return "—"
    low, high = (f"{Decimal(f'{bound:.2g}'):f}" for bound in (usd.low, usd.high))
    return low if low == high else f"{low}–{high}"


def _head(plan: Plan) -> tuple[str, ...]:
    return (*_HEAD, "seconds") if plan.placement else _HEAD


def _row(plan: Plan, node: Node) -> tuple[str, ...]:
    models = dict.fromkeys(asking.model or "" for asking in node.op.askings())
    named = (node.name, node.kind, ", ".join(models))
    return (*named, str(plan.flows[node.name].count), *_spent(plan, plan.costs[node.name]))


def _total(plan: Plan) -> tuple[str, ...]:
    return ("total", "", "", str(plan.flows[plan.graph.output].count), *_spent(plan, plan.total))


def _spent(plan: Plan, cost: Cost) -> tuple[str, ...]:
    told = (str(cost.calls), str(cost.prompt), str(cost.completion), dollars(cost.usd))
    return (*told, span(cost.seconds) if cost.calls.high else "0") if plan.placement else told


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        if number in (1, len(rows) - 1):
            yield "─" * (sum(widths) + 2 * (len(widths) - 1))
        cells = [
            cell.ljust(width) if column < _LEFT else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _facts(plan: Plan) -> Iterator[str]:
    yield f"for a question of {_counted(plan.question, 'token')}"
    depth = plan.total.depth
    yield f"critical path: {_counted(depth, 'call')}" + (", one after another" * (depth.high > 1))
    share = sum(plan.sharing.values(), Share())
    if share.sent:
        told = f"about {share.computed:,} of {share.sent:,} computed with a prefix cache"
        yield f"prompt tokens: {told} (estimate)"
    for scope, budget in plan.graph.budgets.items():
        yield from _budget(scope, budget, plan.within(scope))
    yield from _tools(plan)
    yield f"digest: {plan.digest}"


def _tools(plan: Plan) -> Iterator[str]:
    """The tools that may be called, and what lets them run."""
    called = plan.graph.called
    if called:
        yield f"tools: {_counted(plan.total.tools, 'call')}"
    for name in called:
        spec = plan.graph.tools[name]
        cost = f", ${spec.usd:g} a call" if spec.usd else ""
        grant = "needs no grant" if spec.free else f"needs --allow-tool {name}"
        if spec.given:
            grant = f"needs tools={{{name!r}: …}}"
        yield f"tool {name}: {spec}{cost}, {grant}"


def _counted(amount: Amount, thing: str) -> str:
    return f"{amount} {thing}{'' if amount.high == 1 else 's'}"


def _budget(scope: str, budget: Budget, cost: Cost) -> Iterator[str]:
    name = f"budget of {scope}" if scope else "budget"
    if budget.calls is not None:
        yield f"{name}: {budget.calls:,} calls, {_fits(budget.calls, cost.calls)}"
    if budget.tokens is not None:
        yield f"{name}: {budget.tokens:,} tokens, {_fits(budget.tokens, cost.tokens)}"
    if budget.usd is not None:
        yield f"{name}: {budget.usd:g} dollars, {_fits(budget.usd, cost.usd)}"
    if budget.seconds is not None:
        yield f"{name}: {budget.seconds:g} seconds, known only by running"
    if budget.on_budget == "best":
        yield f"{name}: at a limit, ends with the best answer so far"


def _fits(limit: float, needs: Amount | Dollars) -> str:
    if isinstance(needs, Dollars) and needs.high == 0:
        return "cannot bind: no price is known"
    shown = dollars(needs) if isinstance(needs, Dollars) else str(needs)
    if needs.high <= limit:
        return f"always enough for {shown}"
    if needs.low <= limit:
        return f"may end a run that needs {shown}"
    return f"too little for {shown}"
