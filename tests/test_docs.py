"""What README and docs show is true: pipelines compile, programs run, output is what it says.

A block marked `fragment` is no whole example; one marked `wrong` must fail as the page says;
one marked `open` is a search space; one marked `run` is run, and prints the lines shown; one marked
`file` is a file of an example package.
"""

from __future__ import annotations

import html
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import polyarch
from polyarch.cli import COMMANDS, cli
from polyarch.cli.exits import Exit
from polyarch.cli.files import pipeline_file
from polyarch.cli.voice import OPTIONS
from polyarch.compiler.op import Asking
from polyarch.compiler.registry import operator, operator_names
from polyarch.compiler.space import parse_space
from polyarch.compiler.space.sample import compiled
from polyarch.compiler.spec import Spec
from polyarch.pipelines import names, path

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


def _commands(text: str) -> list[list[str]]:
    """The commands of a block, each in words, up to what is the shell's."""
    found = re.findall(r"^\$ polyarch (.+?)(?: (?:&&|>|\||#).*)?$", text, re.MULTILINE)
    return [shlex.split(line) for line in found]


@pytest.mark.parametrize("text", [*blocks("console"), *blocks("console run")])
def test_commands_have_the_options_that_are_shown(text: str) -> None:
    root = cli.make_context("polyarch", [], resilient_parsing=True)
    for command, *words in _commands(text):
        if command.startswith("-"):
            continue
        known = cli.get_command(root, command)
        assert known is not None, command
        options = {name for param in known.params for name in (*param.opts, *param.secondary_opts)}
        written = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert written <= {*options, "--help"}
        if command in ("compile", "run", "eval", "search") and "." not in words[0]:
            assert pipeline_file(words[0]).exists()


def _named(text: str) -> dict[str, str]:
    """The pipelines of a page whose first line is the name of a file."""
    found = re.findall(
        r"^```yaml[a-z ]*\n# (\w+\.yaml)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
    )
    return dict(found)


@pytest.mark.parametrize("text", blocks("console run"))
def test_commands_print_what_is_shown(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = _pipeline(ROOT / "README.md")
    (tmp_path / "misspelt.yaml").write_text(readme.replace("op: verify", "op: verfy"))
    for page in PAGES:
        for name, pipeline in _named(page.read_text()).items():
            (tmp_path / name).write_text(pipeline)
    monkeypatch.chdir(tmp_path)
    (words,) = _commands(text)
    printed = CliRunner().invoke(cli, words).output
    for line in text.splitlines()[1:]:
        assert line in printed


@pytest.mark.parametrize("text", [*blocks("python file"), *blocks("toml file")])
def test_files_of_example_packages_are_as_shown(text: str) -> None:
    there = [path.read_text() for path in (ROOT / "tests" / "plugins").glob("*/*.*")]
    assert text in there


def test_exit_codes_are_those_that_there_are() -> None:
    table = re.findall(r"^\| (\d+) \| `(\w+)` \|", (ROOT / "docs" / "cli.md").read_text(), re.M)
    assert [(int(code), name) for code, name in table] == [(e.value, e.name) for e in Exit]


def test_commands_that_take_json_are_those_that_are_told() -> None:
    told = (ROOT / "docs" / "cli.md").read_text().split("the exit code is the same.")[1]
    listed = set(re.findall(r"`([\w-]+)`", told.split("take it")[0]))
    root = cli.make_context("polyarch", [], resilient_parsing=True)
    commands = {name: cli.get_command(root, name) for name in COMMANDS}
    taking = {n for n, c in commands.items() if c and any("--json" in p.opts for p in c.params)}
    assert taking == listed


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation, built as `make docs` builds it."""
    made = tmp_path_factory.mktemp("site")
    # Not --quiet, with which MkDocs counts no warnings either.
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(made)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return made


def _shown(page: Path) -> str:
    """The text of a built page, without its marks."""
    text = page.read_text()
    return html.unescape(re.sub(r"<[^>]+>", "", text.partition("<article")[2]))


def test_the_documentation_is_built_and_fetches_nothing(site: Path) -> None:
    pages = {path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html")}
    assert {page.stem for page in PAGES if page.name != "README.md"} <= pages
    assert {"reference/keys", "reference/commands", "reference/pipelines"} <= pages
    assert {f"operators/{name}" for name in operator_names()} <= pages
    for page in site.rglob("*.html"):
        text = page.read_text()
        fetched = re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=\"?([^\" >]+)", text)
        assert not [url for url in fetched if url.startswith(("http:", "https:", "//"))], page.name
    for sheet in site.rglob("*.css"):
        assert not re.findall(r"url\(\s*['\"]?(?:https?:)?//", sheet.read_text()), sheet.name
    assert not list(site.rglob("*.py"))


@pytest.mark.parametrize("name", operator_names())
def test_an_operator_has_a_page_with_arguments_costs_and_an_example(name: str, site: Path) -> None:
    shown = _shown(site / "operators" / f"{name}.html")
    cls = operator(name)
    words = " ".join(shown.split())
    assert " ".join((cls.__doc__ or "").split("\n")[0].split()) in words
    for argument in cls.model_fields:
        assert argument in words
    assert "What it reads, adds and costs" in words
    assert re.search(rf"op: {name}\b", shown), "no pipeline, example or page shows it at work"


def test_generated_pages_name_everything(site: Path) -> None:
    commands = _shown(site / "reference" / "commands.html")
    assert all(f"polyarch {name} " in commands for name in COMMANDS)
    assert all(option.opts[1] in commands for option in OPTIONS)
    library = _shown(site / "reference" / "pipelines.html")
    for name in names():
        assert polyarch.load(path(name)).plan.graph.about in library
    keys = _shown(site / "reference" / "keys.html")
    assert all(key in keys for key in Spec.model_fields)


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
