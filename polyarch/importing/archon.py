"""Archon's configurations (Saad-Falcon et al., 2024, arXiv 2409.15254) to pipeline files."""

from __future__ import annotations

from .archon_file import Notes, read
from .archon_models import Models
from .archon_steps import steps_of
from .imported import Imported, file_text, slug
from .json_text import JsonText

__all__ = ["from_archon"]

_SOURCE = (
    "Archon: An Architecture Search Framework for Inference-Time Techniques "
    "(Saad-Falcon et al., 2024)"
)


def from_archon(text: str, file: str = "<text>") -> Imported:
    """The pipeline of an Archon configuration, given as JSON.

    Where Archon's code and its paper differ, it is as in the paper, and a comment says so. Raises
    `SpecError` with the place of all that is no configuration, `InputError` for what is no text.
    """
    source = JsonText.parse(text, file)
    notes = Notes()
    given = read(source, notes)
    models = Models(component for layer in given.layers for component in layer)
    steps = steps_of(given, models, source, notes)
    head = {
        "name": slug(given.name, "archon"),
        "about": f"Archon's {given.name}",
        "source": _SOURCE,
    }
    entries = models.entries()
    told = notes.lines()
    remarks = ("Imported from an Archon configuration.", *told)
    return Imported(file_text(head, entries, steps, remarks=remarks), told)
