"""Every error that polyarch raises on purpose.

    PolyarchError
    ├── SpecError             a pipeline file is wrong; holds every fault found in it
    ├── PlanRefused           a sound pipeline that cannot run under its budget or backends
    ├── MissingPackage        an optional package is not installed
    ├── InputError            a question, data file or argument cannot be used
    ├── VersionMismatch       a compiled module was made for another polyarch
    ├── RunError              a run that could not end with an answer
    │   ├── StepFailed        a step raised; names the step, keeps the cause
    │   ├── SandboxFailed     a program cannot be run apart from everything else
    │   ├── NoAnswer          the pipeline ended without the candidates it promised
    │   └── BudgetExhausted   the next request would not fit the budget
    ├── ToolFailed            a tool could not be called, or failed
    └── BackendError          a model could not be asked, or could not answer
        ├── Unreachable       no connection, or it broke
        ├── Unauthorized      the key is missing or wrong
        ├── NoSuchModel       the backend does not have this model
        ├── BadRequest        the backend refuses the request as it is
        ├── TooLong           prompt and completion exceed the model's context
        ├── RateLimited       asked to slow down
        ├── ServerFailed      the backend failed on its side
        ├── TimedOut          no reply in time
        └── NotRecorded       a replay holds no such draw

Each has a stable `code` for machines and a message for people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

__all__ = [
    "BackendError",
    "BadRequest",
    "BudgetExhausted",
    "Fault",
    "InputError",
    "MissingPackage",
    "NoAnswer",
    "NoSuchModel",
    "NotRecorded",
    "PlanRefused",
    "PolyarchError",
    "RateLimited",
    "RunError",
    "SandboxFailed",
    "ServerFailed",
    "Span",
    "SpecError",
    "StepFailed",
    "TimedOut",
    "TooLong",
    "ToolFailed",
    "Unauthorized",
    "Unreachable",
    "VersionMismatch",
]


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a pipeline file. Lines and columns count from 1; `width` in characters."""

    file: str
    line: int
    column: int
    width: int = 1
    text: str = ""
    """The whole source line, for showing."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a file: where, what, and the nearest right thing.

    What looks like a key, in the line or in what is said of it, is masked.
    """

    code: str
    message: str
    span: Span
    hint: str = ""

    def __post_init__(self) -> None:
        from .secrets import Secrets  # its patterns take milliseconds, and few runs have faults

        secrets = Secrets()
        object.__setattr__(self, "message", secrets.masked(self.message))
        object.__setattr__(self, "hint", secrets.masked(self.hint))
        object.__setattr__(self, "span", replace(self.span, text=secrets.masked(self.span.text)))

    def __str__(self) -> str:
        """The fault with its line and a caret under the place."""
        head = f"{self.span}: error[{self.code}]: {self.message}"
        gutter = str(self.span.line)
        start, shown = _excerpt(self.span)
        caret = "^" * max(1, min(self.span.width, len(shown) - start))
        lines = [
            head,
            f"  {gutter} | {shown}",
            f"  {' ' * len(gutter)} | {' ' * start}{caret}",
        ]
        if self.hint:
            lines.append(f"  {' ' * len(gutter)} = {self.hint}")
        return "\n".join(lines)


_SHOWN = 160


def _excerpt(span: Span) -> tuple[int, str]:
    """The part of the line around the span, at most `_SHOWN` wide, and the caret's offset in it."""
    text = span.text.rstrip("\n").replace("\t", " ")
    start = span.column - 1
    if len(text) <= _SHOWN:
        return start, text
    left = max(0, min(start - _SHOWN // 2, len(text) - _SHOWN))
    return start - left, text[left : left + _SHOWN]


class PolyarchError(Exception):
    """The root: catch this to catch everything polyarch raises on purpose."""

    code: ClassVar[str] = "error"


class SpecError(PolyarchError):
    """A pipeline file is wrong. `faults` holds all that was found, in file order."""

    code = "spec"

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda f: (f.span.file, f.span.line, f.span.column)))
        super().__init__("\n\n".join(str(fault) for fault in self.faults))


class PlanRefused(PolyarchError):
    """A sound pipeline that cannot run: its lower bound exceeds its budget, or a backend lacks
    what an operator needs."""

    code = "plan-refused"


class MissingPackage(PolyarchError):
    """An optional package is not installed; the message holds the install command."""

    code = "missing-package"


class InputError(PolyarchError):
    """A question, data file or argument cannot be used as it is.

    `file` and `line` say where, if it stands in a file; the message says it, too.
    """

    code = "input"

    def __init__(self, message: str = "", *, file: str | None = None, line: int | None = None):
        self.file = file
        self.line = line
        super().__init__(message)


class VersionMismatch(PolyarchError):
    """A compiled module cannot be run by the installed polyarch, or was edited since."""

    code = "version"


class RunError(PolyarchError):
    """A run that could not end with an answer."""

    code = "run"


class StepFailed(RunError):
    """A step raised. `step` is its name; the cause is chained."""

    code = "step-failed"

    def __init__(self, step: str, cause: BaseException) -> None:
        self.step = step
        super().__init__(f"step {step!r} failed: {cause}")


class SandboxFailed(RunError):
    """A program cannot be run, or not apart from everything else; the message says what leaks, or
    what to install."""

    code = "sandbox"


class NoAnswer(RunError):
    """The pipeline ended without the candidates it promised."""

    code = "no-answer"


class BudgetExhausted(RunError):
    """The next request would not fit what is left of a budget. `best` says that the budget asks to
    end with the best that is there; `account` is the name of whose it is."""

    code = "budget-exhausted"

    def __init__(self, message: str, *, best: bool = False, account: str = "") -> None:
        self.best = best
        self.account = account
        super().__init__(message)


class ToolFailed(PolyarchError):
    """A tool could not be called, or failed. `passing` says whether it may succeed next time."""

    code = "tool"

    def __init__(self, message: str, *, passing: bool = False) -> None:
        self.passing = passing
        super().__init__(message)


class BackendError(PolyarchError):
    """A model could not be asked, or could not answer.

    `retryable` says whether asking the same again can help; `retry_after` the seconds that the
    backend asks to wait first, if it does.
    """

    code = "backend"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class Unreachable(BackendError):
    """No connection to the backend, or it broke."""

    code = "unreachable"
    retryable = True


class Unauthorized(BackendError):
    """The key is missing or wrong."""

    code = "unauthorized"


class NoSuchModel(BackendError):
    """The backend does not have this model."""

    code = "no-such-model"


class BadRequest(BackendError):
    """The backend refuses the request as it is."""

    code = "bad-request"


class TooLong(BackendError):
    """Prompt and completion together exceed the model's context."""

    code = "too-long"


class RateLimited(BackendError):
    """The backend asks to slow down."""

    code = "rate-limited"
    retryable = True


class ServerFailed(BackendError):
    """The backend failed on its side."""

    code = "server-failed"
    retryable = True


class TimedOut(BackendError):
    """No reply in time."""

    code = "timed-out"
    retryable = True


class NotRecorded(BackendError):
    """A replay holds no such draw. Never answered by another one."""

    code = "not-recorded"
