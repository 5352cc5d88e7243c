"""What MkDocs is told beside mkdocs.yml: generated pages, and links out of this folder."""

from __future__ import annotations

import re
from typing import Any

from generated import pages
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_OUTSIDE = re.compile(r"\[([^\]]*)\]\((?:\.\./)+([^)#]*)(?:#[^)]*)?\)")
_FENCE = re.compile(r"^```(\w+) \w+$", re.MULTILINE)
_WRITTEN = pages()


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put a page for each operator where the navigation says so."""
    names = sorted(path for path in _WRITTEN if path.startswith("operators/"))
    config.nav = _filled(config.nav, names)
    return config


def _filled(nav: Any, names: list[str]) -> Any:
    if isinstance(nav, list):
        whole = [_filled(one, names) for one in nav]
        return [one for each in whole for one in (names if each == "operators/*" else [each])]
    if isinstance(nav, dict):
        return {title: _filled(inner, names) for title, inner in nav.items()}
    return nav


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for path, text in _WRITTEN.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Files outside the documentation are named, since they are not there to lead to; a word behind
    a fence is for the tests."""
    if page.file.src_uri in _WRITTEN:
        return markdown
    return _FENCE.sub(r"```\1", _OUTSIDE.sub(r"\1 (`\2`)", markdown))
