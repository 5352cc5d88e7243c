"""Operators and backends of other distributions: installed by pip, found, used, refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
OWN = ("polyarch-op-shout", "polyarch-backend-echo")

PIPELINE = """\
name: loudest
models: {loud: echo/loud, plain: echo/plain}
answer: text
steps:
  drafts: {op: ensemble, members: [plain, loud]}
  measured: {op: shout}
  answer: {op: select, by: shout}
"""


def install(target: Path, *packages: Path) -> None:
    """What a user does, into a folder of its own."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-build-isolation", "--target", str(target), *map(str, packages)),
        ],
        check=True,
        capture_output=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both packages installed."""
    target = tmp_path_factory.mktemp("site")
    install(target, *(HERE / name for name in OWN))
    return target


def polyarch(folder: Path, site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, as it is where the packages of a folder are installed."""
    return subprocess.run(
        [sys.executable, "-c", "from polyarch.cli import main; main()", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{site}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def offering(target: Path, group: str, entry: str, module: str = "") -> Path:
    """A folder with a distribution that offers something, as pip would lay it out."""
    about = target / "rude-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: rude\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[polyarch.{group}]\n{entry}\n")
    (target / "rude.py").write_text(module)
    return target


def test_they_are_listed_and_explained(tmp_path: Path, site: Path) -> None:
    listed = polyarch(tmp_path, site, "ops").stdout.splitlines()
    assert "shout Score each candidate by how loud it is." in (
        " ".join(row.split()) for row in listed
    )
    told = polyarch(tmp_path, site, "ops", "shout").stdout
    assert told.startswith("shout: Score each candidate by how loud it is.")
    assert "at_most  number ≥ 0 and ≤ 1, default none" in told
    assert "Drop what is louder; None keeps all." in told
    assert "echo: echo/<model>: says what it was told" in polyarch(tmp_path, site, "models").stdout
    (model,) = json.loads(polyarch(tmp_path, site, "models", "echo/loud", "--json").stdout)
    assert (model["context"], model["price"]["completion"]) == (8192, 2.0)
    assert "echo" in polyarch(tmp_path, site, "doctor").stdout
    schema = json.loads(polyarch(tmp_path, site, "schema").stdout)
    assert "at_most" in schema["$defs"]["step.shout"]["properties"]


def test_a_pipeline_compiles_and_runs_with_them(tmp_path: Path, site: Path) -> None:
    (tmp_path / "loudest.yaml").write_text(PIPELINE)
    made = polyarch(tmp_path, site, "compile", "loudest.yaml", "--json")
    steps = {step["name"]: step for step in json.loads(made.stdout)["steps"]}
    assert steps["measured"]["op"] == "shout", steps["measured"]
    told = json.loads(polyarch(tmp_path, site, "run", "loudest.yaml", "hear me", "--json").stdout)
    assert told["answer"] == "HEAR ME"
    assert told["usage"]["calls"] == 2
    assert told["usage"]["completion_tokens"] == 4
    # Two prompts of two words at $1 a million, four words at $2.
    assert told["usage"]["usd"] == pytest.approx(12e-6)


def test_a_compiled_module_runs_with_them(tmp_path: Path, site: Path) -> None:
    (tmp_path / "loudest.yaml").write_text(PIPELINE)
    polyarch(tmp_path, site, "compile", "loudest.yaml", "--emit", "python", "-o", "loudest.py")
    done = subprocess.run(
        [sys.executable, "-c", "import loudest; print(loudest.loudest('hear me'))"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{site}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "HEAR ME\n", done.stderr


def test_what_is_wrong_is_told_as_of_polyarch_s_own(tmp_path: Path, site: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        PIPELINE.replace("{op: shout}", "{op: shout, at_mots: 1}").replace("echo/loud", "echo/lout")
    )
    told = polyarch(tmp_path, site, "compile", "p.yaml")
    assert told.returncode == 1
    assert 'did you mean "at_most"?' in told.stderr
    assert "echo has the models loud, plain, not 'lout'" in told.stderr
    without = polyarch(tmp_path, tmp_path / "nothing", "compile", "p.yaml")
    assert "unknown operator 'shout'" in without.stderr
    assert "unknown backend 'echo'" in without.stderr


@pytest.mark.parametrize(
    ("group", "name", "arguments"),
    [("ops", "vote", ["ops"]), ("backends", "openai", ["models"])],
)
def test_a_name_that_is_taken_is_an_error(
    group: str, name: str, arguments: list[str], tmp_path: Path
) -> None:
    site = offering(tmp_path / "site", group, f"{name} = rude:Rude")
    told = polyarch(tmp_path, site, *arguments)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == (
        f"error: {name!r} is offered by rude:Rude and by polyarch itself; one of them must be "
        "renamed\n"
    )


def test_two_distributions_cannot_offer_one_name(tmp_path: Path, site: Path) -> None:
    other = offering(tmp_path / "site", "ops", "shout = rude:Rude")
    told = polyarch(tmp_path, Path(f"{site}{os.pathsep}{other}"), "ops", "--json")
    assert told.returncode == 1
    error = json.loads(told.stdout)["error"]
    assert error["code"] == "name-clash"
    assert "'shout' is offered by" in error["message"]


@pytest.mark.parametrize(
    ("entry", "module", "told"),
    [
        ("rude = rude:Rude", "", "cannot be loaded: module 'rude' has no attribute 'Rude'"),
        ("rude = nowhere:Rude", "", "cannot be loaded: No module named 'nowhere'"),
        ("rude = rude:Rude", "class Rude: ...", "is no subclass of Source, Each or All"),
        ("rude = rude:Rude", "class Rude(:", "cannot be loaded: invalid syntax (rude.py, line 1)"),
    ],
    ids=["no class", "no module", "no operator", "no Python"],
)
def test_an_operator_that_cannot_be_loaded_is_told_with_its_distribution(
    entry: str, module: str, told: str, tmp_path: Path
) -> None:
    site = offering(tmp_path / "site", "ops", entry, module)
    done = polyarch(tmp_path, site, "ops", "rude")
    assert done.returncode == 1
    assert done.stderr.startswith("error: 'rude', which rude offers as ")
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    # Who does not name it is not kept from working.
    assert polyarch(tmp_path, site, "compile", "single").returncode == 0


def test_a_backend_that_cannot_be_used_is_told_with_its_distribution(tmp_path: Path) -> None:
    site = offering(tmp_path / "site", "backends", "rude = rude", "def info(): ...")
    (tmp_path / "p.yaml").write_text(
        "name: p\nmodels: {m: rude/m}\nsteps: {answer: {op: generate}}\n"
    )
    done = polyarch(tmp_path, site, "compile", "p.yaml")
    assert done.returncode == 1
    assert "which rude offers as rude, is no module with info and open_backend" in done.stderr
    assert "Traceback" not in done.stderr
