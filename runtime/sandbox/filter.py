"""The system calls that a program in the sandbox cannot make, as a seccomp filter.

Namespaces keep a program from the network, files and other processes. The filter shuts the rest of
the kernel that a computation never needs: other kinds of sockets (some, such as vsock, belong to no
network namespace), tracing, mounts, new namespaces, keys, BPF, io_uring, and memory that no limit
on address space counts.
"""

from __future__ import annotations

import platform
import struct

__all__ = ["ARCHITECTURES", "seccomp_filter"]

ARCHITECTURES = ("x86_64", "aarch64")
"""Processors for which the numbers of the calls are known here."""

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# name: (x86_64, aarch64)
_DENIED = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "userfaultfd": (323, 282),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "open_by_handle_at": (304, 265),
    "syslog": (103, 116),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "swapon": (167, 224),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "reboot": (169, 142),
    "personality": (135, 92),
}

_SOCKET = {"x86_64": 41, "aarch64": 198}
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435
_IOCTL = {"x86_64": 16, "aarch64": 29}
_UNIX = 1
_NAMESPACES = 0x7E020080
"""CLONE_NEW*: mount, cgroup, uts, ipc, user, pid, net and time."""
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24
"""Where `struct seccomp_data` holds the call, the architecture and the first two arguments."""


def seccomp_filter(machine: str = "") -> bytes:
    """The filter as the kernel reads it. Raises `KeyError` for a processor that is not in
    `ARCHITECTURES`."""
    machine = machine or platform.machine()
    place = ARCHITECTURES.index(machine) if machine in ARCHITECTURES else -1
    program = [
        _do(_LOAD, _ARCHITECTURE),
        _do(_EQUAL, _AUDIT[machine], 1, 0),
        _do(_RETURN, _KILL),
        _do(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":  # the other set of numbers, x32
        program += [_do(_AT_LEAST, 0x40000000, 0, 1), _do(_RETURN, _ERRNO | _ENOSYS)]
    # glibc falls back to clone, whose flags a filter can read.
    program += _deny(_CLONE3, _ENOSYS)
    for numbers in _DENIED.values():
        program += _deny(numbers[place], _EPERM)
    program += _where(_SOCKET[machine], _FIRST, [_do(_EQUAL, _UNIX, 1, 0)])
    program += _where(_CLONE[machine], _FIRST, [_do(_ANY_BIT, _NAMESPACES, 0, 1)])
    for request in (_TIOCSTI, _TIOCLINUX):
        program += _where(_IOCTL[machine], _SECOND, [_do(_EQUAL, request, 0, 1)])
    program.append(_do(_RETURN, _ALLOW))
    return b"".join(program)


def _do(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def _deny(number: int, error: int) -> list[bytes]:
    return [_do(_EQUAL, number, 0, 1), _do(_RETURN, _ERRNO | error)]


def _where(number: int, argument: int, test: list[bytes]) -> list[bytes]:
    """Deny a call by one of its arguments: `test` falls through to the denial, or jumps over it."""
    inner = [_do(_LOAD, argument), *test, _do(_RETURN, _ERRNO | _EPERM)]
    # Afterwards the number is loaded again, for what follows.
    return [_do(_EQUAL, number, 0, len(inner)), *inner, _do(_LOAD, _NUMBER)]
