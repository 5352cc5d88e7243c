"""What README and docs show is true: pipelines compile, programs run, output is what it says.

A block marked `fragment` is no whole example; one marked `wrong` must fail as the page says;
one marked `open` is a search space.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import polyarch
from polyarch.cli import COMMANDS, cli
from polyarch.compiler.op import Asking
from polyarch.compiler.registry import operator, operator_names
from polyarch.compiler.space import parse_space
from polyarch.compiler.space.sample import compiled

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(?P<kind>[^\n]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:)(?P<file>[^)#]*)(?:#(?P<heading>[^)]*))?\)")
_FOLDER = re.compile(r"^\| `(\w+)/` \|", re.MULTILINE)


def blocks(kind: str) -> list[Any]:
    """Every block of a kind, named by page and line."""
    made = []
    for page in PAGES:
        text = page.read_text()
        for found in _BLOCK.finditer(text):
            if found["kind"] == kind:
                line = text.count("\n", 0, found.start()) + 1
                made.append(pytest.param(found["text"], id=f"{page.name}:{line}"))
    return made


@pytest.mark.parametrize("text", blocks("yaml"))
def test_pipelines_compile(text: str) -> None:
    polyarch.loads(text, folder=ROOT / "examples").plan.refuse()


@pytest.mark.parametrize("text", blocks("yaml open"))
def test_spaces_open_and_compile(text: str) -> None:
    assert compiled(parse_space(text, ROOT / "examples")).points > 1


@pytest.mark.parametrize("text", blocks("python"))
def test_programs_run(text: str) -> None:
    exec(compile(text, "<docs>", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("text", blocks("yaml wrong"))
def test_mistakes_are_told_as_shown(text: str) -> None:
    with pytest.raises(polyarch.SpecError) as caught:
        polyarch.loads(text)
    pages = "".join(page.read_text() for page in PAGES)
    assert str(caught.value.faults[0]) in pages


@pytest.mark.parametrize("text", blocks("console"))
def test_commands_exist_and_compile_prints_what_is_shown(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = _pipeline(ROOT / "README.md")
    (tmp_path / "checked_vote.yaml").write_text(shown)
    (tmp_path / "misspelt.yaml").write_text(shown.replace("op: verify", "op: verfy"))
    monkeypatch.chdir(tmp_path)
    for command in re.findall(r"^\$ polyarch ([\w-]+)", text, re.MULTILINE):
        assert command in COMMANDS
    if found := re.match(r"\$ polyarch (compile \S+)\n(.+)", text, re.DOTALL):
        printed = CliRunner().invoke(cli, found[1].split()).output
        for line in found[2].splitlines():
            assert line.rstrip() in [line.rstrip() for line in printed.splitlines()]


def _pipeline(page: Path) -> str:
    """The first pipeline on a page."""
    found = re.search(r"^```yaml\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for found in _LINK.finditer(page.read_text()):
        target = page.parent / found["file"] if found["file"] else page
        assert target.exists(), found[0]
        if found["heading"]:
            titles = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            assert found["heading"] in [t.lower().replace(" ", "-") for t in titles], found[0]


def test_every_page_names_the_folders_that_there_are() -> None:
    made = {"build", "dist", "shared"}
    there = {f.name for f in ROOT.iterdir() if f.is_dir() and f.name[0] not in "._"} - made
    for page in (ROOT / "README.md", ROOT / "docs" / "design.md"):
        assert set(_FOLDER.findall(page.read_text())) == there, page.name


def test_every_operator_has_its_section_with_the_first_line_of_its_help() -> None:
    text = (ROOT / "docs" / "operators.md").read_text()
    sections = dict(re.findall(r"^## (\w+)\n\n(.+)$", text, re.MULTILINE))
    sections.pop("pipeline")
    assert tuple(sections) == operator_names()
    for name, line in sections.items():
        assert line == (operator(name).__doc__ or "").splitlines()[0]


@pytest.mark.parametrize("name", operator_names())
def test_every_argument_of_an_operator_is_told(name: str) -> None:
    text = (ROOT / "docs" / "operators.md").read_text()
    section = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
    op = operator(name)
    shared = set(Asking.model_fields)
    told = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    assert told == set(op.model_fields) - shared
    variables: frozenset[str] = getattr(op, "variables", frozenset())
    assert set(re.findall(r"`\{(\w+)\}`", section)) == variables
