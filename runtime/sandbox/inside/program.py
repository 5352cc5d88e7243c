"""The process of a program under test: holds the program, and nothing of its tests.

The program is loaded once. For every test the other side hands over a channel; a fork of this
process answers the calls that come through it, and is killed with all that it started when the
next channel comes. What the program does to this process can change its own answers alone: whether
an answer is right is decided elsewhere.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import builtins
import marshal
import os
import sys

from .confine import awaited, confined, silence
from .frames import received, send
from .values import Unsendable, encoded

TYPE_CHECKING = False  # `typing` takes longer to import than all else here
if TYPE_CHECKING:
    from typing import Any

__all__ = ["main"]

_SIGKILL = 9
_CONSTANT = 4096
"""Characters of a top-level value that tests may read, at most."""


def main() -> None:
    """Load the program, tell the tests what it defines, and serve their calls."""
    told = confined()
    link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, told["link"])
    silence(0, 1, 2)
    holder = os.fork()
    if holder:
        link.close()
        awaited(holder, told["life"])
        return
    os.close(told["life"])
    _add_exits()
    namespace: dict[str, Any] = {"__name__": "program", "__builtins__": builtins}
    try:
        exec(compile(told["source"], "<program>", "exec", dont_inherit=True), namespace)
    except BaseException as error:  # noqa: BLE001 -- anybody's program; the tests are told
        send(link, _raised(error).encode())
        return
    send(link, _defined(namespace).encode())
    _serve(link, namespace, told)


def _add_exits() -> None:
    """What `site` would have added, and programs use."""
    for name in ("exit", "quit"):
        setattr(builtins, name, sys.exit)


def _serve(link: _socket.socket, namespace: dict[str, Any], told: dict[str, Any]) -> None:
    room = _socket.CMSG_SPACE(4)
    child = 0
    while True:
        message, control, _, _ = link.recvmsg(1, room)
        status = _end(child, told["confined"])
        child = 0
        if message == b"e":
            send(link, f'{{"ended":{status}}}'.encode())
            continue
        if not message or not control:
            return
        channel = int.from_bytes(control[0][2][:4], sys.byteorder)
        child = os.fork()
        if not child:
            link.close()
            # A program may ignore its signal; the time by the clock, kept elsewhere, holds still.
            _signal.setitimer(_signal.ITIMER_PROF, told["test_seconds"])
            _answer(_socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, channel), namespace)
        os.close(channel)


def _end(child: int, confined: bool) -> int:
    """Kill a fork and everything that it left behind; its exit status, or less the signal that
    ended it."""
    status = 0
    if not child:
        return status
    # Within the sandbox the first process is left, and this one; elsewhere -1 would be everybody.
    os.kill(-1 if confined else child, _SIGKILL)
    try:
        while True:
            pid, ended = os.waitpid(-1, 0)
            if pid == child:
                status = os.waitstatus_to_exitcode(ended)
    except ChildProcessError:
        return status


def _answer(channel: _socket.socket, namespace: dict[str, Any]) -> None:
    """Answer calls until the other side has had enough; never returns."""
    try:
        while (message := received(channel)) is not None:
            name, arguments, named = _read(message)
            send(channel, _called(namespace.get(name), arguments, named).encode())
    finally:
        os._exit(0)


def _read(message: bytes) -> Any:
    """A call. The tests are as free to ask for anything as the program is to answer."""
    if message[:1] == b"m":
        return marshal.loads(message[1:])
    import pickle

    return pickle.loads(message[1:])


def _called(function: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> str:
    """What a call gave, as JSON: a value and the arguments it changed, or what was raised."""
    before = [_mutable(argument) for argument in arguments]
    try:
        returned = function(*arguments, **named)
        value = encoded(returned)
        after = [_mutable(argument) for argument in arguments]
    except Unsendable as error:
        return f'{{"unsendable":{encoded(str(error))}}}'
    except BaseException as error:  # noqa: BLE001 -- anybody's program; the tests are told
        return _raised(error)
    changed = [f'"{n}":{now}' for n, now in enumerate(after) if now != before[n]]
    return f'{{"value":{value},"changed":{{{",".join(changed)}}}}}'


def _mutable(argument: object) -> str:
    """An argument that a call may change, as text."""
    return encoded(argument) if isinstance(argument, list | dict | set | bytearray) else ""


def _raised(error: BaseException) -> str:
    kinds = [kind.__name__ for kind in type(error).__mro__]
    try:
        message = str(error)[:300]
    except BaseException:  # noqa: BLE001 -- anybody's `__str__`
        message = ""
    return f'{{"raised":{encoded(kinds)},"message":{encoded(message)}}}'


def _defined(namespace: dict[str, Any]) -> str:
    """What the program defines at its top level: names to call, and values."""
    names, values = [], []
    for name, value in list(namespace.items()):
        if not isinstance(name, str) or name.startswith("__"):
            continue
        if callable(value):
            names.append(name)
            continue
        try:
            text = encoded(value) if not hasattr(value, "__next__") else ""
        except BaseException:  # noqa: BLE001 -- a value that tests cannot read is none
            continue
        if text and len(text) <= _CONSTANT:
            values.append(f"{encoded(name)}:{text}")
    return f'{{"names":{encoded(names)},"values":{{{",".join(values)}}}}}'
