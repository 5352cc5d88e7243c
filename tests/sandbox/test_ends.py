"""The first process of a sandbox is told of every end, whenever that comes."""

from __future__ import annotations

import subprocess
import sys

from polyarch.runtime.sandbox.command import plain_command

FORKS = """
import os, signal, sys, time
sys.path.append({inside!r})
from inside.confine import awaited
signal.alarm(60)
life, host = os.pipe()
for n in range(6000):
    child = os.fork()
    if not child:
        end = time.perf_counter() + n % 100 * 2e-6
        while time.perf_counter() < end:
            pass
        os._exit(3)
    assert awaited(child, life)[0] == 3
os.close(host)
parent = os.getpid()
if not (child := os.fork()):
    while os.getppid() == parent:
        time.sleep(0.01)
    os._exit(3)
awaited(child, life)
"""


def test_no_end_is_missed_and_without_a_host_all_is_over() -> None:
    inside = plain_command("script")[-1].split("'")[1]
    ran = subprocess.run([sys.executable, "-c", FORKS.format(inside=inside)], check=False)
    # Not SIGALRM: the last fork is not waited for once the host is gone.
    assert ran.returncode == 1
