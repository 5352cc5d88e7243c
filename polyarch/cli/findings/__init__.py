"""What an analysis found, as tables for a terminal and as plain values for JSON: a module of tables
for each kind of study."""

from .tables import plain, tables

__all__ = ["plain", "tables"]
