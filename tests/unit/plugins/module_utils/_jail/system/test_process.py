# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Programs are run to their end, whatever they do with their pipes."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import process
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.process import CompletedRun, HelperPipes, run


def python(text: str, *words: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", text, *words]


def shell(text: str) -> list[str]:
    return ["/bin/sh", "-c", text]


def gone(pid: int) -> bool:
    """Whether a process ended, be it that nobody has asked for its exit code yet."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"
    except ProcessLookupError:
        return True


def soon_gone(pid: int) -> bool:
    limit = time.monotonic() + 2
    while not gone(pid) and time.monotonic() < limit:
        time.sleep(0.01)
    return gone(pid)


def test_output_and_exit_code_arrive() -> None:
    assert run(shell("echo out; echo err >&2; exit 3")) == CompletedRun(3, b"out\n", b"err\n")


def test_every_byte_arrives() -> None:
    assert run(python("import sys; sys.stdout.buffer.write(bytes(range(256)) * 999)")).stdout == bytes(range(256)) * 999


def test_of_endless_output_the_beginning_and_the_end_are_kept() -> None:
    """Memory does not grow with it, and the program is not disturbed."""
    ended = run(python("print('first'); [print('line', i) for i in range(300_000)]; print('last')"), limit=1000)
    lines = ended.stdout.decode().splitlines()
    assert (lines[0], lines[-1], ended.rc) == ("first", "last", 0)
    assert "[... " in ended.stdout.decode()
    assert all(line.startswith(("first", "line ", "last", "[... ")) or not line for line in lines)
    assert len(ended.stdout) < 1100
    total = len("first\nlast\n") + sum(len(f"line {i}\n") for i in range(300_000))
    mark = ended.stdout.index(b"\n[... "), ended.stdout.index(b"...]\n") + 5
    assert ended.left_out == total - len(ended.stdout) + mark[1] - mark[0]
    assert f"[... {ended.left_out} bytes are left out here ...]" in lines


@pytest.mark.parametrize("size", [999, 1000, 1001])
def test_output_up_to_the_limit_is_whole(size: int) -> None:
    ended = run(python(f"import os; os.write(1, b'x' * {size})"), limit=1000)
    assert (ended.stdout == b"x" * size) is (size <= 1000)
    assert ended.left_out == max(0, size - 1000)


def test_a_loud_program_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE", 0.1)
    loud = run(python("import os\nwhile True: os.write(1, bytes(1 << 16))"), timeout=1.0, limit=1 << 20)
    assert loud.timed_out
    assert len(loud.stdout) <= (1 << 20) + 100
    assert loud.left_out > 10 << 20


def test_death_by_a_signal_is_negative() -> None:
    assert run(shell("kill -ABRT $$")).rc == -signal.SIGABRT


def test_words_are_not_looked_at_by_a_shell() -> None:
    assert run(["/bin/echo", "$HOME", "a  b", "*", ";", "'"]).stdout == b"$HOME a  b * ; '\n"


def test_no_input_is_the_end_of_file() -> None:
    assert run(["/bin/cat"]).stdout == b""


def test_input_larger_than_a_pipe_passes_through() -> None:
    data = os.urandom(1 << 20)
    assert run(["/bin/cat"], stdin=data).stdout == data


def test_input_that_nobody_reads_is_no_error() -> None:
    assert run(["/bin/true"], stdin=b"x" * (1 << 20)).rc == 0


def test_input_is_read_by_a_program_that_closed_its_output(tmp_path: Path) -> None:
    data = os.urandom(1 << 20)
    assert run(shell(f"exec >&- 2>&-; exec cat >{tmp_path}/got"), stdin=data).rc == 0
    assert (tmp_path / "got").read_bytes() == data


def test_a_missing_program_is_an_error_of_ours() -> None:
    expected = r"^cannot run /no/such/program: No such file or directory \(this computer is not a Mac, and .*: name "
    with pytest.raises(OperationError, match=expected):
        run(["/no/such/program"])


def test_what_is_left_in_the_background_is_not_waited_for() -> None:
    start = time.monotonic()
    ended = run(shell("sleep 30 & echo $!"))
    assert ended.rc == 0
    assert time.monotonic() - start < 5
    os.kill(int(ended.stdout), signal.SIGKILL)


def test_a_chatty_background_process_does_not_hold_us() -> None:
    start = time.monotonic()
    ended = run(shell("(while echo noise; do :; done) 2>/dev/null & echo $! >&2"))
    os.kill(int(ended.stderr), signal.SIGKILL)
    assert time.monotonic() - start < 10


def test_the_end_of_time_ends_the_whole_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE", 0.5)
    text = "sleep 60 & echo $!; (trap '' TERM; sleep 60; sleep 60) & echo $!; wait"
    start = time.monotonic()
    ended = run(shell(text), timeout=0.5)
    assert time.monotonic() - start < 5
    assert ended.timed_out
    assert ended.rc == -signal.SIGTERM
    children = [int(line) for line in ended.stdout.split()]
    assert len(children) == 2
    assert all(soon_gone(child) for child in children)


def test_a_group_of_which_only_zombies_are_left_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS refuses to signal one (xnu bsd/kern/kern_sig.c), where Linux has nobody to signal."""
    monkeypatch.setattr(process, "GRACE", 5)
    killpg = os.killpg

    def refuse(pid: int, number: int) -> None:
        try:
            killpg(pid, number)
        except ProcessLookupError as exc:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM)) from exc

    monkeypatch.setattr(os, "killpg", refuse)
    ended = run(shell("sleep 60"), timeout=0.2)
    assert (ended.rc, ended.timed_out) == (-signal.SIGTERM, True)


def test_a_program_may_end_in_order_when_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE", 30)
    start = time.monotonic()
    ended = run(shell("trap 'echo bye; exit 9' TERM; echo hello; sleep 60 & wait"), timeout=0.5)
    assert (ended.rc, ended.stdout, ended.timed_out) == (9, b"hello\nbye\n", True)
    assert time.monotonic() - start < 10


def test_one_that_ignores_the_first_signal_gets_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE", 0.3)
    text = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    ended = run(python(text), timeout=0.5)
    assert (ended.rc, ended.stdout, ended.timed_out) == (-signal.SIGKILL, b"deaf\n", True)


def test_one_that_left_the_group_with_our_pipes_does_not_hold_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE", 0.3)
    text = "import os, time; os.fork() or (os.setsid(), print(os.getpid(), flush=True), time.sleep(60)); time.sleep(60)"
    start = time.monotonic()
    ended = run(python(text), timeout=0.5)
    assert ended.timed_out
    assert time.monotonic() - start < 5
    os.kill(int(ended.stdout), signal.SIGKILL)


def test_a_helper_is_told_and_reports() -> None:
    helper = HelperPipes(b"m" * (1 << 20))
    text = "import os, sys; r, w = map(int, sys.argv[1:]); os.write(w, b'%d' % len(open(r, 'rb').read()))"
    ended = run(python(text, *map(str, helper.theirs)), helper=helper)
    assert (ended.rc, ended.report, ended.stdout) == (0, b"1048576", b"")


def test_no_descriptor_is_left_open() -> None:
    def count() -> int:
        return len(os.listdir("/dev/fd"))

    before = count()
    run(["/bin/cat"], stdin=b"x")
    run(shell("sleep 60"), timeout=0.1)
    helper = HelperPipes(b"")
    run(["/bin/true"], helper=helper)
    with pytest.raises(OperationError):
        run(["/no/such/program"], helper=HelperPipes(b"x"))
    assert count() == before
