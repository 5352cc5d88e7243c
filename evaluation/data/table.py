"""Rows from tables: CSV, and Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from ...compiler.errors import InputError, MissingPackage
from .jsonl import unpacked
from .row import Row

__all__ = ["csv_rows", "parquet_rows"]


def csv_rows(path: Path) -> Iterator[Row]:
    """One row a record, named by the header; every value is a text.

    Raises `InputError` for a row with more or fewer values than the header.
    """
    csv.field_size_limit(sys.maxsize)
    with unpacked(path) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
        reader = csv.DictReader(text, strict=True)
        try:
            for record in reader:
                where = f"{path}:{reader.line_num}"
                if None in record or None in record.values():
                    wanted = len(reader.fieldnames or ())
                    raise InputError(f"{where}: the header names {wanted} columns, the row others")
                yield Row(where, dict(record))
        except (csv.Error, UnicodeDecodeError) as error:
            line = reader.line_num + 1
            message = f"{path}:{line}: not CSV: {error}"
            raise InputError(message, file=str(path), line=line) from error


def parquet_rows(path: Path) -> Iterator[Row]:
    """The rows of a Parquet file. Raises `MissingPackage` without pyarrow, and `InputError`."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise MissingPackage(
            f"{path.name} is Parquet, which needs pyarrow: pip install 'polyarch[data]'"
        ) from error
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches():
                for record in batch.to_pylist():
                    number += 1
                    yield Row(f"{path}: row {number}", record)
    except pyarrow.ArrowInvalid as error:
        raise InputError(f"{path}: not Parquet: {error}") from error
