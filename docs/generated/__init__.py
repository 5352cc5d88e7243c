"""Pages that are written when the documentation is built, out of what they describe.

`pages()` gives their text by path; `docs/hook.py` hands them to MkDocs.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import commands, keys, library, operators

__all__ = ["pages"]


def pages() -> Mapping[str, str]:
    """The text of every generated page, by its path under `docs/`."""
    return {
        "reference/keys.md": keys.page(),
        "reference/commands.md": commands.page(),
        "reference/pipelines.md": library.page(),
        **operators.pages(),
    }
