"""From a located document to a graph: validate, resolve names, collect every fault on the way."""

from __future__ import annotations

from pathlib import Path

from ..errors import SpecError
from ..graph import Graph, Place
from ..holes import without_literals
from ..source import Document, read
from ..spec import Budget, Spec
from ..verify import verify
from .budgets import Budgets
from .faults import Faults
from .files import Files
from .models import models_of
from .profiles import with_profiles
from .readable import answer_of, output_of, readable
from .steps import Around, steps_of
from .tools import check_tools

__all__ = ["build", "build_file"]


def build_file(path: Path) -> Graph:
    """Build the pipeline in a file. Raises `SpecError` with every fault found."""
    whole = path.resolve()
    return _built(path, Files(_built, (whole,)))


def build(document: Document, folder: Path) -> Graph:
    """Build a pipeline; `folder` is where its `file:`s may be.

    Raises `SpecError` with every fault found.
    """
    return _build(document, folder, Files(_built))


def _built(path: Path, opened: Files) -> Graph:
    return _build(read(path), path.resolve().parent, opened)


def _build(document: Document, folder: Path, opened: Files) -> Graph:
    document = without_literals(document)
    faults = Faults(document, document.plain())
    spec = readable(faults)
    if spec is None:
        raise SpecError(faults.found)
    kind = answer_of(spec, faults)
    spec, tuned = _tuned(spec, folder, faults)
    models = models_of(spec, faults)
    check_tools(spec, faults)
    budgets = Budgets(spec, faults)
    nodes = steps_of(Around(spec, kind, models, folder, opened, budgets, faults))
    budgets.check_used()
    output, keep = output_of(spec, faults)
    graph = Graph(
        name=spec.name,
        about=spec.about,
        source=spec.source,
        question=spec.question,
        answer=kind,
        models=models,
        budgets=budgets.by_scope,
        nodes=nodes,
        output=output,
        keep=keep,
        notes=tuned,
        tools=spec.tools,
        place=Place(
            document.span(("output",))
            if spec.output
            else document.span(("steps", output), key=True),
            {
                **{
                    f"budget.{unit}": document.span(("budget", unit))
                    for unit in Budget.model_fields
                },
                "keep": document.span(("output", "keep")),
            },
        ),
    )
    faults.found += verify(graph, partial=bool(faults.found))
    if faults.found:
        raise SpecError(faults.found)
    return graph


def _tuned(spec: Spec, folder: Path, faults: Faults) -> tuple[Spec, tuple[str, ...]]:
    """The pipeline with the options of its models' profiles, and notes about these."""
    if not any(model.profile for model in spec.models.values()):
        return spec, ()
    models, notes = with_profiles(spec.models, folder, faults)
    return spec.model_copy(update={"models": models}), notes
