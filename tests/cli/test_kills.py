"""A batch that is killed again and again ends as if it never had been, and pays nothing twice.

The longer form: python tests/cli/test_kills.py --questions 500 --kills 30
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).parent.parent.parent
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests"))

from server import Remote, Row, serving  # noqa: E402

PIPELINE = """
name: p
answer: number
models:
  m: {{model: openai/m, max_draws: 1, concurrency: 16, max_tokens: 40,
      options: {{base_url: "{url}", seed: true}}}}
steps:
  drafts: {{op: generate, n: 2}}
  fused: {{op: fuse}}
"""
REQUESTS = 3
"""Of one question."""

GRACE = 0.1
"""Seconds in which a reply that the server has sent may not have reached the journal: it waits in a
socket, or for the journal's thread, on a machine that does other things as well."""


@dataclass
class Report:
    """What became of a batch that was killed; requests of it, and of one that was not."""

    clean: list[dict[str, Any]]
    killed: list[dict[str, Any]]
    clean_requests: int
    killed_requests: int
    open_at_kills: list[int]
    unexplained: list[str]
    """Requests that were sent again although their reply had arrived long before a kill."""


def start(folder: Path, out: str) -> subprocess.Popen[bytes]:
    """The batch, from where it is."""
    run = "from polyarch.cli import main; main()"
    files = ["p.yaml", "--in", "q.jsonl", "--out", out, "-q"]
    return subprocess.Popen(
        [sys.executable, "-c", run, "run", *files],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a batch that nobody kills."""
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told.decode()


def answers(path: Path) -> list[dict[str, Any]]:
    """The whole lines of an output, without their timing."""
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    records = [json.loads(line) for line in lines if line.endswith(b"\n")]
    return [{name: v for name, v in record.items() if name != "timing"} for record in records]


def kill(
    process: subprocess.Popen[bytes], server: Remote, after: int, delay: float
) -> float | None:
    """Kill a batch once the server has seen so many requests; when it was, None if it had ended."""
    while process.poll() is None and server.count()["requests"] < after:
        time.sleep(0.005)
    time.sleep(delay)
    at = time.monotonic()
    process.kill()
    process.communicate()
    return None if process.returncode == 0 else at


def killed(folder: Path, questions: int, kills: int, seed: int) -> Report:
    """Run a batch once in peace, and once with kills."""
    dice = Random(seed)
    asked = [{"id": f"q{n}", "question": f"What is {n} + {n}?"} for n in range(questions)]
    (folder / "q.jsonl").write_text("".join(json.dumps(one) + "\n" for one in asked))
    with serving("--latency", "0.1") as server:
        (folder / "p.yaml").write_text(PIPELINE.format(url=server.url))
        finish(start(folder, "clean.jsonl"))
        clean = answers(folder / "clean.jsonl")
        before = len(server.log())
        moments: list[float] = []
        over = False
        for number in range(kills):
            seen = server.count()["requests"]
            process = start(folder, "killed.jsonl")
            if number % 4 == 3:  # at any time, so while it starts, too
                at = kill(process, server, 0, dice.uniform(0.0, 1.0))
            else:
                more = dice.randrange(1, 2 * before // kills)
                at = kill(process, server, seen + more, dice.uniform(0.0, 0.05))
            there = answers(folder / "killed.jsonl")
            assert there == clean[: len(there)]
            moments += [] if at is None else [at]
            # The very last thing that a batch does is to remove its journal.
            over = len(there) == questions and not list(folder.glob(".killed.jsonl.*"))
            if over:
                break
        if not over:
            finish(start(folder, "killed.jsonl"))
        rows = server.log()[before:]
    raw = (folder / "killed.jsonl").read_bytes()
    assert raw.endswith(b"\n")
    assert raw.count(b"\n") == questions
    return Report(
        clean,
        answers(folder / "killed.jsonl"),
        before,
        len(rows),
        [sum(is_open(row, at) for row in rows) for at in moments],
        list(unexplained(rows, moments)),
    )


def is_open(row: Row, at: float) -> bool:
    """Whether a request was under way at that moment, or had only just been answered."""
    # What arrives after a kill was sent before it.
    return at - GRACE < (row.ended or at + 1) and row.started < at + GRACE


def unexplained(rows: list[Row], moments: list[float]) -> list[str]:
    """Requests that were repeated without having been open at any kill."""
    tries = defaultdict(list)
    for row in rows:
        tries[row.digest].append(row)
    return [
        digest
        for digest, own in tries.items()
        for row in own[:-1]
        if not any(is_open(row, at) for at in moments)
    ]


def check(report: Report, questions: int) -> None:
    """The promises of a batch."""
    assert [one["id"] for one in report.clean] == [f"q{n}" for n in range(questions)]
    assert report.clean_requests == REQUESTS * questions
    assert report.killed == report.clean
    assert report.unexplained == []
    assert report.killed_requests <= report.clean_requests + sum(report.open_at_kills)


def test_a_batch_survives_being_killed(tmp_path: Path) -> None:
    report = killed(tmp_path, questions=120, kills=8, seed=1)
    check(report, 120)
    # Kills that hit nothing would prove nothing.
    assert sum(count > 0 for count in report.open_at_kills) >= 4
    assert not list(tmp_path.glob(".*journal*"))


def main() -> None:
    """The longer form, with figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        report = killed(Path(folder), given.questions, given.kills, given.seed)
        check(report, given.questions)
    print(
        f"{given.questions} questions, {given.kills} kills: {report.clean_requests} requests in "
        f"peace, {report.killed_requests} with kills; open at the kills: "
        f"{report.open_at_kills}; {time.monotonic() - began:.1f} s"
    )


if __name__ == "__main__":
    main()
