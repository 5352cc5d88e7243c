"""A page of the library's pipelines: what each is, where it is from, what it costs."""

from __future__ import annotations

from collections.abc import Iterator

from polyarch.compiler.emit.table import emit
from polyarch.pipelines import path, spaces

from .found import library
from .markdown import fenced, table

__all__ = ["page"]


def page() -> str:
    """The page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# The library of pipelines"
    yield ""
    yield (
        "Each is a published technique in one file, to run by its name (`polyarch run NAME …`), to "
        "import (`from polyarch.pipelines import NAME`) or to copy. All ask `embedded/abacus`, the "
        "model that ships with polyarch, unless they need what it does not offer: put your own in "
        "its place."
    )
    yield ""
    rows = [(f"[`{one.name}`](#{one.name})", one.plan.graph.about) for one in library()]
    yield from table(("pipeline", ""), rows)
    for one in library():
        yield f"\n## {one.name}\n"
        yield f"{one.plan.graph.about}\n"
        if one.plan.graph.source:
            yield f"Source: {one.plan.graph.source}\n"
        yield from fenced("yaml", one.text)
        yield "\nIts plan:\n"
        yield from fenced("text", emit(one.plan).split("\n", 2)[2])
    yield "\n## Search spaces\n"
    yield "Files with holes, for [`polyarch search`](../search.md).\n"
    for name in spaces():
        yield f"\n### {name}\n"
        yield from fenced("yaml", path(name).read_text("utf-8"))
