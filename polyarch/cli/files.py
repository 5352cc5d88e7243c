"""Which pipeline is meant by a word on the command line."""

from __future__ import annotations

from pathlib import Path

from ..compiler.errors import InputError
from ..compiler.names import nearest
from .voice import detail

__all__ = ["pipeline_file"]


def pipeline_file(word: str) -> Path:
    """The file of that path, else the library's pipeline or search space of that name; of a space,
    `open/` may be left out.

    Raises `InputError` with the nearest name.
    """
    file = Path(word)
    if file.exists():
        return file
    from ..pipelines import names, path, spaces

    for name in (word, f"open/{word}"):
        if name in (*names(), *spaces()):
            found = path(name)
            detail(f"{word}: {found}")
            return found
    beside = [str(found) for found in _beside(file)]
    hint = nearest(word, [*names(), *spaces(), *beside])
    raise InputError(f"no file and no pipeline of the library is called {word!r}; {hint}")


def _beside(file: Path) -> list[Path]:
    """The pipeline files in the folder where the file would be."""
    return sorted(file.parent.glob("*.y*ml")) if file.parent.is_dir() else []
