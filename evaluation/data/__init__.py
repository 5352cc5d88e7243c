"""Data to evaluate on: files, folders of recordings, the Hugging Face hub and named benchmarks."""

from __future__ import annotations

from .dataset import Dataset, dataset
from .item import Item, Posed
from .loading import load_data

__all__ = ["Dataset", "Item", "Posed", "dataset", "load_data"]
