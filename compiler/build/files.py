"""Files beside a pipeline: prompts, and pipelines used as steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import SpecError
from ..graph import Graph
from ..names import nearest
from ..nested import Nested
from ..op import Op
from .faults import Faults

__all__ = ["MOST_STEPS", "Files", "beside", "opened_in", "with_files"]

_LIBRARY = Path(__file__).resolve().parent.parent.parent / "pipelines"
_DEEPEST = 16
MOST_STEPS = 1000
"""Steps of one pipeline, those of pipelines and regions inside it counted."""
_LONGEST_PROMPT = 1 << 20


@dataclass(frozen=True, slots=True)
class Files:
    """The pipelines used as steps: those around this one, and those built already, None for one
    whose faults were told. `build` builds one."""

    build: Callable[[Path, Files], Graph]
    around: tuple[Path, ...] = ()
    built: dict[Path, Graph | None] = field(default_factory=dict)


def with_files(
    value: Any, path: tuple[str | int, ...], folder: Path, faults: Faults, key: str = ""
) -> Any:
    """The arguments with every `prompt: {file: …}` replaced by what the file holds."""
    if isinstance(value, dict):
        if key == "prompt" and set(value) == {"file"} and isinstance(value["file"], str):
            found = beside(value["file"], (*path, "file"), folder, faults)
            return "" if found is None else _text(found, (*path, "file"), faults)
        return {k: with_files(v, (*path, k), folder, faults, k) for k, v in value.items()}
    if isinstance(value, list):
        return [with_files(v, (*path, i), folder, faults) for i, v in enumerate(value)]
    return value


def beside(name: str, path: tuple[str | int, ...], folder: Path, faults: Faults) -> Path | None:
    """A file within the pipeline's folder, or a fault."""
    try:
        found = (folder / name).resolve()
        there = found.is_file()
    except (OSError, RuntimeError, ValueError):  # too long, a circle of links, a zero byte
        faults.add("no-file", f"{name[:40]!r} cannot be the name of a file", path)
        return None
    if not found.is_relative_to(folder.resolve()):
        faults.add("outside", f"{name!r} is outside the pipeline's folder", path)
        return None
    if not there:
        others = [p.name for p in folder.iterdir() if p.is_file()] if folder.is_dir() else []
        faults.add("no-file", f"no file {name!r} beside the pipeline", path, nearest(name, others))
        return None
    return found


def _text(found: Path, path: tuple[str | int, ...], faults: Faults) -> str:
    if found.stat().st_size > _LONGEST_PROMPT:
        faults.add("too-large", f"{found.name} is larger than 1 MiB", path)
        return ""
    try:
        return found.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        faults.add("encoding", f"{found.name} is not UTF-8 text", path)
    except OSError as error:
        faults.add("no-file", f"cannot read {found.name}: {error.strerror}", path)
    return ""


def opened_in(
    op: Nested,
    path: tuple[str | int, ...],
    folder: Path,
    opened: Files,
    faults: Faults,
) -> Op | None:
    """The step with the pipeline that it names built into it."""
    if (op.file is None) == (op.name is None):
        faults.add("missing", "a pipeline step has either `file:` or `name:`", path, key=True)
        return None
    if op.file is not None:
        found = beside(op.file, (*path, "file"), folder, faults)
        if found is None:
            return None
    else:
        library = sorted(p.stem for p in _LIBRARY.glob("*.yaml"))
        if op.name not in library:
            hint = nearest(str(op.name), library)
            message = f"no pipeline {op.name!r} in the library"
            faults.add("unknown-pipeline", message, (*path, "name"), hint)
            return None
        found = _LIBRARY / f"{op.name}.yaml"
    if found in opened.around:
        chain = " → ".join(p.name for p in (*opened.around, found))
        faults.add("cycle", f"a pipeline that holds itself: {chain}", path, key=True)
        return None
    if len(opened.around) > _DEEPEST:
        faults.add("too-deep", f"pipelines nest deeper than {_DEEPEST}", path, key=True)
        return None
    if found not in opened.built:
        opened.built[found] = None
        try:
            files = replace(opened, around=(*opened.around, found))
            opened.built[found] = opened.build(found, files)
        except SpecError as error:
            faults.found.extend(error.faults)
    graph = opened.built[found]
    if graph is None:
        return None
    used = op.holding(graph)
    if used.size > MOST_STEPS:
        message = f"{found.name} holds {used.size:,} steps, more than {MOST_STEPS:,}"
        faults.add("too-large", message, path, key=True)
        return None
    return used
