"""An open pipeline with a choice for its holes: one that can run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..build import build
from ..errors import Fault, SpecError
from ..graph import Graph
from ..source import Document, Entry, Located
from .hole import Choice, Hole
from .parts import Part, Steps, Table
from .text import yaml_text

__all__ = ["Closed", "chosen", "closed", "told"]


@dataclass(frozen=True)
class Closed:
    """A pipeline without holes: its graph, what was chosen for it, by name and in words, and its
    text, which is written when it is asked for."""

    graph: Graph
    choice: Choice
    named: Sequence[tuple[str, str]]
    _root: Located = field(repr=False)

    @cached_property
    def text(self) -> str:
        """The pipeline as YAML, with what was chosen on top; the same for the same choice."""
        plain: Any = self._root.plain()
        lines = (f"#   {name}: {value}" for name, value in self.named)
        return "\n".join((f"# {self.graph.name}, with", *lines)) + "\n\n" + _spaced(plain)


def closed(
    document: Document, part: Part, folder: Path, named: Sequence[tuple[str, str]], choice: Choice
) -> Closed:
    """The pipeline of a choice; `named` says by short name what was chosen.

    Raises `SpecError`, whose faults stand in the open file and say what was chosen.
    """
    root = _root(document.root, part, choice)
    try:
        graph = build(replace(document, root=root), folder)
    except SpecError as error:
        raise SpecError(list(_under(error.faults, told(named)))) from None
    return Closed(graph, choice, named, root)


def told(named: Sequence[tuple[str, str]]) -> str:
    """What was chosen, in a line."""
    return ", ".join(f"{name}: {value}" for name, value in named)


def _under(faults: Sequence[Fault], chosen: str) -> Iterator[Fault]:
    for fault in faults:
        yield replace(fault, hint="; ".join(filter(None, (fault.hint, f"with {chosen}"))))


def _spaced(plain: Mapping[str, Any]) -> str:
    """The text of a pipeline, its steps set apart and each on a line where it fits."""
    made = []
    for key, value in plain.items():
        text = yaml_text({key: value})
        made.append(f"\n{text}" if key == "steps" else text)
    return "".join(made)


def _root(root: Located, part: Part, choice: Choice) -> Located:
    if not isinstance(part, Table):
        filled = part.fill(choice)
        assert filled is not None
        return filled
    filled = part.fill(choice)
    assert filled is not None
    assert isinstance(filled.value, dict)
    entries = filled.value
    steps = part.entries["steps"][1] if "steps" in part.entries else None
    if isinstance(steps, Steps):
        laid = steps.laid_out(choice)
        entries = {**entries, **dict(_output(entries, laid.last, laid.means))}
    return replace(filled, value=dict(_used(entries, root)))


def _output(
    entries: Mapping[str, Entry], last: tuple[str, ...], means: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[str, Entry]]:
    """`output:` where it must change, because the step that it names is not there as it was."""
    steps = entries["steps"]
    names = list(steps.node.value) if isinstance(steps.node.value, dict) else []
    told = entries.get("output")
    if told is None:
        if len(last) == 1 and names and last[0] in names and last[0] != names[-1]:
            yield "output", Entry(steps.key, Located(last[0], steps.node.extent))
        return
    inner = told.node.value["from"].node if isinstance(told.node.value, dict) else told.node
    meant = means.get(inner.value, ()) if isinstance(inner.value, str) else ()
    if len(meant) != 1 or meant[0] == inner.value:
        return
    node = replace(inner, value=meant[0])
    if isinstance(told.node.value, dict):
        place = Entry(told.node.value["from"].key, node)
        node = replace(told.node, value={**told.node.value, "from": place})
    yield "output", Entry(told.key, node)


def _used(entries: Mapping[str, Entry], root: Located) -> Iterator[tuple[str, Entry]]:
    """The entries of a file, `budgets:` without the accounts of steps that are not there."""
    assert isinstance(root.value, dict)
    for key, entry in entries.items():
        accounts = entry.node.value
        if key != "budgets" or not isinstance(accounts, dict) or "steps" not in entries:
            yield key, entry
            continue
        before = _accounts(root.value["steps"].node.plain())
        gone = before - _accounts(entries["steps"].node.plain())
        left = {name: account for name, account in accounts.items() if name not in gone}
        if left:
            yield key, Entry(entry.key, replace(entry.node, value=left))


def _accounts(value: Any) -> frozenset[str]:
    """The words under `budget:` anywhere inside a value."""
    if isinstance(value, list):
        return frozenset().union(*map(_accounts, value))
    if not isinstance(value, dict):
        return frozenset()
    found = frozenset().union(*map(_accounts, value.values()))
    named = value.get("budget")
    return found | {named} if isinstance(named, str) else found


def chosen(
    holes: Sequence[Hole], shorts: Mapping[str, str], choice: Choice
) -> list[tuple[str, str]]:
    """What was chosen for each hole that exists, by its short name."""
    return [
        (shorts[hole.name], hole.told(choice[hole.name])) for hole in holes if hole.name in choice
    ]
