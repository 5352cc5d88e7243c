"""Draws from what lies on disk: records of evaluations and folders of recordings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...compiler.errors import InputError
from ..data.jsonl import rows
from ..data.row import Row
from ..outfile import read_out
from ..record import Record
from ..report.choosing import draws_of
from .draws import Draw

__all__ = ["read_draws", "read_results", "recorded"]

_SAMPLES = ("samples.jsonl.gz", "samples.jsonl")


def read_draws(where: Path, *, by_model: bool = False) -> tuple[Draw, ...]:
    """The draws in records of an evaluation, or in a folder of recordings.

    Of a record they are the candidates of the first step that made any, else the result itself;
    draws of several seeds come together, runs that failed are left out, and a score
    below 1 is wrong. Their source is the pipeline, or with `by_model` the model
    that drew them where it is known. Of a recording it is the model. Raises `InputError`.
    """
    if where.is_dir():
        return tuple(map(_sample, recorded(where, _SAMPLES)))
    return tuple(draw for record in _records(where) for draw in _of(record, by_model))


def read_results(where: Path) -> tuple[Draw, ...]:
    """What a pipeline made of each question: its results, of the first seed, with their scores.

    Where these have no scores, and of a folder of recordings, the draws. Raises `InputError`.
    """
    if where.is_dir():
        return read_draws(where)
    records = _records(where)
    first = min(record.seed for record in records)
    if not any(record.scores for record in records):
        return tuple(draw for own in records if own.seed == first for draw in _of(own, False))
    return tuple(_result(record) for record in records if record.seed == first)


def _records(where: Path) -> tuple[Record, ...]:
    """The records that did not fail."""
    found = tuple(record for record in read_out(where)[1] if not record.error)
    if not found:
        raise InputError(f"{where} holds no result")
    return found


def recorded(folder: Path, names: tuple[str, ...]) -> Iterator[Row]:
    """The rows of the first of these files that the folder has. Raises `InputError`."""
    for name in names:
        if (folder / name).is_file():
            return rows(folder / name)
    raise InputError(f"{folder} holds no {' and no '.join(names)}")


def _of(record: Record, by_model: bool) -> Iterator[Draw]:
    candidates = draws_of(record)
    for one in candidates:
        source = (by_model and one.model) or record.pipeline
        yield Draw(source, record.item, one.answer, (one.score or 0.0) >= 1.0, one.scores)
    if not candidates:
        yield _result(record)


def _result(record: Record) -> Draw:
    right = (record.score or 0.0) >= 1.0
    return Draw(record.pipeline, record.item, record.answer, right, record.scores)


def _sample(row: Row) -> Draw:
    told = row.fields
    item, model, answer = told.get("item"), told.get("model"), told.get("answer")
    right, score = told.get("correct"), told.get("score")
    if not isinstance(item, str) or not isinstance(model, str) or not isinstance(right, bool):
        raise InputError(f"{row.where}: a sample has item, model and correct")
    scores = {"score": float(score)} if isinstance(score, int | float) else {}
    return Draw(model, item, None if answer is None else str(answer), right, scores)
