"""Searches that are killed: the budget holds to the call, and every reply is its own draw's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from searched import asked, voted

from polyarch.runtime.cachefile import CacheFile
from polyarch.search.database import database
from polyarch.search.record import studies

ROOT = Path(__file__).parent.parent.parent
CALLS = 700


def _begin(folder: Path, where: str, workers: int) -> subprocess.Popen[str]:
    program = str(ROOT / "tests" / "search_worker.py")
    words = (folder / "out", where, workers, CALLS, folder / "paid.log")
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    command = [sys.executable, program, *map(str, words)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)


def _paid(folder: Path) -> list[str]:
    log = folder / "paid.log"
    return log.read_text().splitlines() if log.exists() else []


def _banked(folder: Path) -> int:
    bank = CacheFile(folder / "out" / "bank.db")
    try:
        return bank.contents().replies
    finally:
        bank.close()


@pytest.mark.parametrize(
    ("kind", "workers", "after"),
    [("sqlite", 1, 1), ("sqlite", 4, 1), ("journal", 4, 2), ("postgres", 4, 2)],
)
def test_killed_and_taken_up_again(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, workers: int, after: int
) -> None:
    where = {
        "sqlite": lambda: "",
        "journal": lambda: f"journal:{tmp_path}/study.journal",
        "postgres": lambda: str(request.getfixturevalue("postgres")),
    }[kind]()
    killed = _begin(tmp_path, where, workers)
    deadline = time.monotonic() + 120
    while len(_paid(tmp_path)) < 100 and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    before = len(_paid(tmp_path))
    assert 100 <= before < CALLS
    lost = before - _banked(tmp_path)
    # Four questions of five draws are under way at once; more replies may have come in since the
    # bank's thread last had its turn.
    assert 0 <= lost <= 3 * 4 * 5
    going_on = [_begin(tmp_path, where, workers) for _ in range(after)]
    told = [one.communicate()[0] for one in going_on]
    assert [one.returncode for one in going_on] == [0] * after
    paid = _paid(tmp_path)
    assert before < len(paid) <= max(map(int, told)) <= CALLS
    if after == 1:
        # What the bank held is not asked for again.
        assert len(paid) - len(set(paid)) <= lost
    _check_every_mark(where or str(tmp_path / "out" / "study.db"))


def _check_every_mark(where: str) -> None:
    """Every score and cost is what the draws of that very point give."""
    opened = database(where)
    (study,) = [one for one in studies(opened) if one.name == "small"]
    opened.close()
    assert sum(len(trial.marks) for trial in study.trials) > 50
    for trial in study.trials:
        n = (3, 2, 5)[int(trial.choice["steps.drafts.n"])]
        warm = (0.5, 0.9)[int(trial.choice["steps.drafts.temperature"])]
        for item, mark in zip(asked().dev, trial.marks, strict=False):
            assert (mark.calls, mark.score) == (n, voted(item, warm, n))
