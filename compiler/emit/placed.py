"""Where the models of a plan run, for the table and for machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from ..place.assumed import ASSUMPTIONS
from ..place.gpu import GB
from ..place.placement import Batch, Placed, Placement, Turn
from ..price import Seconds
from ..values import Json

__all__ = ["as_json", "as_text", "bounds", "span", "where"]

_HEAD = ("model", "GPUs", "GB each", "weights", "cache", "other", "share", "at once", "longest")


def as_text(placement: Placement) -> Iterator[str]:
    """The placement as lines: a table of models, the turns, seconds and dollars."""
    at_once = f"{placement.questions:,} question{'s' * (placement.questions > 1)} at once"
    yield f"on {placement.fleet}, {at_once}:"
    yield ""
    yield from _table([_HEAD, *(_row(placement, home) for home in placement.placed)])
    yield ""
    for number, turn in enumerate(placement.turns, 1):
        yield f"turn {number}: {_turn(turn)}"
    if placement.turns:
        yield f"swaps: {placement.swaps}, {_asleep(placement)}"
    if placement.elsewhere:
        yield f"elsewhere: {', '.join(placement.elsewhere)}"
    yield f"one question: {span(placement.seconds)} seconds{_dollars(placement.usd)}"
    if placement.batch:
        yield from _batch(placement.batch)
    yield from (f"note: {note}" for note in placement.notes)
    yield f"estimates, {ASSUMPTIONS}"


def where(placement: Placement, home: Placed) -> str:
    """The GPUs of a model as people name them: the kind and the numbers in its machine."""
    group = placement.fleet.each[home.gpus[0]]
    numbers = ",".join(str(placement.fleet.ids[gpu]) for gpu in home.gpus)
    return f"{home.gpu.name} {numbers}" + (f" in {group.host}" if group.host else "")


def span(seconds: Seconds | None) -> str:
    """Two bounds to two digits, a dash where nothing is known."""
    if seconds is None:
        return "—"
    low, high = (_short(bound) for bound in (seconds.low, seconds.high))
    return low if low == high else f"{low}–{high}"


def as_json(placement: Placement) -> Mapping[str, Json]:
    """The placement as one object; sizes are bytes, times seconds."""
    return {
        "gpus": [
            {"gpu": group.gpu.name, "id": number, "host": group.host}
            for group, number in zip(placement.fleet.each, placement.fleet.ids, strict=True)
        ],
        "questions_at_once": placement.questions,
        "models": [_home(placement, home) for home in placement.placed],
        "elsewhere": list(placement.elsewhere),
        "turns": [
            {
                "steps": list(turn.steps),
                "awake": list(turn.awake),
                "woken": list(turn.woken),
                "swap_seconds": turn.seconds,
            }
            for turn in placement.turns
        ],
        "swaps": placement.swaps,
        "sleep_level": placement.sleep if placement.turns else None,
        "host_bytes": placement.host,
        "seconds": bounds(placement.seconds),
        "usd": bounds(placement.usd),
        "batch": _batch_json(placement.batch) if placement.batch else None,
        "notes": list(placement.notes),
        "assumptions": ASSUMPTIONS,
    }


def bounds(seconds: Seconds | None) -> Json:
    """Two bounds, or null."""
    return None if seconds is None else {"low": seconds.low, "high": seconds.high}


def _short(number: float) -> str:
    if number >= 100:
        return f"{number:,.0f}"
    return f"{Decimal(f'{number:.2g}'):f}"


def _row(placement: Placement, home: Placed) -> tuple[str, ...]:
    need = home.need
    parts = (need.total, need.weights, need.cache, need.activations + need.engine)
    return (
        ", ".join(home.engine.entries),
        where(placement, home),
        *(f"{part / GB:.1f}" for part in parts),
        f"{home.utilization:.3f}",
        f"{home.draws:,}",
        f"{home.engine.longest:,}",
    )


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        if number == 1:
            yield "─" * (sum(widths) + 2 * (len(widths) - 1))
        cells = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _turn(turn: Turn) -> str:
    asks = ", ".join(f"{step} ({engine})" for step, engine in turn.asks)
    woken = f"; wakes {', '.join(turn.woken)} in {_short(turn.seconds)} s" if turn.woken else ""
    return f"{asks}; awake {', '.join(turn.awake)}{woken}"


def _asleep(placement: Placement) -> str:
    if placement.sleep == 1:
        return f"sleep level 1, {placement.host / GB:.0f} GB of the host's memory"
    return "sleep level 2, weights are read again from disk"


def _dollars(usd: Seconds | None) -> str:
    return f", {span(usd)} dollars" if usd else ""


def _batch(batch: Batch) -> Iterator[str]:
    yield (
        f"batch of {batch.questions:,}: {span(batch.seconds)} seconds, "
        f"{span(batch.per_second)} questions a second"
    )
    yield f"a question of it: {span(batch.gpu_seconds)} GPU-seconds{_dollars(batch.usd)}"


def _home(placement: Placement, home: Placed) -> Mapping[str, Json]:
    return {
        "models": list(home.engine.entries),
        "model": home.engine.spec.model,
        "parameters": home.engine.shape.parameters,
        "gpu": home.gpu.name,
        "host": placement.fleet.each[home.gpus[0]].host,
        "gpu_ids": [placement.fleet.ids[gpu] for gpu in home.gpus],
        "bytes": {
            "weights": home.need.weights,
            "cache": home.need.cache,
            "activations": home.need.activations,
            "engine": home.need.engine,
        },
        "tensor_parallel_size": home.parallel,
        "gpu_memory_utilization": home.utilization,
        "max_model_len": home.engine.longest,
        "max_num_seqs": home.draws,
    }


def _batch_json(batch: Batch) -> Mapping[str, Json]:
    return {
        "questions": batch.questions,
        "seconds": bounds(batch.seconds),
        "questions_per_second": bounds(batch.per_second),
        "gpu_seconds": bounds(batch.gpu_seconds),
        "usd": bounds(batch.usd),
    }
