"""The first thing done within the sandbox: give up what is not needed, for good."""

from __future__ import annotations

import _ctypes
import _signal  # type: ignore[import-not-found]
import marshal
import os
import resource
import select
import sys

TYPE_CHECKING = False  # `typing` takes longer to import than all else here
if TYPE_CHECKING:
    from typing import Any

__all__ = ["awaited", "confined", "silence"]

_DUMPABLE = 4


def confined() -> dict[str, Any]:
    """What this process is to do, read from standard input, with its limits in force.

    A host that is root hands over the user id to take; no way leads back from it.
    """
    told: dict[str, Any] = marshal.load(sys.stdin.buffer)
    # Here, and not before: a limit on processes counts those of the user.
    if told["uid"]:
        os.setgroups([])
        os.setresgid(told["uid"], told["uid"], told["uid"])
        os.setresuid(told["uid"], told["uid"], told["uid"])
    if told["confined"]:
        _prctl(_DUMPABLE, 0)  # nobody reads or changes the memory of this process
    for name, limit in told["rlimits"].items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), limit)
    return told


def awaited(child: int, life: int) -> tuple[int, float]:
    """The end of a fork: its exit status and processor seconds. Others that end are reaped.

    Ends this process, and with it all in its namespace, when the host closes its end of `life`:
    the kernel would not tell one user's process of the end of another's.
    """
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    # The signal writes there, since one that comes just before `poll` would not interrupt it.
    _signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    _signal.signal(_signal.SIGCHLD, lambda *_: None)
    signs = select.poll()
    for fd in (life, woken):
        signs.register(fd, select.POLLIN)
    while (ended := _reaped(child)) is None:
        if any(fd == life for fd, _ in signs.poll()):
            os._exit(1)
        os.read(woken, 512)
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    _signal.set_wakeup_fd(-1)
    os.close(woken)
    os.close(wake)
    return ended


def _reaped(child: int) -> tuple[int, float] | None:
    """Reap what has ended; how the fork did, if it was among that."""
    try:
        while True:
            pid, status, used = os.wait4(-1, os.WNOHANG)
            if pid == child:
                return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime
            if not pid:
                return None
    except ChildProcessError:
        return None


class _Int(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "i"


class _Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL
    _restype_ = _Int


def _prctl(option: int, value: int) -> None:
    """What `ctypes` would do, which takes as long to import as all of Python."""
    function = _Function(_ctypes.dlsym(_ctypes.dlopen("", 0), "prctl"))
    if function(option, value, 0, 0, 0):
        raise OSError(f"prctl {option} is refused")


def silence(*fds: int) -> None:
    """Read nothing from these files, and write to nowhere."""
    null = os.open("/dev/null", os.O_RDWR)
    for fd in fds:
        os.dup2(null, fd)
    if null not in fds:
        os.close(null)
