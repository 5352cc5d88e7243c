"""The plan as a notebook shows it: HTML that needs no script, no style sheet and no network.

It takes the colour of the text around it, so that it is light or dark as the notebook is.
"""

from __future__ import annotations

from html import escape

from ..plan import Plan
from .svg import drawing
from .table import dollars

__all__ = ["FRAME", "emit"]

FRAME = (
    "border:1px solid rgba(128,128,128,.4);border-radius:8px;padding:10px 14px;margin:4px 0;"
    "font-family:system-ui,sans-serif;font-size:13px;line-height:1.45;overflow-x:auto"
)
"""The look of what is shown."""


def emit(plan: Plan) -> str:
    """Name, purpose, graph and bounds of cost."""
    about = f" {escape(plan.graph.about)}" if plan.graph.about else ""
    return (
        f'<div style="{FRAME}"><div><strong>{escape(plan.graph.name)}</strong>{about}</div>'
        f'<div style="margin:8px 0">{drawing(plan)}</div>'
        f'<div style="opacity:.75">{_bounds(plan)}</div></div>'
    )


def _bounds(plan: Plan) -> str:
    cost = plan.total
    told = [
        f"{cost.calls} calls",
        f"{cost.prompt} prompt and {cost.completion} completion tokens",
        *([f"{dollars(cost.usd)} dollars"] if cost.usd.high else []),
    ]
    return f"For a question of {plan.question} tokens: {', '.join(told)}."
