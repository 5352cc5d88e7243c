"""Files that change while their pipelines are served."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from ...compiler.errors import InputError, PolyarchError, SpecError
from ...compiler.secrets import Secrets
from ...compiler.source import read
from ...pipeline import Pipeline
from ..metrics import Metrics
from .hosted import Hosted

__all__ = ["Watch"]

_Look: TypeAlias = "frozenset[tuple[Path, int, int, int]]"
"""How files look from outside: when they were changed, how long they are, which they are."""

_log = logging.getLogger("polyarch.server")


class Watch:
    """Looks at the files of pipelines, and the files they name, and has new requests answered by
    what they hold now. One that became wrong changes nothing but what `hosted.refused` says.

    An async context manager: it looks every so often while inside.
    """

    def __init__(
        self,
        hosted: Hosted,
        files: Mapping[str, Path],
        load: Callable[[Path], Pipeline],
        metrics: Metrics,
        *,
        every: float = 1.0,
    ) -> None:
        """`files` are by the names of their pipelines; `every` is in seconds. `load` raises
        `PolyarchError`."""
        self._hosted = hosted
        self._files = {name: _File(file) for name, file in files.items()}
        self._load = load
        self._metrics = metrics
        self._every = every
        self._task: asyncio.Task[None] | None = None

    async def look(self) -> None:
        """Take up every file that changed since the last look."""
        for name in await asyncio.to_thread(self._changed):
            await self._reload(name, self._files[name].path)

    def _changed(self) -> list[str]:
        return [name for name, file in self._files.items() if file.changed()]

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep_looking())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            await self.look()

    async def _reload(self, name: str, file: Path) -> None:
        try:
            pipeline = await asyncio.to_thread(self._load, file)
            if pipeline.name != name:
                raise InputError(
                    f"{file} now calls itself {pipeline.name!r}: a name stays while it is served"
                )
            self._hosted.replace(pipeline)
        except PolyarchError as error:
            why = self._hosted.refused[name] = Secrets().text(str(error))
            self._metrics.reloaded(name, "refused")
            told = {"model": name, "why": why}
            _log.warning("a changed file is refused, the one before it stays", extra=told)
        else:
            self._hosted.refused.pop(name, None)
            self._metrics.reloaded(name, "served")
            digest = self._hosted[name].plan.digest
            _log.info("a changed file is served", extra={"model": name, "digest": digest})


class _File:
    """A pipeline's file, and the files that it names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._paths = _named(path, set())
        self._seen = _look(self._paths)

    def changed(self) -> bool:
        """Whether any looks otherwise than when this was last asked. What a file names is read
        again only then."""
        if _look(self._paths) == self._seen:
            return False
        self._paths = _named(self.path, set())
        self._seen = _look(self._paths)
        return True


def _look(paths: Iterable[Path]) -> _Look:
    found = set()
    for path in paths:
        try:
            state = path.stat()
        except OSError:
            continue  # that it is gone is a change, too
        found.add((path, state.st_mtime_ns, state.st_size, state.st_ino))
    return frozenset(found)


def _named(file: Path, found: set[Path]) -> set[Path]:
    """A file and those that it names with `file:`, and so on."""
    path = file.resolve()
    if path in found:
        return found
    found.add(path)
    if path.suffix in (".yaml", ".yml"):
        try:
            names = list(_names(read(path).plain()))
        except SpecError:
            return found
        for name in names:
            _named(path.parent / name, found)
    return found


def _names(value: object) -> Iterator[str]:
    match value:
        case {"file": str(name), **others}:
            yield name
            yield from _names(others)
        case Mapping():
            for inner in value.values():
                yield from _names(inner)
        case list() | tuple():
            for inner in value:
                yield from _names(inner)
