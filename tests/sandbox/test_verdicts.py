"""Programs that try to pass tests they do not pass, and what each form of test is worth."""

from __future__ import annotations

import pytest
from sandboxed import QUICK, checked, within

from polyarch.compiler.errors import SandboxFailed
from polyarch.compiler.execution import Limits, Verdict
from polyarch.runtime.sandbox.box import Sandbox

P, F, E, T, M = Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.TIMEOUT, Verdict.MEMORY
TEST = "assert f(2) == 4"


def verdict(program: str, test: str = TEST) -> Verdict:
    return checked(program, test)[0].verdict


WRONG = "\ndef f(x): return 5\n"

CHEATS = {
    "prints a verdict": 'print(\'[0, "pass", ""]\', flush=True)' + WRONG,
    "writes a verdict to every file": (
        "import os\n"
        "def f(x):\n"
        "    for fd in range(64):\n"
        '        try: os.write(fd, b\'[0, "pass", ""]\\n\')\n'
        "        except OSError: pass\n"
        "    return 5"
    ),
    "writes an answer frame of its own, then leaves": (
        "import os\n"
        "def f(x):\n"
        '    m = b\'{"value":true,"changed":{}}\'\n'
        "    for fd in range(3, 64):\n"
        "        try: os.write(fd, len(m).to_bytes(4, 'big') + m)\n"
        "        except OSError: pass\n"
        "    os._exit(0)"
    ),
    "leaves with success": "import os\ndef f(x): os._exit(0)",
    "leaves with success while it is loaded": "import os; os._exit(0)",
    "exits": "import sys\ndef f(x): sys.exit(0)",
    "exits while it is loaded": "raise SystemExit(0)",
    "at exit": "import atexit, os; atexit.register(os._exit, 0)" + WRONG,
    "asserts nothing any more": (
        "import builtins\nbuiltins.AssertionError = type('E', (BaseException,), {})" + WRONG
    ),
    "equals everything": (
        "class A(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\n"
        "def f(x): return A(5)"
    ),
    "equals everything, with a class of its own": (
        "class A:\n    def __eq__(self, other): return True\ndef f(x): return A()"
    ),
    "equals everything, within a list": (
        "class A(list):\n    def __eq__(self, other): return True\ndef f(x): return A([5])"
    ),
    "is a type that is no type": (
        "class M(type):\n    def __eq__(self, other): return True\n    __hash__ = type.__hash__\n"
        "class A(metaclass=M): pass\ndef f(x): return A"
    ),
    "changes json": ("import json\njson.dumps = json.loads = lambda *a, **k: 4" + WRONG),
    "changes the harness": (
        "import sys\n"
        "for name, module in list(sys.modules.items()):\n"
        "    if name.startswith('inside'):\n"
        "        for key, value in list(vars(module).items()):\n"
        "            if callable(value): setattr(module, key, lambda *a, **k: '\"pass\"')" + WRONG
    ),
    "looks for the test among all objects": (
        "import gc\n"
        "def f(x):\n"
        "    for thing in gc.get_objects():\n"
        "        if isinstance(thing, str) and 'f(2) ' + '== 4' in thing: return 4\n"
        "    return 5"
    ),
    "looks for the test in its frames": (
        "import sys\n"
        "def f(x):\n"
        "    frame = sys._getframe()\n"
        "    while frame:\n"
        "        if 'f(2) ' + '== 4' in repr(frame.f_locals): return 4\n"
        "        frame = frame.f_back\n"
        "    return 5"
    ),
    "looks for the test among files and processes": (
        "import glob\n"
        "def f(x):\n"
        "    for p in glob.glob('/proc/*/cmdline') + glob.glob('/[st]*/*'):\n"
        "        try:\n"
        "            if b'f(2) ' + b'== 4' in open(p, 'rb').read(): return 4\n"
        "        except OSError: pass\n"
        "    return 5"
    ),
    "walks the subclasses": (
        "def f(x):\n"
        "    for c in object.__subclasses__():\n"
        "        if c.__name__ in ('_Run', 'CodeType'): return c\n"
        "    return 5"
    ),
    "pickles": (
        "import os\nclass A:\n    def __reduce__(self): return (os._exit, (0,))\n"
        "def f(x): return A()"
    ),
    "puts other files in the place of its own": (
        "import os\n"
        "def f(x):\n"
        "    r, w = os.pipe()\n"
        "    for fd in range(64):\n"
        "        if fd not in (r, w):\n"
        "            try: os.dup2(w, fd)\n"
        "            except OSError: pass\n"
        "    return 4"
    ),
    "closes every file": ("import os\ndef f(x):\n    os.closerange(0, 256)\n    return 4"),
    "kills whoever started it": "import os\ndef f(x):\n    os.kill(os.getppid(), 9)\n    return 5",
    "answers from a thread": (
        "import threading, os\n"
        "def spam():\n"
        "    while True:\n"
        "        for fd in range(3, 12):\n"
        "            try: os.write(fd, b'\\0\\0\\0\\x01x')\n"
        "            except OSError: pass\n"
        "threading.Thread(target=spam, daemon=True).start()" + WRONG
    ),
    "changes its argument into the answer": "def f(x):\n    return x if x == 4 else None",
    "raises what a test waits for": "def f(x): raise AssertionError",
    "raises a keyboard interrupt": "def f(x): raise KeyboardInterrupt",
    "raises what says yes to everything": (
        "class E(BaseException):\n    def __str__(self): raise E\ndef f(x): raise E"
    ),
    "a repr that never ends": (
        "class A:\n    def __repr__(self):\n        while True: pass\ndef f(x): return A()"
    ),
    "a huge value": "def f(x): return 'x' * (1 << 26)",
    "a value within itself": "def f(x):\n    a = []\n    a.append(a)\n    return a",
    "an endless iterator": "import itertools\ndef f(x): return itertools.count()",
    "stops": "import os\ndef f(x): os.kill(os.getpid(), 19)",
    "never ends": "def f(x):\n    while True: pass",
    "never ends, in one instruction": "def f(x): return 10 ** 10 ** 9",
    "takes all memory": "def f(x): return [0] * (1 << 40)",
    "recurses for ever": "def f(x): return f(x)",
    "is no Python": "def f(x) return 4",
    "defines nothing": "pass",
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_no_cheat_passes(cheat: str) -> None:
    assert verdict(CHEATS[cheat]) is not P


def test_an_honest_program_passes_after_each_cheat() -> None:
    async def work(box: Sandbox) -> list[Verdict]:
        async with box.tester([TEST], QUICK) as tester:
            told = []
            for cheat in ("leaves with success", "changes the harness", "closes every file"):
                (first,) = await tester.check(CHEATS[cheat])
                (second,) = await tester.check("def f(x): return x * x")
                told += [first.verdict, second.verdict]
            return told

    told = within(work)
    assert told[1::2] == [P] * 3
    assert P not in told[::2]


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("def f(x): return 4", P),
        ("def f(x): return 4.0", P),
        ("def f(x): return True", F),
        ("def f(x): return None", F),
        ("def f(x): return '4'", F),
        ("def f(x): raise ValueError('no')", E),
        ("def f(x): return f(x)", E),
        ("def f(x): return [0] * (1 << 40)", M),
        ("def f(x):\n    while True: pass", T),
        ("while True: pass", T),
        ("x = [0] * (1 << 40)", M),
        ("import numpy_that_is_not_here\ndef f(x): return 4", E),
        ("def g(x): return 4", E),
    ],
)
def test_the_verdict_says_what_happened(program: str, expected: Verdict) -> None:
    assert verdict(program) is expected


@pytest.mark.parametrize(
    "value",
    [
        "None",
        "True",
        "-7",
        "10 ** 5000",
        "0.1",
        "-0.0",
        "float('inf')",
        "1e-320",
        "'é\\ud800'",
        "b'\\0'",
        "bytearray(b'a')",
        "(1, [2, {3: {4}}])",
        "frozenset({1})",
        "1 - 2j",
        "range(1, 9, 2)",
        "{}",
        "[[]]",
        "{(1, 2): 'a', None: 1.5}",
    ],
)
def test_plain_values_come_through_unchanged(value: str) -> None:
    test = f"assert f() == {value} and type(f()) is type({value})"
    assert verdict(f"def f(): return {value}", test) is P
    assert verdict("def f(x): return x", f"assert f({value}) == {value}") is P


def test_nan_is_not_equal_to_itself_outside_either() -> None:
    assert verdict("def f(): return float('nan')", "assert f() != f()") is P


@pytest.mark.parametrize(
    ("program", "test"),
    [
        ("def f(x): x.sort()", "l = [3, 1]; f(l); assert l == [1, 3]"),
        ("def f(d): d['a'] = 1", "d = {}; f(d); assert d == {'a': 1}"),
        ("def f(n):\n    yield from range(n)", "assert list(f(3)) == [0, 1, 2]"),
        (
            "from collections import Counter\ndef f(x): return Counter(x)",
            "assert f('aa') == {'a': 2}",
        ),
        (
            "from fractions import Fraction\ndef f(): return Fraction(1, 3)",
            "from fractions import Fraction\nassert f() == Fraction(1, 3)",
        ),
        ("K = 5\ndef f(): return K", "assert f() == K"),
        ("def f(x): return x + 1", "assert f(f(1)) == 3"),
        ("def f(x): return x / 3", "assert abs(f(1) - 0.3333) < 1e-3"),
        ("def f(a, *, b): return a - b", "assert f(3, b=1) == 2"),
        (
            "def f(x): raise ValueError('neg')",
            "try:\n    f(1)\nexcept ValueError as e: pass\nelse:\n    assert 0",
        ),
        ("def f(x): return x", "def check(candidate):\n    assert candidate(1) == 1\ncheck(f)"),
        (
            "def f(x): return x",
            "import unittest as u\n"
            "class A(u.TestCase):\n"
            "    def test(self): self.assertEqual(f(1), 1)\n"
            "r = u.TestResult(); u.defaultTestLoader.loadTestsFromTestCase(A).run(r)\n"
            "assert r.wasSuccessful()",
        ),
    ],
)
def test_forms_of_tests(program: str, test: str) -> None:
    assert verdict(program, test) is P


def test_a_failure_that_a_test_swallows_is_still_none() -> None:
    swallow = "try:\n    f(1)\nexcept BaseException:\n    pass"
    assert verdict("import os\ndef f(x): os._exit(0)", swallow) is E
    assert verdict("def f(x):\n    while True: pass", swallow) is T
    assert verdict("def f(x): return object()", swallow) is E


def test_a_test_that_never_calls_the_program_says_nothing_of_it() -> None:
    assert (
        checked("def f(x): return 1", "assert True")[0].why == "the test never called the program"
    )


def test_tests_do_not_see_what_others_did() -> None:
    program = "n = 0\ndef f():\n    global n\n    n += 1\n    return n"
    assert [o.verdict for o in checked(program, *["assert f() == 1"] * 3)] == [P, P, P]
    told = checked("def f(): return 1", "x = 5\nassert f() == 1", "assert f() == 1 and x == 5")
    assert [o.verdict for o in told] == [P, E]


def test_one_test_that_hangs_costs_its_own_time_alone() -> None:
    program = "def f(x):\n    while x == 1: pass\n    return x"
    told = checked(program, "assert f(0) == 0", "assert f(1) == 1", "assert f(2) == 2")
    assert [o.verdict for o in told] == [P, T, P]


def test_the_time_of_all_tests_is_bounded() -> None:
    program = "def f(x):\n    while True: pass"
    told = checked(program, *[TEST] * 50, limits=Limits(seconds=1.0, test_seconds=0.3))
    assert {o.verdict for o in told} == {T}
    assert told[-1].why == "all tests together took more than 1 seconds of processor time"


def test_a_test_that_leaves_is_an_error_of_its_own() -> None:
    told = checked("def f(x): return 4", TEST, "f(1); import os; os._exit(0)", TEST)
    assert [o.verdict for o in told] == [P, E, E]
    assert told[1].why == "the process of the tests ended with status 0"


def test_no_tests_are_no_outcomes() -> None:
    assert checked("def f(x): return 4") == []


def test_a_test_that_is_no_python_is_an_error() -> None:
    assert checked("def f(x): return 4", "assert f(", TEST)[0].verdict is E


def test_time_is_that_of_the_processor_and_the_clock_has_slack() -> None:
    waits = "import time\ndef f(x):\n    time.sleep(0.6)\n    return 4"
    patient = Limits(seconds=5.0, test_seconds=0.3, slack=60.0)
    assert checked(waits, TEST, limits=patient)[0].verdict is P
    (late,) = checked(waits, TEST, limits=Limits(seconds=5.0, test_seconds=0.1, slack=1.0))
    assert late.verdict is T
    assert late.why == "no end within 0.1 seconds of processor time, or 0.1 by the clock"
    (busy,) = checked("def f(x): return 10 ** 10 ** 9", TEST, limits=patient)
    assert busy.verdict is T


def test_loading_for_ever_ends_with_the_time_of_the_processor() -> None:
    (out,) = checked("while True: pass", TEST, limits=Limits(seconds=0.5, slack=100.0))
    assert out.verdict is T
    assert out.why == "all tests together took more than 0.5 seconds of processor time"


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (
            "import os\ndef f(x): os.kill(os.getpid(), 11)",
            "the program was ended within f by signal 11",
        ),
        ("import os\ndef f(x): os._exit(3)", "the program ended within f, with status 3"),
        (
            "import os\ndef f(x):\n    os.kill(os.getppid(), 9)\n    while True: pass",
            "the program ended the process that held it",
        ),
        ("import os; os._exit(0)", "the program ended the process that held it"),
    ],
)
def test_the_end_of_a_program_is_told_with_its_cause(program: str, why: str) -> None:
    assert [(o.verdict, o.why) for o in checked(program, TEST)] == [(E, why)]


def test_the_end_of_the_process_of_the_tests_is_told_with_its_cause() -> None:
    segfault = "f(1); import os; os.kill(os.getpid(), 11)"
    (out,) = checked("def f(x): return 4", segfault)
    assert (out.verdict, out.why) == (E, "the process of the tests was ended by SIGSEGV")

    async def work(box: Sandbox) -> str:
        async with box.tester([TEST], QUICK) as tester:
            await tester._tests.process.kill()
            with pytest.raises(SandboxFailed) as failed:
                await tester.check("def f(x): return 4")
            return str(failed.value)

    assert within(work) == "the process of the tests is gone: it was ended by SIGKILL"
