"""The process of a program that runs on its own: starts it in a fork, and tells how it ended.

The fork holds the program; this process holds nothing of it, so that what it says of the end is
true. When this process ends, so does everything within the sandbox.
"""

from __future__ import annotations

import builtins
import os
import sys

from .confine import awaited, confined, silence

TYPE_CHECKING = False  # `typing` takes longer to import than all else here
if TYPE_CHECKING:
    from typing import Any

__all__ = ["main"]

_OUT_OF_MEMORY = b"memory"


def main() -> None:
    """Run the program; write how it ended to the link: status and processor seconds."""
    told = confined()
    end, began = os.pipe()
    child = os.fork()
    if not child:
        for fd in (told["link"], told["life"], end):
            os.close(fd)
        _run(told, began)
    os.close(began)
    silence(0, 1, 2)
    status, used = awaited(child, told["life"])
    os.set_blocking(end, False)
    try:
        memory = os.read(end, 64) == _OUT_OF_MEMORY
    except BlockingIOError:
        memory = False
    os.write(told["link"], f"{status} {used:.3f} {int(memory)}".encode())


def _run(told: dict[str, Any], began: int) -> None:
    """Be the program; never returns."""
    code = 1
    try:
        os.dup2(told["stdin"], 0)
        os.close(told["stdin"])
        _write_files(told["files"])
        code = _executed(told)
    except BaseException as error:  # noqa: BLE001 -- anybody's program; its traceback is its output
        code = _shown(error, began)
    finally:
        _leave(code)


def _write_files(files: dict[str, str]) -> None:
    for name, text in files.items():
        os.makedirs(os.path.dirname(os.path.abspath(name)), exist_ok=True)
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)


def _executed(told: dict[str, Any]) -> int:
    """Run the program to its end, its threads included."""
    sys.argv = ["program.py", *told["arguments"]]
    for name in ("exit", "quit"):
        setattr(builtins, name, sys.exit)
    main = type(sys)("__main__")
    main.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = main
    exec(compile(told["source"], "program.py", "exec", dont_inherit=True), main.__dict__)
    return 0


def _shown(error: BaseException, began: int) -> int:
    """Show an exception as Python would; the exit status."""
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return (error.code or 0) & 255
        print(error.code, file=sys.stderr)
        return 1
    if isinstance(error, MemoryError):
        os.write(began, _OUT_OF_MEMORY)
    import traceback

    inner = error.__traceback__
    while inner is not None and inner.tb_frame.f_code.co_filename != "program.py":
        inner = inner.tb_next
    traceback.print_exception(error.with_traceback(inner))
    return 1


def _leave(code: int) -> None:
    """What Python does at its end: wait for threads, call what wants to be called, flush."""
    try:
        threading: Any = sys.modules.get("threading")
        if threading is not None:
            threading._shutdown()
        if "atexit" in sys.modules:
            sys.modules["atexit"]._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
