"""The process of the tests: holds the tests, and nothing of the programs but what they return.

The host hands over, for every program, a link to the process that holds it and a file for the
outcomes. A fork of this process runs the tests; the names that the program defines are here
functions that call it over the link.
"""

from __future__ import annotations

import builtins
import json
import marshal
import os
import pickle
import select
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from types import CodeType
from typing import Any, NoReturn

from .confine import confined, silence
from .frames import received, send
from .reading import decoded

__all__ = ["main"]


_REST = -1
"""Stands for the number of every test of which nothing else is told."""

_DONE = 77
"""Exit status of a fork that has told all there is to tell."""

_UNSENDABLE = (pickle.PicklingError, AttributeError, TypeError, ValueError, RecursionError)


class _Late(BaseException):
    """The time of a test is over."""


class _Gone(BaseException):
    """The program's process ended, or sent what is no answer."""


class _Unsendable(BaseException):
    """A value that cannot go between program and test."""


def main() -> None:
    """Compile the tests, then hold them against one program after another."""
    told = confined()
    control = socket.socket(fileno=told["link"])
    silence(0, 1, 2)
    tests = [_compiled(source) for source in told["tests"]]
    forks: dict[int, tuple[int, int]] = {}
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd in forks:
                poll.unregister(fd)
                _tell_end(*forks.pop(fd))
                os.close(fd)
                continue
            message, fds, _, _ = socket.recv_fds(control, 1, 2)
            if not message:
                return
            child = os.fork()
            if not child:
                control.close()
                for other, (_, outcomes) in forks.items():
                    os.close(other)
                    os.close(outcomes)
                _run(fds, told, tests)
            os.close(fds[0])
            ended = os.pidfd_open(child)
            poll.register(ended, select.POLLIN)
            forks[ended] = (child, fds[1])


def _run(fds: Sequence[int], told: dict[str, Any], tests: Sequence[CodeType | str]) -> NoReturn:
    """Be the fork for one program; never returns."""
    code = 1
    try:
        _Run(fds[0], fds[1], told).all(tests)
        code = _DONE
    finally:
        os._exit(code)


def _tell_end(child: int, outcomes: int) -> None:
    """Tell how the fork for one program ended, if that was before its last test."""
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != _DONE:
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else None
        why = f"the process of the tests {how or f'ended with status {status}'}"
        with suppress(OSError):  # nobody may listen any more
            os.write(outcomes, _line(_REST, "error", why))
    os.close(outcomes)


def _line(number: int, verdict: str, why: str) -> bytes:
    return json.dumps([number, verdict, why[:300]]).encode() + b"\n"


def _compiled(source: str) -> CodeType | str:
    """A test, or what is wrong with it."""
    try:
        return compile(source, "<test>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"the test is no Python: {error}"


def _late(*_: object) -> NoReturn:
    raise _Late


class _Run:
    """The tests of one program."""

    def __init__(self, link: int, outcomes: int, told: dict[str, Any]) -> None:
        self._link = socket.socket(fileno=link)
        self._outcomes = outcomes
        self._test_seconds: float = told["test_seconds"]
        self._test_wall: float = told["test_seconds"] * told["slack"]
        self._due = monotonic() + told["wall"]
        self._broken = ("", "")
        self._gone = False
        self._calls = 0
        self._channel: socket.socket | None = None
        signal.signal(signal.SIGALRM, _late)
        signal.signal(signal.SIGPROF, _late)

    def all(self, tests: Sequence[CodeType | str]) -> None:
        """Run every test, and tell each outcome as it is known."""
        defined = self._loaded()
        for number, test in enumerate(tests):
            if isinstance(defined, tuple):
                verdict, why = defined
            elif isinstance(test, str):
                verdict, why = "error", test
            elif monotonic() >= self._due:
                verdict, why = "timeout", "the time of all tests was over before"
            else:
                verdict, why = self._one(test, defined)
            if self._gone:  # of this test and the rest, the host may know more
                self._tell(_REST, "error", "the program ended the process that held it")
                return
            self._tell(number, verdict, why)

    def _tell(self, number: int, verdict: str, why: str) -> None:
        os.write(self._outcomes, _line(number, verdict, why))

    def _loaded(self) -> dict[str, Any] | tuple[str, str]:
        """What the program defines; or the verdict of all tests, if it could not be loaded."""
        try:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, self._due - monotonic()))
            said = received(self._link)
        except _Late:
            return "timeout", "the program does not load in time"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self._gone = said is None
        told = _told(said)
        if "raised" in told:
            name, message = _exception(told)
            verdict = "memory" if name == "MemoryError" else "error"
            return verdict, f"the program does not load: {name}: {message}"
        try:
            values = {name: decoded(value) for name, value in told["values"].items()}
            return {name: self._stub(name) for name in decoded(told["names"])} | values
        except (KeyError, TypeError, ValueError, AttributeError):
            return "error", "the program's process ended before it was loaded"

    def _one(self, test: CodeType, defined: dict[str, Any]) -> tuple[str, str]:
        self._broken, self._calls = ("", ""), 0
        mine, theirs = socket.socketpair()
        try:
            socket.send_fds(self._link, [b"t"], [theirs.fileno()])
        except OSError:
            self._gone = True
            return "error", ""
        finally:
            theirs.close()
        with mine:
            self._channel = mine
            verdict, why = self._outcome(test, defined)
        # A test that caught what is no exception of its program must not pass by it.
        if self._broken[0]:
            return self._broken
        if verdict == "pass" and not self._calls:
            return "error", "the test never called the program"
        return verdict, why

    def _outcome(self, test: CodeType, defined: dict[str, Any]) -> tuple[str, str]:
        wall = min(self._test_wall, max(0.001, self._due - monotonic()))
        signal.setitimer(signal.ITIMER_REAL, wall)
        signal.setitimer(signal.ITIMER_PROF, self._test_seconds)
        try:
            exec(test, {"__name__": "test", "__builtins__": builtins, **defined})
        except _Late:
            return "timeout", self._too_late()
        except BaseException as error:  # noqa: BLE001 -- anybody's test; this is its outcome
            return _verdict_of(error)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.setitimer(signal.ITIMER_PROF, 0)
        return "pass", ""

    def _too_late(self) -> str:
        return (
            f"no end within {self._test_seconds:g} seconds of processor time, "
            f"or {self._test_wall:g} by the clock"
        )

    def _break(self, verdict: str, why: str, error: type[BaseException]) -> NoReturn:
        if not self._broken[0]:
            self._broken = (verdict, why)
        raise error(why)

    def _stub(self, name: str) -> Callable[..., Any]:
        """A function that calls the program's."""

        def call(*arguments: Any, **named: Any) -> Any:
            return self._call(name, arguments, named)

        call.__name__ = call.__qualname__ = name
        return call

    def _call(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        self._calls += 1
        assert self._channel is not None
        try:
            message = _called_with((name, arguments, named))
        except _UNSENDABLE:
            self._break("error", f"{name} is given what is no plain data", _Unsendable)
        try:
            send(self._channel, message)
            said = received(self._channel)
        except _Late:
            self._break("timeout", self._too_late(), _Late)
        except OSError:
            said = None
        if said is None:
            self._break(*self._end_of(name), _Gone)
        told = _told(said)
        if "raised" in told:
            self._raise(*_exception(told))
        if "unsendable" in told:
            self._break("error", f"{name} returns {told['unsendable']!s}", _Unsendable)
        try:
            _change(arguments, told["changed"])
            return decoded(told["value"])
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            self._break("error", f"the program ended within {name}", _Gone)

    def _end_of(self, name: str) -> tuple[str, str]:
        """The verdict on a call of which nothing came back: how the program's process ended."""
        try:
            self._link.sendall(b"e")
            message = received(self._link)
        except OSError:
            message = None
        self._gone = message is None
        status = _told(message).get("ended")
        if not isinstance(status, int):
            return "error", f"the program ended within {name}"
        if -status == signal.SIGPROF:
            return "timeout", self._too_late()
        if status < 0:
            return "error", f"the program was ended within {name} by signal {-status}"
        return "error", f"the program ended within {name}, with status {status}"

    def _raise(self, kind: str, message: str) -> NoReturn:
        if kind == "MemoryError":
            self._break("memory", "the program ran out of memory", MemoryError)
        found = getattr(builtins, kind, None)
        if not (isinstance(found, type) and issubclass(found, Exception)):
            self._break("error", f"the program raised {kind}: {message}", _Gone)
        error = _made(found, message)
        error.__dict__["raised_by_program"] = True
        raise error


def _called_with(call: tuple[str, tuple[Any, ...], dict[str, Any]]) -> bytes:
    """A call as the program's process reads it."""
    try:
        return b"m" + marshal.dumps(call)
    except ValueError:  # rarer types than marshal knows
        return b"p" + pickle.dumps(call)


def _made(kind: type[Exception], message: str) -> Exception:
    try:
        return kind(message)
    except TypeError:  # such as UnicodeDecodeError, which wants more
        return Exception(f"{kind.__name__}: {message}")


def _verdict_of(error: BaseException) -> tuple[str, str]:
    """The outcome of a test that ended with an exception."""
    by_program = getattr(error, "raised_by_program", False)
    text = f"{type(error).__name__}: {error}"
    if by_program:
        return "error", f"the program raised {text}"
    if isinstance(error, AssertionError):
        return "fail", str(error) or "an assertion does not hold"
    return "error", f"the test raised {text}"


def _told(message: bytes | None) -> dict[str, Any]:
    """What the program's process said; nothing if that cannot be read."""
    try:
        said = json.loads(message or b"{}")
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _exception(told: dict[str, Any]) -> tuple[str, str]:
    """The nearest of Python's own exceptions to the one raised, and its message."""
    kinds = decoded(told["raised"])
    own = [k for k in kinds if isinstance(getattr(builtins, str(k), None), type)]
    return str(own[0] if own else "Exception"), str(told.get("message", ""))


def _change(arguments: tuple[Any, ...], changed: dict[str, Any]) -> None:
    """Do to the arguments what the program did to its own."""
    for place, node in changed.items():
        argument, now = arguments[int(place)], decoded(node)
        if isinstance(argument, list | bytearray):
            argument[:] = now
        elif isinstance(argument, dict | set):
            argument.clear()
            argument.update(now)
