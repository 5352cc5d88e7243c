"""Where data comes from: what a word on the command line means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from ...compiler.errors import InputError
from ...compiler.names import nearest
from .dataset import Dataset, dataset
from .embedded import EMBEDDED, embedded
from .hub import hub_rows
from .item import Item
from .jsonl import rows
from .row import Row
from .shaping import Shape, shaped
from .split import part_of, sampled, split_of
from .table import csv_rows, parquet_rows

__all__ = ["file_rows", "load_data"]

_HUB = "hf:"
_ITEMS = ("items.jsonl.gz", "items.jsonl")
_AS_THEY_ARE: Mapping[str, str] = MappingProxyType({})


def load_data(
    where: str | Path,
    *,
    fields: Mapping[str, str] = _AS_THEY_ARE,
    sample: int | None = None,
    split: str | None = None,
    seed: int = 0,
    file: str | Path | None = None,
) -> Dataset:
    """The items of a file, a folder of recordings, a data set of the hub or a named benchmark.

    `where` is a `.jsonl`, `.csv` (both also `.gz`) or `.parquet` file; a folder with
    `items.jsonl.gz`; `hf:NAME`, `hf:NAME:CONFIG` or `hf:NAME:CONFIG:SPLIT`; `embedded:COUNT` for
    fresh problems of the embedded model; or a name of `evaluation/benchmarks/`, whose rows come
    from `file` if one is given. `fields` maps a field of an item to that of the row. `split` keeps
    `dev` or `test`, `sample` so many of these, drawn by `seed`. Raises `InputError` and
    `MissingPackage`.
    """
    part = None if split is None else split_of(split)
    whole = _whole(str(where), fields, part, None if file is None else Path(file))
    items: tuple[Item, ...] = whole.items
    if part is not None and whole.split != part:
        items = tuple(item for item in items if part_of(item.id) == part)
    if sample is not None:
        items = sampled(items, sample, seed)
    if not items:
        raise InputError(f"{where}: no items" + (f" in the split {part}" if part else ""))
    return whole.but(items, part or "")


def _whole(where: str, fields: Mapping[str, str], part: str | None, file: Path | None) -> Dataset:
    from ..benchmarks import benchmark, names

    path = Path(where)
    if where in names():
        return benchmark(where).load(part, file, fields)
    if file is not None:
        raise InputError(f"--file goes with a benchmark: {', '.join(names())}")
    if where.startswith(EMBEDDED):
        return embedded(where.removeprefix(EMBEDDED))
    if where.startswith(_HUB):
        name, _, rest = where.removeprefix(_HUB).partition(":")
        config, _, chosen = rest.partition(":")
        return _made(name, hub_rows(name, config, chosen or "test"), fields)
    if path.is_dir():
        return _made(path.name, file_rows(_items_of(path)), fields)
    if path.is_file():
        return _made(path.name.split(".")[0], file_rows(path), fields)
    raise InputError(f"no file, folder or benchmark is called {where!r}; {nearest(where, names())}")


def _made(name: str, found: Iterator[Row], fields: Mapping[str, str]) -> Dataset:
    return dataset(name, shaped(found, Shape(name, fields)))


def _items_of(folder: Path) -> Path:
    for name in _ITEMS:
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"{folder} holds no {' and no '.join(_ITEMS)}")


def file_rows(path: Path) -> Iterator[Row]:
    """The rows of a file, read by its ending. Raises `InputError`."""
    ending = path.name.removesuffix(".gz").rsplit(".", 1)[-1]
    readers = {"jsonl": rows, "csv": csv_rows, "parquet": parquet_rows}
    if ending not in readers:
        raise InputError(f"{path}: data is .jsonl, .jsonl.gz, .csv, .csv.gz or .parquet")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    return readers[ending](path)
