"""The command that starts a process within the sandbox."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ...compiler.execution import Limits

__all__ = ["INSTALL", "confined_command", "interpreter", "plain_command", "visible_environment"]

INSTALL = "apt-get install bubblewrap"
"""How the isolator is installed."""

_INSIDE = Path(__file__).parent / "inside"
_DEVICES = ("null", "zero", "full", "random", "urandom")
_ENVIRONMENT = {
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PATH": "/usr/bin:/bin",
    "PYTHONHASHSEED": "0",
    "TMPDIR": "/tmp",
    "TZ": "UTC",
}


def interpreter() -> Path:
    """The Python that runs programs: this one, without what a virtual environment adds."""
    executable: str = getattr(sys, "_base_executable", "") or sys.executable
    return Path(os.path.realpath(executable))


def confined_command(limits: Limits, module: str, filter_fd: int, *, root: bool) -> list[str]:
    """Run a module of `inside` under bubblewrap.

    Visible are /usr and the interpreter, read-only; writable is /tmp alone, in memory and new for
    every run. As root no user namespace is made, since the process takes an unused user id itself
    (bubblewrap must reach an interpreter that may lie in root's home).
    """
    prefix = os.path.realpath(sys.base_prefix)
    command = ["bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    command += ["--unshare-cgroup-try", "--hostname", "sandbox", "--as-pid-1"]
    command += ["--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    command += ["--seccomp", str(filter_fd)]
    if root:
        command += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        command += ["--unshare-user", "--disable-userns"]
    command += _files(prefix, limits.scratch)
    for name, value in _ENVIRONMENT.items():
        command += ["--setenv", name, value]
    code = f"import sys; sys.path.append('/sandbox'); from inside.{module} import main; main()"
    return [*command, "--chdir", "/tmp", *_python(), "-c", code]


def _files(prefix: str, scratch: int) -> list[str]:
    files = ["--ro-bind", "/usr", "/usr"]
    for folder in ("/dev", "/etc", "/sandbox", *_above(prefix)):
        files += ["--perms", "0755", "--dir", folder]
    for name in ("bin", "lib", "lib32", "lib64", "sbin"):
        if os.path.islink(f"/{name}"):
            files += ["--symlink", os.readlink(f"/{name}"), f"/{name}"]
        else:
            files += ["--ro-bind-try", f"/{name}", f"/{name}"]
    if not prefix.startswith("/usr/"):
        files += ["--ro-bind", prefix, prefix]
    files += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    files += ["--ro-bind", str(_INSIDE), "/sandbox/inside", "--proc", "/proc"]
    for name in _DEVICES:
        files += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    files += ["--symlink", "/proc/self/fd", "/dev/fd", "--symlink", "/tmp", "/dev/shm"]
    files += ["--perms", "1777", "--size", str(scratch), "--tmpfs", "/tmp"]
    return [*files, "--remount-ro", "/"]


def visible_environment() -> tuple[str, ...]:
    """The variables that a program sees: none of the host's."""
    return (*_ENVIRONMENT, "PWD")


def _above(path: str) -> list[str]:
    """The folders that a path lies in, outermost first."""
    parts = [] if path.startswith("/usr/") else list(Path(path).parents)[-2::-1]
    return [str(part) for part in parts]


def plain_command(module: str) -> list[str]:
    """Run a module of `inside` with nothing around it."""
    code = (
        f"import sys; sys.path.append({str(_INSIDE.parent)!r}); "
        f"from inside.{module} import main; main()"
    )
    return [*_python(), "-c", code]


def _python() -> Sequence[str]:
    # Not `-I`: it would have Python hash texts differently in every run.
    return (str(interpreter()), "-P", "-s", "-S", "-B")
