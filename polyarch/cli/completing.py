"""What a shell is told when it asks how a word may go on."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

__all__ = ["files", "kinds", "operators", "passes", "pipelines", "spaces"]

_FILES = "file"
"""click's word for: whatever files there are."""


def pipelines(ctx: click.Context, param: click.Parameter, word: str) -> list[CompletionItem[str]]:
    """The library's pipelines, and files."""
    from ..pipelines import names

    return [*files(ctx, param, word), *_beginning(word, names())]


def spaces(ctx: click.Context, param: click.Parameter, word: str) -> list[CompletionItem[str]]:
    """The library's search spaces, and files."""
    from ..pipelines import spaces

    bare = (name.removeprefix("open/") for name in spaces())
    return [*files(ctx, param, word), *_beginning(word, bare)]


def files(ctx: click.Context, param: click.Parameter, word: str) -> list[CompletionItem[str]]:
    """Files: before any names, since bash forgets what it was told before them."""
    return [CompletionItem(word, type=_FILES)]


def operators(ctx: click.Context, param: click.Parameter, word: str) -> list[CompletionItem[str]]:
    """The operators."""
    from ..compiler.registry import operator_names

    return _beginning(word, operator_names())


def passes(ctx: click.Context, param: click.Parameter, word: str) -> list[CompletionItem[str]]:
    """The passes of the compiler."""
    from ..compiler.passes import PASSES

    return _beginning(word, (one.__name__ for one in PASSES))


def kinds(ctx: click.Context, param: click.Parameter, word: str) -> list[CompletionItem[str]]:
    """What a plan can be written as."""
    from ..compiler.emit import EMITTERS

    return _beginning(word, (*EMITTERS, "placement"))


def _beginning(word: str, known: Iterable[str]) -> list[CompletionItem[str]]:
    return [CompletionItem(name) for name in known if name.startswith(word)]
