"""The promises that the layout of the repository makes."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from polyarch.compiler.build import build_file
from polyarch.compiler.op import Op
from polyarch.compiler.plan import plan
from polyarch.compiler.registry import operator, operator_names
from polyarch.compiler.space import open_space
from polyarch.compiler.space.sample import compiled

ROOT = Path(__file__).parent.parent
PARTS = sorted(p.name for p in (ROOT / "polyarch").iterdir() if p.is_symlink())
OWN = ("polyarch", *PARTS)
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the package by the name it is imported by."""
    for part in OWN:
        for path in sorted((ROOT / part).rglob("*.py")):
            inside = path.relative_to(ROOT / part)
            if part == "polyarch" and inside.parts[0] in PARTS:
                continue
            if "train" in inside.parts or inside.name == "__main__.py":
                continue
            head = ("polyarch",) if part == "polyarch" else ("polyarch", part)
            words = (*head, *inside.with_suffix("").parts)
            yield ".".join(words).removesuffix(".__init__"), path


MODULES = dict(modules())


def isort(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest: the order that ruff keeps."""
    return 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2, name


def parsed(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text())


def defined(tree: ast.Module) -> set[str]:
    """Public names that a module defines itself, constants and types included."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize("name", MODULES)
def test_all_is_sorted_and_true(name: str) -> None:
    tree = parsed(name)
    module = importlib.import_module(name)
    told = list(getattr(module, "__all__", ()))
    if not defined(tree) and not told:
        return
    assert told == sorted(told, key=isort), "not sorted"
    assert len(told) == len(set(told))
    assert [n for n in told if not hasattr(module, n)] == []
    assert sorted(defined(tree) - set(told) - {"__getattr__", "__dir__"}) == []


def undocumented(node: ast.ClassDef, inherits: set[str]) -> Iterator[str]:
    for inner in node.body:
        if not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if inner.name.startswith("_") or inner.name in inherits or ast.get_docstring(inner):
            continue
        decorated = {ast.unparse(d) for d in inner.decorator_list}
        if not any("overload" in d or d.endswith(".setter") for d in decorated):
            yield f"{node.name}.{inner.name}"


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_has_a_docstring(name: str) -> None:
    tree = parsed(name)
    missing = []
    if tree.body and not ast.get_docstring(tree):
        missing.append("the module")
    module = importlib.import_module(name)
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            missing.append(node.name)
        if isinstance(node, ast.ClassDef):
            bases = getattr(module, node.name).__mro__[1:]
            # What a base says of a method holds for those that implement it.
            told = {n for b in bases for n, f in vars(b).items() if getattr(f, "__doc__", None)}
            missing += undocumented(node, told)
    assert missing == []


@pytest.mark.parametrize("name", operator_names())
def test_one_operator_a_file(name: str) -> None:
    path = ROOT / "ops" / f"{name}.py"
    cls = operator(name)
    assert cls.__name__ == "".join(part.title() for part in name.split("_"))
    assert cls.__module__ == f"polyarch.ops.{name}"
    module = importlib.import_module(cls.__module__)
    own = [
        found.__name__
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, Op) and found.__module__ == cls.__module__
    ]
    assert own == [cls.__name__]
    assert path.is_file()
    assert inspect.getdoc(cls)


def test_operators_are_the_files_of_the_folder() -> None:
    files = {p.stem for p in (ROOT / "ops").glob("*.py") if not p.name.startswith("_")}
    assert set(operator_names()) == files


def test_the_folders_are_the_same_everywhere() -> None:
    build = CONFIG["tool"]["hatch"]["build"]
    wheel, sdist = build["targets"]["wheel"], build["targets"]["sdist"]
    assert sorted(wheel["only-include"]) == sorted(OWN)
    assert {n for n in sdist["only-include"] if (ROOT / n).is_dir()} == set(OWN)
    assert wheel["sources"] == {part: f"polyarch/{part}" for part in PARTS}
    assert sorted(CONFIG["tool"]["ruff"]["exclude"]) == [f"polyarch/{part}" for part in PARTS]
    for part in PARTS:
        link = ROOT / "polyarch" / part
        assert os.readlink(link) == f"../{part}"
        assert link.resolve() == ROOT / part
        assert (ROOT / part / "__init__.py").is_file(), part


@pytest.mark.parametrize("page", ["README.md", "docs/design.md"])
def test_pages_name_folders_that_are_there(page: str) -> None:
    path = ROOT / page
    if not path.exists():
        pytest.skip(f"no {page} yet")
    text = path.read_text()
    for part in PARTS:
        assert f"{part}/" in text, f"{page} does not name {part}/"


PIPELINES = sorted((ROOT / "pipelines").glob("*.yaml"))
SPACES = sorted((ROOT / "pipelines" / "open").glob("*.yaml"))
DEMO = ROOT / "examples" / "demo.py"
"""Longer than an example, and run by `make demo`."""
EXAMPLES = sorted(
    p for p in (ROOT / "examples").glob("*") if p.suffix in (".py", ".yaml") and p != DEMO
)


@pytest.mark.parametrize("path", PIPELINES, ids=lambda p: str(p.name))
def test_every_pipeline_compiles(path: Path) -> None:
    made = plan(build_file(path))
    assert made.graph.name == path.stem
    assert made.graph.about
    assert made.total.calls.high >= 1
    made.refuse()


@pytest.mark.parametrize("path", SPACES, ids=lambda p: str(p.name))
def test_every_space_opens_counts_and_compiles(path: Path) -> None:
    space = open_space(path)
    assert space.name == path.stem
    assert space.about
    assert space.size is not None
    assert space.search is not None
    plan(space.close(space.first).graph).refuse()
    sample = compiled(space, seed=1)
    assert sample.points >= min(space.size, 50)
    assert sample.refused == 0


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: str(p.name))
def test_every_example_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 40
    if path.suffix == ".yaml":
        assert "steps" in yaml.safe_load(path.read_text())
        plan(build_file(path))


@pytest.mark.examples
@pytest.mark.parametrize(
    "path", [p for p in EXAMPLES if p.suffix == ".py"], ids=lambda p: str(p.name)
)
def test_every_example_runs(path: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
