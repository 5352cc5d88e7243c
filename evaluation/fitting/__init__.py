"""Fitting to questions whose right answers are known: weights, thresholds, stopping values, tables,
routers."""

from __future__ import annotations

from .router import Embedded, fit_router
from .seen import About, Seen
from .stopping import fit_stopping
from .table import Tried, Worth, fit_table
from .threshold import Promise, fit_threshold, share_wrong
from .weights import fit_weights

__all__ = [
    "About",
    "Embedded",
    "Promise",
    "Seen",
    "Tried",
    "Worth",
    "fit_router",
    "fit_stopping",
    "fit_table",
    "fit_threshold",
    "fit_weights",
    "share_wrong",
]
