"""The plan as a Python module: plain, readable, importable in milliseconds, and locked."""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Mapping, Sequence
from keyword import iskeyword
from typing import TypeAlias

from pydantic import BaseModel

from ... import __version__
from ..graph import Graph, Node
from ..op import Amount
from ..plan import Plan, fingerprints
from .literals import Call, Name, answer, literal

__all__ = ["FORMAT", "emit"]

FORMAT = 1
"""The number of the module's format; raised when what `polyarch.compiled` takes changes."""

_TAKEN = frozenset({"Asked", "Lock", "Result", "annotations", "compiled", "step"})
_WIDTH = 88

_IMPORTS = """\
from __future__ import annotations

from typing import TYPE_CHECKING

from polyarch.compiled import Lock, compiled, step

if TYPE_CHECKING:
    from polyarch import Result
    from polyarch.runtime.questions import Asked"""


def emit(plan: Plan) -> str:
    """The plan as the source of a module. Equal plans give equal text."""
    sections = (
        f"{_docstring(plan.graph)}\n\n{_IMPORTS}",
        _assigned("LOCK", Call("Lock", _lock(plan))),
        _assigned("PIPELINE", Call("compiled", _pipeline(plan))),
    )
    return "\n\n".join(sections) + f"\n\n\n{_function(plan.graph)}\n"


def _assigned(name: str, value: Call) -> str:
    return f"{name} = {literal(value, len(name) + 3)}"


def _docstring(graph: Graph) -> str:
    about = " ".join(graph.about.split())
    told = [f"{graph.name}: {about}" if about else f"{graph.name}, a compiled pipeline."]
    if graph.source:
        told.append(f"After {' '.join(graph.source.split())}.")
    told.append(
        f"Compiled by polyarch {__version__} (`polyarch compile --emit python`). What it asks is "
        "locked: a module edited by hand does not run. Change the pipeline's YAML and compile it "
        "again."
    )
    first, *more = (textwrap.fill(_inside(line), _WIDTH) for line in told)
    return "\n\n".join([f'"""{first}', *more]) + '\n"""'


def _inside(text: str) -> str:
    """Text as it stands inside a docstring."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text.replace("\\", "\\\\"))
    return shown.replace('"', '\\"') if '"""' in shown or shown.endswith('"') else shown


_Arguments: TypeAlias = Sequence[tuple[str, object]]


def _lock(plan: Plan) -> _Arguments:
    prompts = {
        step: tuple(hashlib.sha256(text.encode()).hexdigest() for text in texts)
        for step, texts in plan.prompts.items()
    }
    total = plan.total
    return (
        ("format", FORMAT),
        ("polyarch", __version__),
        ("digest", plan.digest),
        ("models", {name: spec.model for name, spec in plan.graph.models.items()}),
        ("prompts", prompts),
        ("steps", fingerprints(plan.graph)),
        ("calls", _bounds(total.calls)),
        ("prompt_tokens", _bounds(total.prompt)),
        ("completion_tokens", _bounds(total.completion)),
        ("usd", (total.usd.low, total.usd.high)),
    )


def _pipeline(plan: Plan) -> _Arguments:
    graph = plan.graph
    return (
        ("", Name("LOCK")),
        ("name", graph.name),
        *_given(
            about=graph.about,
            source=graph.source,
            question=graph.question.model_dump(mode="json", exclude_defaults=True),
        ),
        ("question_tokens", _bounds(plan.question)),
        ("models", _dumped(graph.models)),
        *_given(tools=_dumped(graph.tools)),
        ("answer", answer(graph.answer)),
        *_given(budgets=_dumped(graph.budgets)),
        ("steps", tuple(Call("step", _step(graph, node)) for node in graph.nodes.values())),
        ("output", graph.output),
        *_given(keep=graph.keep if graph.keep != 1 else None, notes=graph.notes),
    )


def _dumped(values: Mapping[str, BaseModel]) -> Mapping[str, object]:
    return {n: v.model_dump(mode="json", exclude_defaults=True) for n, v in values.items()}


def _step(graph: Graph, node: Node) -> _Arguments:
    """The arguments are all that were set: an ensemble gives its own to members that lack them, so
    a value set to its default is not the same as one left out."""
    return (
        ("", node.name),
        ("op", node.kind),
        *_given(
            arguments=node.op.model_dump(mode="json", exclude_unset=True),
            inputs=node.inputs,
            chunk=node.chunk if node.chunk != 1 else None,
            window=node.window,
            at_least=node.at_least,
            answer=answer(node.answer) if node.answer != graph.answer else None,
            scope=node.scope,
            gate=node.gate,
            topic=node.topic,
        ),
    )


def _given(**values: object) -> _Arguments:
    """The keyword arguments that hold something."""
    return [(name, value) for name, value in values.items() if value or value == 0]


def _bounds(amount: Amount) -> tuple[int, int]:
    return amount.low, amount.high


def _function(graph: Graph) -> str:
    name = f"{graph.name}_" if iskeyword(graph.name) or graph.name in _TAKEN else graph.name
    about = " ".join(graph.about.split()) or f"Answer a question with the pipeline {graph.name}."
    doc = textwrap.fill(_inside(about), _WIDTH - 10, subsequent_indent="    ")
    closing = '\n    """' if "\n" in doc else '"""'
    return (
        f"def {name}(question: Asked, *, seed: int = 0) -> Result:\n"
        f'    """{doc}{closing}\n'
        "    return PIPELINE(question, seed=seed)"
    )
