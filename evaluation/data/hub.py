"""Rows from the Hugging Face hub, by the package `datasets`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...compiler.errors import InputError, MissingPackage
from ...compiler.values import Json
from .row import Row

__all__ = ["hub_rows"]


def hub_rows(name: str, config: str = "", split: str = "test", file: str = "") -> Iterator[Row]:
    """The rows of a split of a data set on the hub; of one `file` in its repository, if named.

    Needs the network, or a copy that `datasets` keeps. Raises `MissingPackage` without that
    package, and `InputError` with what it says was wrong.
    """
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise MissingPackage(
            f"{name} is read from the Hugging Face hub by `datasets`: pip install 'polyarch[hub]'; "
            "or give a local copy with --file"
        ) from error
    try:
        loaded = datasets.load_dataset(**_asked(name, config, split, file))
    except Exception as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{name}, split {split}, could not be read from the Hugging Face hub, which needs the "
            f"network: {first}; or give a local copy with --file"
        ) from error
    for number, record in enumerate(loaded):
        fields: Mapping[str, Json] = record
        yield Row(f"{name}: row {number}", fields)


def _asked(name: str, config: str, split: str, file: str) -> Mapping[str, Any]:
    """The arguments of `load_dataset`."""
    if file:
        kind = {"jsonl": "json", "json": "json", "csv": "csv", "parquet": "parquet"}
        reader = kind[file.removesuffix(".gz").rsplit(".", 1)[-1]]
        return {"path": reader, "data_files": f"hf://datasets/{name}/{file}", "split": "train"}
    return {"path": name, "name": config or None, "split": split}
