"""Show, prune or clear the cache of replies."""

from __future__ import annotations

import json as jsonlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..runtime.cachefile import CacheFile, clear, default_path
from .errors import as_json

if TYPE_CHECKING:
    from ..runtime.cachefile import Contents

__all__ = ["command"]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_BYTES |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_DAY, _HOUR, _MINUTE = 86400, 3600, 60


def _amount(units: Mapping[str, int], example: str) -> Callable[..., int | None]:
    """A callback that reads a number with a unit."""

    def read(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
        if value is None:
            return None
        parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)", value)
        if parts is None or parts[2].lower() not in units:
            raise click.BadParameter(
                f"{value!r}: write a number and a unit, as in {example}; units are "
                + ", ".join(units)
            )
        return int(float(parts[1]) * units[parts[2].lower()])

    return read


@click.command("cache")
@click.argument("action", type=click.Choice(["show", "prune", "clear"]), default="show")
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The cache. [default: $POLYARCH_CACHE, else a file in the user's folder for caches]",
)
@click.option(
    "--older-than",
    metavar="AGE",
    callback=_amount(_SECONDS, "30d"),
    help="Prune replies drawn longer ago than this, as 30d or 12h.",
)
@click.option(
    "--larger-than",
    metavar="SIZE",
    callback=_amount(_BYTES, "1GB"),
    help="If the cache is larger than this, prune what was not used for longest.",
)
@click.option("--json", is_flag=True, callback=as_json, help="Tell it as JSON.")
def command(
    action: str, file: Path | None, older_than: int | None, larger_than: int | None, json: bool
) -> None:
    """Show, prune or clear the cache of replies.

    The cache keeps what models said, so that it is not paid for twice. It holds no prompts. Other
    processes may go on using it meanwhile.
    """
    limited = older_than is not None or larger_than is not None
    if limited != (action == "prune"):
        raise click.UsageError("prune goes with --older-than or --larger-than, or both")
    path = file or default_path()
    if not path.exists():
        _tell(json, {"file": str(path), "exists": False}, lambda: iter([f"{path}: no cache yet"]))
    elif action == "show":
        _show(path, json)
    elif action == "prune":
        _prune(path, older_than, larger_than, json)
    else:
        _clear(path, json)


def _show(path: Path, json: bool) -> None:
    file = CacheFile(path)
    try:
        holds = file.contents()
    finally:
        file.close()
    told = {
        "file": str(path),
        "exists": True,
        "replies": holds.replies,
        "bytes": holds.bytes,
        "oldest": holds.oldest,
        "newest": holds.newest,
        "last_used": holds.last_used,
    }
    _tell(json, told, lambda: _lines(path, holds))


def _lines(path: Path, holds: Contents) -> Iterator[str]:
    now = time.time()
    yield f"file       {path}"
    yield f"replies    {holds.replies:,}"
    yield f"size       {_size(holds.bytes)}"
    if holds.replies:
        yield f"oldest     {_ago(now - holds.oldest)}"
        yield f"newest     {_ago(now - holds.newest)}"
        yield f"last used  {_ago(now - holds.last_used)}"


def _prune(path: Path, older_than: int | None, larger_than: int | None, json: bool) -> None:
    file = CacheFile(path)
    try:
        expired = None if older_than is None else int(time.time()) - older_than
        removed = file.trim(expired=expired, most=larger_than)
        file.shrink()
        left = file.contents()
    finally:
        file.close()
    told = {
        "file": str(path),
        "exists": True,
        "removed": removed,
        "replies": left.replies,
        "bytes": left.bytes,
    }
    line = f"{path}: removed {removed:,}, kept {left.replies:,} in {_size(left.bytes)}"
    _tell(json, told, lambda: iter([line]))


def _clear(path: Path, json: bool) -> None:
    removed = clear(path)
    done = "could not be read, and was deleted" if removed is None else f"removed {removed:,}"
    _tell(
        json,
        {"file": str(path), "exists": True, "removed": removed},
        lambda: iter([f"{path}: {done}"]),
    )


def _tell(json: bool, told: Mapping[str, object], lines: Callable[[], Iterator[str]]) -> None:
    click.echo(jsonlib.dumps(told) if json else "\n".join(lines()))


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def _ago(seconds: float) -> str:
    for unit, length in (("days", _DAY), ("hours", _HOUR), ("minutes", _MINUTE)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit} ago"
    return f"{max(0, round(seconds))} s ago"
