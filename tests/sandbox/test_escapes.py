"""Programs that try to get out of the sandbox. Each test looks at the world afterwards, not at what
the program says of itself."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandboxed import QUICK, ran, within

from polyarch.compiler.execution import Limits, Script, Verdict
from polyarch.runtime.sandbox.box import Sandbox
from polyarch.runtime.sandbox.tree import tree

SECRET = "sk-canary-5c1f0e"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A TCP port of this machine that nobody may reach."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def nobody_called(server: socket.socket) -> bool:
    try:
        server.accept()
    except BlockingIOError:
        return True
    return False


def below_here() -> set[int]:
    return set(tree(os.getpid())[1:])


# The network ----------------------------------------------------------------------------------


def test_tcp(listener: socket.socket) -> None:
    port = str(listener.getsockname()[1])
    out = ran("import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])))", port)
    assert out.verdict is Verdict.FAIL
    assert nobody_called(listener)


def test_tcp_over_ipv6() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        server.setblocking(False)
        ran(
            "import socket, sys; socket.create_connection(('::1', int(sys.argv[1])))",
            str(server.getsockname()[1]),
        )
        assert nobody_called(server)


def test_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        ran(
            "import socket, sys\nsocket.socket(2, 2).sendto(b'x', ('127.0.0.1', int(sys.argv[1])))",
            str(server.getsockname()[1]),
        )
        with pytest.raises(BlockingIOError):
            server.recv(1)


def test_unix_socket_of_a_path(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        (tmp_path / "s").chmod(0o777)
        server.listen()
        server.setblocking(False)
        ran(
            "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])",
            str(tmp_path / "s"),
        )
        assert nobody_called(server)


def test_abstract_unix_socket() -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0polyarch-{os.getpid()}")
        server.listen()
        server.setblocking(False)
        out = ran(
            "import socket, sys; socket.socket(socket.AF_UNIX).connect('\\0' + sys.argv[1])",
            f"polyarch-{os.getpid()}",
        )
        assert "refused" in out.stderr
        assert nobody_called(server)


@pytest.mark.parametrize(
    "family",
    [
        "AF_INET",
        "AF_INET6",
        "AF_NETLINK",
        "AF_PACKET",
        "AF_VSOCK",
        "AF_ALG",
        "AF_BLUETOOTH",
        "AF_CAN",
    ],
)
def test_no_other_kind_of_socket(family: str) -> None:
    out = ran(f"import socket; socket.socket(socket.{family}, socket.SOCK_RAW)")
    assert out.verdict is Verdict.FAIL
    assert "PermissionError" in out.stderr or "AttributeError" in out.stderr


def test_dns() -> None:
    out = ran("import socket; print(socket.gethostbyname('localhost.localdomain'))")
    assert out.verdict is Verdict.FAIL


# Files ----------------------------------------------------------------------------------------


def test_a_file_outside_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET)
    tmp_path.chmod(0o777)
    out = ran("import sys; print(open(sys.argv[1]).read())", str(tmp_path / "key"))
    assert SECRET not in out.stdout + out.stderr
    assert "FileNotFoundError" in out.stderr


@pytest.mark.parametrize("folder", ["/work", "/home", "/root/.ssh", "/var", "/sys", "/run", "/mnt"])
def test_folders_of_the_host_are_not_there(folder: str) -> None:
    assert ran("import os, sys; os.listdir(sys.argv[1])", folder).verdict is Verdict.FAIL


def test_etc_is_all_but_empty() -> None:
    out = ran("import os; print(sorted(os.listdir('/etc')))")
    assert out.stdout.strip() in ("['ld.so.cache']", "[]")


@pytest.mark.parametrize(
    "path", ["/usr/x", "/x", "/etc/x", "/dev/x", "/proc/x", "/sandbox/x", "/sandbox/inside/x.py"]
)
def test_nothing_is_written_outside_the_scratch_folder(path: str) -> None:
    out = ran("import sys; open(sys.argv[1], 'w')", path)
    assert out.verdict is Verdict.FAIL
    assert not Path(path).exists()


def test_symbolic_and_hard_links_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET)
    out = ran(
        "import os, sys\n"
        "os.symlink(sys.argv[1], 'link')\n"
        "try: os.link('/usr/bin/env', 'hard')\n"
        "except OSError as e: print(type(e).__name__)\n"
        "print(open('link').read())",
        str(tmp_path / "key"),
    )
    assert out.verdict is Verdict.FAIL
    assert "OSError" in out.stdout or "PermissionError" in out.stdout
    assert SECRET not in out.stdout + out.stderr


def test_python_and_the_harness_stay_as_they_are() -> None:
    from polyarch.runtime.sandbox.inside import script

    before = Path(os.__file__).read_bytes(), Path(script.__file__).read_bytes()
    ran(
        "import os\n"
        "for p in (os.__file__, '/sandbox/inside/script.py', '/sandbox/inside/values.py'):\n"
        "    try: os.chmod(p, 0o777)\n"
        "    except OSError: pass\n"
        "    try: open(p, 'a').write('raise SystemExit')\n"
        "    except OSError: pass\n"
        "    try: os.rename(p, '/tmp/x')\n"
        "    except OSError: pass\n"
    )
    assert (Path(os.__file__).read_bytes(), Path(script.__file__).read_bytes()) == before
    assert ran("print(1)").stdout == "1\n"


def test_nothing_is_left_for_the_next_run() -> None:
    ran("for p in ('/tmp/left', '/dev/shm/left'): open(p, 'w').write('x')")
    out = ran("import os; print(os.listdir('/tmp'), os.listdir('/dev/shm'))")
    assert out.stdout == "[] []\n"
    assert not Path("/tmp/left").exists()
    assert not Path("/dev/shm/left").exists()


def test_customisation_modules_and_path_files_do_nothing_to_the_next_run() -> None:
    ran(
        "for n in ('sitecustomize.py', 'usercustomize.py', 'x.pth', 'json.py', 'inside/x.py'):\n"
        "    try: open(n, 'w').write('print(\"owned\")')\n"
        "    except OSError: pass\n"
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import json'])"
    )
    out = ran("import json; print('fine')")
    assert out.stdout == "fine\n"


def test_another_run_s_scratch_folder_is_not_seen() -> None:
    writes = "open('mine', 'w').write('secret'); import time; time.sleep(0.6)"
    reads = (
        "import os, time; time.sleep(0.3)\n"
        "print([f for _, _, fs in os.walk('/tmp') for f in fs])\n"
        "print([p for p in os.listdir('/proc') if p.isdigit()])"
    )

    async def both(box: Sandbox) -> str:
        import asyncio

        one, other = await asyncio.gather(
            box.run(Script(writes), QUICK), box.run(Script(reads), QUICK)
        )
        assert one.passed
        return other.stdout

    assert within(both) == "[]\n['1', '2']\n"


def test_files_of_a_script_cannot_be_put_elsewhere() -> None:
    from polyarch.compiler.errors import InputError

    for name in ("../x", "/etc/x", ""):
        with pytest.raises(InputError, match="must lie beside it"):
            within(lambda box, n=name: box.run(Script("", files={n: "x"}), QUICK))  # type: ignore[misc]


# Keys -----------------------------------------------------------------------------------------


def test_no_variable_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    out = ran(
        "import os, subprocess, sys\n"
        "print(dict(os.environ))\n"
        "print(subprocess.run(['env'], capture_output=True, text=True).stdout)"
    )
    assert out.passed
    assert SECRET not in out.stdout
    assert "OPENAI" not in out.stdout


def test_no_variable_through_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    out = ran(
        "import glob\n"
        "for p in glob.glob('/proc/*/environ') + glob.glob('/proc/*/cmdline'):\n"
        "    try: print(p, open(p).read())\n"
        "    except OSError as e: print(p, e)\n"
    )
    assert out.passed
    assert SECRET not in out.stdout
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(os.environ['OPENAI_API_KEY'])"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert child.stdout.strip() == SECRET  # it was there to be had


def test_memory_of_other_processes_is_not_read() -> None:
    out = ran("open('/proc/1/mem', 'rb')")
    assert out.verdict is Verdict.FAIL
    assert "PermissionError" in out.stderr


def test_no_file_of_the_host_is_open() -> None:
    with socket.socket() as _, Path("/etc/hostname").open() as kept:
        os.set_inheritable(kept.fileno(), True)
        out = ran(
            "import os\n"
            "for fd in range(200):\n"
            "    try: print(fd, os.readlink(f'/proc/self/fd/{fd}'))\n"
            "    except OSError: pass"
        )
    assert "/etc/hostname" not in out.stdout
    assert len(out.stdout.splitlines()) <= 4


# Processes ------------------------------------------------------------------------------------


def test_no_signal_reaches_this_process() -> None:
    with subprocess.Popen(["sleep", "30"]) as other:
        out = ran(
            "import os, sys\n"
            "for pid in map(int, sys.argv[1:]):\n"
            "    for number in (9, 19):\n"
            "        try: os.kill(pid, number); print('sent')\n"
            "        except OSError: pass\n",
            str(other.pid),
            str(os.getpid()),
        )
        assert "sent" not in out.stdout
        assert other.poll() is None
        other.kill()


def test_signals_to_everybody_end_nothing_outside() -> None:
    with subprocess.Popen(["sleep", "30"]) as other:
        ran("import os; os.kill(-1, 9)")
        ran("import os; os.killpg(0, 9)")
        ran("import os; os.kill(os.getppid(), 9); os.kill(1, 9)")
        assert other.poll() is None
        other.kill()


def test_a_fork_bomb_ends_and_others_run_beside_it() -> None:
    async def both(box: Sandbox) -> tuple[str, Verdict]:
        import asyncio

        bomb = asyncio.create_task(
            box.run(Script("import os\nwhile True:\n try: os.fork()\n except OSError: pass"), QUICK)
        )
        await asyncio.sleep(0.5)
        beside = await box.run(Script("import subprocess; print(subprocess.call('true'))"), QUICK)
        return beside.stdout, (await bomb).verdict

    before = below_here()
    told, verdict = within(both)
    assert told == "0\n"
    assert verdict in (Verdict.TIMEOUT, Verdict.MEMORY)
    assert below_here() == before


def test_threads_are_bounded() -> None:
    out = ran(
        "import threading, time\n"
        "for n in range(1000):\n"
        "    threading.Thread(target=time.sleep, args=(9,), daemon=True).start()"
    )
    assert out.verdict is Verdict.FAIL
    assert "can't start new thread" in out.stderr


def test_daemons_do_not_outlive_the_run(tmp_path: Path) -> None:
    before = below_here()
    out = ran(
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        for fd in range(10):\n"
        "            try: os.close(fd)\n"
        "            except OSError: pass\n"
        "        time.sleep(60)\n"
        "    os._exit(0)\n"
        "print('left')"
    )
    assert out.stdout == "left\n"
    assert below_here() == before
    assert not [p for p in all_commands() if "time.sleep(60)" in p]


def all_commands() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found


def test_a_cancelled_run_leaves_nothing() -> None:
    async def work(box: Sandbox) -> None:
        import asyncio

        task = asyncio.create_task(box.run(Script("import os\nos.fork()\nwhile True: pass"), QUICK))
        await asyncio.sleep(0.3)
        assert len(below_here()) > len(before)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    before = below_here()
    within(work)
    assert below_here() == before


def test_stopping_itself_ends_with_the_time() -> None:
    out = ran("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", limits=Limits(seconds=0.5))
    assert out.verdict is Verdict.TIMEOUT


def test_signals_that_ask_are_ignored_and_the_time_still_ends() -> None:
    before = below_here()
    out = ran(
        "import signal\n"
        "for n in range(1, 65):\n"
        "    try: signal.signal(n, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\n"
        "while True: pass"
    )
    assert out.verdict is Verdict.TIMEOUT
    assert below_here() == before


# What a program may use -----------------------------------------------------------------------


def test_memory_of_one_process() -> None:
    out = ran("x = bytearray(1 << 40)")
    assert out.verdict is Verdict.MEMORY


def test_memory_of_several_processes() -> None:
    out = ran(
        "import os, time\nfor _ in range(6): os.fork()\nx = b'x' * (100 << 20)\ntime.sleep(9)",
        limits=Limits(seconds=5.0, memory=256 << 20, processes=32),
    )
    assert out.verdict is Verdict.MEMORY


@pytest.mark.parametrize("call", ["memfd_create", "shmget"])
def test_memory_that_no_limit_would_count(call: str) -> None:
    code = {"memfd_create": "libc.memfd_create(b'x', 0)", "shmget": "libc.shmget(0, 4096, 0o1600)"}
    out = ran(f"import ctypes; libc = ctypes.CDLL(None); print({code[call]})")
    assert out.stdout == "-1\n"


def test_processor_time() -> None:
    out = ran("while True: pass", limits=Limits(seconds=1.0, slack=20.0))
    assert out.verdict is Verdict.TIMEOUT
    assert out.seconds < 15


@pytest.mark.parametrize(
    "source",
    [
        "10 ** 10 ** 9",
        "import re; re.match('(a+)+$', 'a' * 64 + 'b')",
        "pow(7 ** 99999, 7 ** 9999, 3 ** 99999)",
        "sum(range(10 ** 12))",
    ],
)
def test_time_spent_within_one_instruction(source: str) -> None:
    out = ran(source, limits=Limits(seconds=1.0, memory=256 << 20))
    assert out.verdict in (Verdict.TIMEOUT, Verdict.MEMORY)


def test_a_full_disk_is_its_own() -> None:
    out = ran(
        "n = 0\nwhile True:\n    open(f'f{n}', 'wb').write(b'x' * (8 << 20)); n += 1",
        limits=Limits(scratch=32 << 20),
    )
    assert out.verdict is Verdict.FAIL
    assert "No space left" in out.stderr


def test_one_long_file() -> None:
    out = ran(
        "f = open('f', 'wb')\nwhile True: f.write(b'x' * (1 << 20))", limits=Limits(file=4 << 20)
    )
    assert out.verdict is Verdict.FAIL
    assert "File too large" in out.stderr


def test_many_small_files_end_with_the_time() -> None:
    out = ran(
        "n = 0\nwhile True:\n    open(f'f{n}', 'w').close(); n += 1",
        limits=Limits(seconds=1.0),
    )
    assert out.verdict in (Verdict.TIMEOUT, Verdict.FAIL)
    assert ran("import os; print(len(os.listdir('.')))").stdout == "0\n"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_endless_output_is_stopped(stream: str) -> None:
    out = ran(f"import sys\nwhile True: sys.{stream}.write('x' * 9999)", limits=Limits(output=5000))
    assert out.verdict is Verdict.ERROR
    assert len(out.stdout) + len(out.stderr) == 5000


def test_limits_are_not_raised_again() -> None:
    out = ran(
        "import resource\n"
        "for n in ('AS', 'CPU', 'NPROC', 'FSIZE', 'NOFILE'):\n"
        "    try: resource.setrlimit(getattr(resource, 'RLIMIT_' + n), (-1, -1)); print(n)\n"
        "    except (ValueError, OSError): pass"
    )
    assert out.passed
    assert out.stdout == ""


def test_deep_recursion() -> None:
    out = ran("def f(): f()\nf()")
    assert out.verdict is Verdict.FAIL
    assert "RecursionError" in out.stderr
    deep = ran("import sys; sys.setrecursionlimit(10 ** 9)\nf = lambda: [f()]\nf()")
    assert deep.verdict in (Verdict.ERROR, Verdict.MEMORY, Verdict.FAIL, Verdict.TIMEOUT)


# System calls ---------------------------------------------------------------------------------

CALLS = {
    "ptrace": "ptrace(16, 1, 0, 0)",
    "mount": "mount(b'none', b'/tmp', b'tmpfs', 0, 0)",
    "umount": "umount2(b'/proc', 2)",
    "unshare user": "unshare(0x10000000)",
    "unshare net": "unshare(0x40000000)",
    "setns": "setns(0, 0)",
    "chroot": "chroot(b'/tmp')",
    "keyctl": "syscall(250, 0, -3, 1)",
    "bpf": "syscall(321, 0, 0, 0)",
    "io_uring": "syscall(425, 1, buffer)",
    "perf_event_open": "syscall(298, buffer, 0, -1, -1, 0)",
    "userfaultfd": "syscall(323, 0)",
    "process_vm_readv": "syscall(310, 1, buffer, 1, buffer, 1, 0)",
    "pidfd_getfd": "syscall(438, 0, 0, 0)",
    "open_by_handle_at": "syscall(304, -100, buffer, 0)",
    "kexec_load": "syscall(246, 0, 0, 0, 0)",
    "clone into a user namespace": "syscall(56, 0x10000011, 0, 0, 0, 0)",
    "clone3": "syscall(435, buffer, 88)",
    "x32 calls": "syscall(0x40000000 + 39)",
    "setuid": "setuid(0)",
    "sethostname": "sethostname(b'x', 1)",
    "settimeofday": "settimeofday(buffer, 0)",
    "mknod": "mknod(b'/tmp/disk', 0o60666, 0x0801)",
    "reboot": "reboot(0x1234567)",
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86_64")
def test_a_system_call_is_refused(call: str) -> None:
    out = ran(
        "import ctypes, os\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "buffer = ctypes.create_string_buffer(256)\n"
        f"print(libc.{CALLS[call]}, os.strerror(ctypes.get_errno()))"
    )
    assert out.stdout.startswith("-1 "), out
    assert "not permitted" in out.stdout or "not implemented" in out.stdout


def test_a_terminal_is_not_typed_into() -> None:
    main, side = os.openpty()
    try:
        out = ran(
            "import fcntl, os\n"
            "for path in ('/dev/tty', '/dev/pts/0', '/dev/ptmx'):\n"
            "    try: os.open(path, os.O_RDWR); print('opened')\n"
            "    except OSError: pass\n"
            "for fd in range(8):\n"
            "    try: fcntl.ioctl(fd, 0x5412, b'x'); print('typed')\n"
            "    except OSError as error: print(error.errno)"
        )
        assert "opened" not in out.stdout
        assert "typed" not in out.stdout
        assert {"1"} >= {n for n in out.stdout.split() if n not in ("9", "25")}
    finally:
        os.close(main)
        os.close(side)


def test_devices_are_few() -> None:
    out = ran("import os; print(sorted(os.listdir('/dev')))")
    assert out.stdout == "['fd', 'full', 'null', 'random', 'shm', 'urandom', 'zero']\n"


def test_locale_and_time_zone_are_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    out = ran("import time, sys, os; print(time.tzname[0], sys.getfilesystemencoding(), hash('a'))")
    assert out.stdout.startswith("UTC utf-8 ")
    assert (
        out.stdout
        == ran(
            "import time, sys, os; print(time.tzname[0], sys.getfilesystemencoding(), hash('a'))"
        ).stdout
    )


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_host_that_is_killed_leaves_nothing() -> None:
    code = (
        "import asyncio\n"
        "from polyarch.runtime.sandbox.box import Sandbox\n"
        "from polyarch.compiler.execution import Limits, Script\n"
        "mark = 'import time; time.sleep(61)'\n"
        "asyncio.run(Sandbox(proven=True).run(Script(mark), Limits(seconds=60)))\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(root)}
    ) as host:
        deadline = time.monotonic() + 20
        while len(tree(host.pid)) < 4 and time.monotonic() < deadline:
            time.sleep(0.02)
        below = tree(host.pid)[1:]
        assert len(below) >= 3
        host.send_signal(signal.SIGKILL)
        host.wait()
    while any(map(runs, below)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [pid for pid in below if runs(pid)] == []
