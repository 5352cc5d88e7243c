"""What tests of the search share: a Postgres server of their own, and every kind of record."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a server of its own."""
    control, create = _program("pg_ctl"), _program("initdb")
    # Not within pytest's own folder, into which no other user may look.
    folder = Path(tempfile.mkdtemp(prefix="polyarch-postgres-"))
    port = _free_port()
    as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres")
    options = f"-h 127.0.0.1 -p {port} -k {folder}"
    try:
        subprocess.run(
            [*as_user, create, "-A", "trust", "-U", "postgres", "-D", f"{folder}/data"],
            check=True,
            capture_output=True,
        )
        start = [control, "-D", f"{folder}/data", "-l", f"{folder}/log", "-o", options, "-w"]
        subprocess.run([*as_user, *start, "start"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        _lacks(f"Postgres does not start here: {error}")
    yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    stop = [control, "-D", f"{folder}/data", "-m", "immediate", "stop"]
    subprocess.run([*as_user, *stop], check=True, capture_output=True)
    shutil.rmtree(folder)


def _program(name: str) -> str:
    """A program of Postgres, which Debian keeps out of the path."""
    beside = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(beside[-1]) if beside else None)
    if found is None:
        _lacks("no Postgres here: install Debian's package postgresql")
    return str(found)


def _lacks(why: str) -> None:
    """Skip, or with CI set fail."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def _free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
        return port


@pytest.fixture(params=["sqlite", "journal", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "study.db")
    if request.param == "journal":
        return f"journal:{tmp_path}/study.journal"
    url: str = request.getfixturevalue("postgres")
    return url
