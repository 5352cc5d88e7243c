"""Whether the sandbox is one here: tried, not assumed, before the first program runs."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import socket
import tempfile
from functools import cache
from pathlib import Path

from ...compiler.errors import SandboxFailed
from ...compiler.execution import Limits, Script
from .command import INSTALL, visible_environment
from .filter import ARCHITECTURES

__all__ = ["PROBE", "leaks", "probed"]

PROBE = """\
import ctypes, json, os, _socket, sys

port, pid, path, *names = sys.argv[1:]
leaks = []

def leak(what, attempt):
    try:
        attempt()
    except (OSError, AttributeError):
        return
    leaks.append(what)

def dial(family, address):
    _socket.socket(family, _socket.SOCK_STREAM).connect(address)

leak("the network of this machine", lambda: dial(_socket.AF_INET, ("127.0.0.1", int(port))))
leak("a file outside", lambda: open(path).read())
leak("writing outside", lambda: open(path, "w"))
leak("writing beside Python", lambda: open(os.__file__, "a"))
leak("signals to this process", lambda: os.kill(int(pid), 0))
leak("the home of root", lambda: os.listdir("/root/.ssh"))
unshare = ctypes.CDLL(None, use_errno=True).unshare
if unshare(0x10000000) == 0:
    leaks.append("new namespaces")
leaks += [f"the variable {name}" for name in os.environ if name not in names]
if len([n for n in os.listdir("/proc") if n.isdigit()]) > 2:
    leaks.append("other processes")
if os.getuid() == 0:
    leaks.append("the rights of root")
print(json.dumps(leaks))
"""
"""Tries what a program must not be able to do, and prints what it could."""


@cache
def probed() -> None:
    """Raise `SandboxFailed` unless isolation is real here. Tried once a process; takes a thread of
    its own with no event loop."""
    if platform.system() != "Linux" or platform.machine() not in ARCHITECTURES:
        raise SandboxFailed(
            f"the sandbox needs Linux on {' or '.join(ARCHITECTURES)}; "
            f"this is {platform.system()} on {platform.machine()}"
        )
    if shutil.which("bwrap") is None:
        raise SandboxFailed(f"running programs needs bubblewrap, which is not here: {INSTALL}")
    found = asyncio.run(leaks())
    if found:
        raise SandboxFailed(
            f"the sandbox does not hold here: a program can reach {', '.join(found)}; "
            f"it needs bubblewrap 0.8 or newer ({INSTALL}) and a kernel that allows namespaces"
        )


async def leaks(*, confined: bool = True) -> list[str]:
    """What a program can reach that it must not. Raises `SandboxFailed` if none can be run."""
    from .box import Sandbox

    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
        canary = Path(folder) / "canary"
        canary.write_text("secret")
        names = visible_environment()
        told = (str(server.getsockname()[1]), str(os.getpid()), str(canary), *names)
        box = Sandbox(concurrency=1, confined=confined, proven=True)
        outcome = await box.run(Script(PROBE, told), Limits(seconds=30.0))
    if not outcome.passed:
        said = outcome.stderr.strip().splitlines()
        raise SandboxFailed(
            f"the sandbox could not be tried: {outcome.why}{': ' + said[-1] if said else ''}"
        )
    found: list[str] = json.loads(outcome.stdout)
    return found
