"""A text to the tree of its only document."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from ..errors import Fault, SpecError
from .compose import Composer
from .extent import Lines, event_extent
from .faults import Faults
from .syntax import syntax_faults
from .tree import Located

__all__ = ["compose"]


def compose(lines: Lines) -> Located:
    """The root of the only document. Raises SpecError with every fault found."""
    faults = Faults()
    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    try:
        root = _only_document(lines, yaml.parse(lines.text, Loader=loader), faults)
    except yaml.MarkedYAMLError as error:
        faults.found.extend(syntax_faults(error, lines))
    except yaml.YAMLError as error:
        faults.found.append(Fault("yaml-syntax", str(error), lines.span(1, 1)))
    else:
        if not faults.found:
            return root
    raise SpecError(faults.found)


def _only_document(lines: Lines, events: Iterator[yaml.Event], faults: Faults) -> Located:
    next(events)
    event = next(events)
    if not isinstance(event, yaml.StreamEndEvent):
        event = next(events)
    if isinstance(event, yaml.StreamEndEvent) or _is_nothing(event):
        faults.stop("yaml-empty", "the file holds nothing", lines.span(1, 1))
    root = Composer(lines, events, faults).node(event)
    next(events)
    event = next(events)
    if not isinstance(event, yaml.StreamEndEvent):
        at = event_extent(lines, event)
        span = lines.span(at.line, at.column, 3)
        faults.stop("yaml-documents", "a second document begins here", span, "one per file")
    return root


def _is_nothing(event: yaml.Event) -> bool:
    return isinstance(event, yaml.ScalarEvent) and not (
        event.value or event.style or event.tag or event.anchor
    )
