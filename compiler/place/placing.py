"""A plan and the GPUs there are, to a plan with its models placed and its seconds estimated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .fleet import Fleet
from .refusal import refusal
from .seconds import estimate
from .site import Site
from .widest import settled

if TYPE_CHECKING:
    from ..plan import Plan

__all__ = ["placed"]


def placed(
    plan: Plan,
    fleet: Fleet,
    *,
    batch: int | None = None,
    at_once: int | None = None,
    usd_per_hour: float | None = None,
) -> Plan:
    """The plan with its models on the GPUs of a fleet, and with estimated seconds.

    `at_once` questions are under way together; left out, one, and of a `batch` as many as fit.
    Models take turns only over a batch. `usd_per_hour` is of one GPU.

    Raises `PlanRefused` with the numbers for what cannot fit, `InputError` for a model whose shape
    is not known and for a plan with no model to place.
    """
    site = Site.of(plan, fleet, batch)
    found = settled(site, at_once)
    if found is None:
        raise refusal(site, at_once)
    return estimate(plan, found, site.asked, batch, usd_per_hour)
