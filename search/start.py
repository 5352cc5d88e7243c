"""Points that are tried first: good pipelines, and the best points of earlier studies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..compiler.build import build, build_file
from ..compiler.errors import InputError, PolyarchError
from ..compiler.names import nearest
from ..compiler.source import parse
from ..compiler.space import Choice, Space, parse_space
from ..compiler.space.locate import locate
from .aim import Aim
from .database import database, is_url
from .history import History
from .record import Told, studies
from .trial import key_of

__all__ = ["fitting", "from_pipelines", "from_studies", "ranked_texts"]

_LIBRARY = Path(__file__).resolve().parent.parent / "pipelines"

_LOOKED_AT = 32
"""Of the best points of an earlier study, so many are looked up in this space."""


def from_pipelines(space: Space, names: Sequence[str]) -> list[Choice]:
    """The points of a space that these pipelines are: files, or names of the library.

    Raises `InputError` for one that is no point of it, with the step that does not fit.
    """
    return [locate(space, build_file(_file(name, space.folder))) for name in names]


def _file(name: str, folder: Path) -> Path:
    for file in (Path(name), folder / name, _LIBRARY / f"{name}.yaml"):
        if file.is_file():
            return file
    hint = nearest(name, sorted(file.stem for file in _LIBRARY.glob("*.yaml")))
    raise InputError(f"no file and no pipeline of the library is called {name!r}; {hint}")


def from_studies(space: Space, where: str, count: int = 5) -> list[Choice]:
    """The best points of an earlier study, of this space or of another, that this one has, too.

    `where` is the folder of a search or a database with studies. Raises `InputError` where there is
    no study, or none of its best points is in this space.
    """
    told = _read(where)
    if not told:
        raise InputError(f"{where} holds no study of a search")
    found: dict[str, Choice] = {}
    for study in told:
        for choice in _best(space, study):
            found.setdefault(key_of(choice), choice)
            if len(found) == count:
                return list(found.values())
    if not found:
        names = ", ".join(study.name for study in told)
        raise InputError(f"{where}: none of the best points of {names} is a point of {space.name}")
    return list(found.values())


def _read(where: str) -> list[Told]:
    if is_url(where):
        there = where
    else:
        file = Path(where)
        file = file / "study.db" if file.is_dir() else file
        if not file.is_file():
            raise InputError(f"{where}: no folder and no record of a search")
        there = str(file)
    opened = database(there)
    try:
        return list(studies(opened))
    finally:
        opened.close()


def _best(space: Space, study: Told) -> Iterator[Choice]:
    ranked = History((Aim(),), study.trials).ranked()[:_LOOKED_AT]
    if study.facts.get("space") == space.fingerprint:
        yield from (trial.choice for trial in ranked)
        return
    earlier = parse_space(study.text, Path(study.folder))
    yield from fitting(
        space, [(earlier.close(trial.choice).text, Path(study.folder)) for trial in ranked]
    )


def fitting(space: Space, texts: Sequence[tuple[str, Path]]) -> Iterator[Choice]:
    """The points of a space that these pipelines are, texts with their folders; others are left
    out."""
    for text, folder in texts:
        try:
            yield locate(space, build(parse(text), folder))
        except PolyarchError:
            continue


def ranked_texts(space: Space, history: History, count: int) -> list[tuple[str, float, int]]:
    """The likely best pipelines: text, mean score, and on how many questions."""
    return [
        (space.close(trial.choice).text, trial.value(Aim()), len(trial.marks))
        for trial in history.ranked()[:count]
    ]
