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
import signal
import socket
from collections.abc import Callable, Sequence
from time import monotonic
from types import CodeType
from typing import Any, NoReturn

from .confine import confined, silence
from .frames import received, send
from .reading import decoded

__all__ = ["main"]


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
    while True:
        message, fds, _, _ = socket.recv_fds(control, 1, 2)
        if not message:
            return
        if not os.fork():
            control.close()
            try:
                _Run(fds[0], fds[1], told["test_seconds"], told["seconds"]).all(tests)
            finally:
                os._exit(0)
        for fd in fds:
            os.close(fd)
        _reap()


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


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

    def __init__(self, link: int, outcomes: int, test_seconds: float, seconds: float) -> None:
        self._link = socket.socket(fileno=link)
        self._outcomes = socket.socket(fileno=outcomes)
        self._test_seconds = test_seconds
        self._due = monotonic() + seconds
        self._broken = ("", "")
        self._calls = 0
        self._channel: socket.socket | None = None
        signal.signal(signal.SIGALRM, _late)

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
            self._tell(number, verdict, why)

    def _tell(self, number: int, verdict: str, why: str) -> None:
        line = json.dumps([number, verdict, why[:300]])
        self._outcomes.sendall(line.encode() + b"\n")

    def _loaded(self) -> dict[str, Any] | tuple[str, str]:
        """What the program defines; or the verdict of all tests, if it could not be loaded."""
        try:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, self._due - monotonic()))
            told = _told(received(self._link))
        except _Late:
            return "timeout", "the program does not load in time"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
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
            return "error", "the program ended the process that held it"
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
        seconds = min(self._test_seconds, max(0.001, self._due - monotonic()))
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            exec(test, {"__name__": "test", "__builtins__": builtins, **defined})
        except _Late:
            return "timeout", f"no end within {seconds:g} seconds"
        except BaseException as error:  # noqa: BLE001 -- anybody's test; this is its outcome
            return _verdict_of(error)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return "pass", ""

    def _break(self, verdict: str, why: str, error: type[BaseException]) -> NoReturn:
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
            told = _told(received(self._channel))
        except _Late:
            self._break("timeout", f"no end within {self._test_seconds:g} seconds", _Late)
        except OSError:
            told = {}
        if "raised" in told:
            self._raise(*_exception(told))
        if "unsendable" in told:
            self._break("error", f"{name} returns {told['unsendable']!s}", _Unsendable)
        try:
            _change(arguments, told["changed"])
            return decoded(told["value"])
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            self._break("error", f"the program ended within {name}", _Gone)

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
