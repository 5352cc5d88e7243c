"""What an evaluation says: numbers, a table for a terminal, JSON, and a page."""

from __future__ import annotations

from .comparing import Comparison, compared
from .report import Report, report
from .summary import Summary, summary

__all__ = ["Comparison", "Report", "Summary", "compared", "report", "summary"]
