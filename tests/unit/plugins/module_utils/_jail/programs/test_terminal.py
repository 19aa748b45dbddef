# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A terminal of its own for a program: real terminals, keys, signals and ends. No jail is needed for that."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs import terminal
from terminal_user import TerminalUser
from waiting import until

HERE = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

RUN = """\
import os, sys, termios
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs import terminal
before = termios.tcgetattr(0) if os.isatty(0) else None
one = terminal.Terminal()
rc = terminal.run_at_new_terminal(one, lambda: (one.attach(), {become}))
if before:
    print("as before" if termios.tcgetattr(0) == before else "not as before")
print("ended", rc)
"""
SHELL = "os.execvpe('sh', ['sh', '-i'], {**os.environ, 'PS1': 'own> '})"

# What a hostile program does: everything that it can reach gets a command.
INSERT = """
import fcntl, os, termios
reached = [0, 1, 2]
try:
    reached.append(os.open("/dev/tty", os.O_RDWR))
except OSError:
    pass
for fd in reached:
    for char in b"echo ESCAPED\\n":
        try:
            fcntl.ioctl(fd, termios.TIOCSTI, bytes([char]))
        except OSError:
            pass
"""


def driver(tmp_path: Path, become: str) -> list[str]:
    script = tmp_path / "driver.py"
    script.write_text(RUN.format(become=become))
    return [sys.executable, str(script)]


class Person(TerminalUser):
    """With what a terminal program could do in addition to typing."""

    @property
    def fd(self) -> int:
        return self._fd

    def __enter__(self) -> Person:
        return self

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@pytest.fixture(autouse=True)
def imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", HERE["PYTHONPATH"])


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    """Somebody at a shell that has a terminal of its own."""
    with Person(driver(tmp_path, SHELL), "xterm") as one:
        one.expect("own> $")
        yield one


# -- what it is for -------------------------------------------------------------------


@pytest.mark.parametrize("where", ["inside", "outside"])
def test_a_program_cannot_put_a_command_into_the_terminal_of_who_entered(tmp_path: Path, where: str) -> None:
    """The second one shows that this would be seen."""
    hostile = tmp_path / "hostile.py"
    hostile.write_text(INSERT)
    become = f"os.execv(sys.executable, [sys.executable, {str(hostile)!r}])"
    argv = driver(tmp_path, become) if where == "inside" else [sys.executable, str(hostile)]
    with Person(["bash", "--norc", "-i"], "dumb") as one:
        one.type("PS1='outer> '", r"outer> $")
        said = one.type(" ".join(argv) + "; echo came-$((1+1))", "came-2")
        said += one.type("echo done-$((1+1))", "done-2\r\n")
        assert ("\r\nESCAPED\r\n" in said) == (where == "outside"), said
        os.write(one.fd, b"exit\r")


@pytest.mark.parametrize("shut", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_nor_when_only_some_descriptors_are_terminals(tmp_path: Path, shut: tuple[int, ...]) -> None:
    hostile = tmp_path / "hostile.py"
    hostile.write_text(INSERT)
    argv = driver(tmp_path, f"os.execv(sys.executable, [sys.executable, {str(hostile)!r}])")
    redirected = " ".join(f"{fd}{'<' if fd == 0 else '>'}/dev/null" for fd in shut)
    with Person(["bash", "--norc", "-i"], "dumb") as one:
        one.type("PS1='outer> '", r"outer> $")
        said = one.type(f"{' '.join(argv)} {redirected}; echo came-$((1+1))", "came-2")
        said += one.type("echo done-$((1+1))", "done-2\r\n")
        assert "\r\nESCAPED\r\n" not in said
        os.write(one.fd, b"exit\r")


# -- that nothing else is missed --------------------------------------------------------


@pytest.mark.parametrize(("typed", "rc"), [("exit 7", 7), ("kill -KILL $$", 137), ("true; exit", 0)])
def test_how_it_ended_comes_out(person: Person, typed: str, rc: int) -> None:
    said = person.type(typed, "ended .*\n")
    assert f"as before\r\nended {rc}\r\n" in said


def test_keys_are_for_the_new_terminal(person: Person) -> None:
    person.type("sh -c 'echo go-$((1+1)); exec sleep 100'", "go-2")
    person.press(b"\x03", "own> $")
    person.type("echo rc-$?", "rc-130")
    person.type("stty -a", "isig.* icanon")
    person.press(b"\x04", "as before\r\nended 0")


def test_it_follows_the_size_of_the_window(person: Person) -> None:
    person.resize(41, 97)
    # The keys may come there before the size does.
    person.type("until [ \"$(stty size)\" = '41 97' ]; do sleep 0.05; done; echo sized-$((1+1))", "sized-2")
    wait = "trap 'echo now $(stty size); exit' WINCH; echo go-$((1+1)); while :; do sleep 0.05; done"
    person.type(f'sh -c "{wait}"'.replace("$", "\\$"), "go-2")
    person.resize(42, 98)
    person.expect("now 42 98")
    person.type("exit", "ended 0")


def test_much_goes_both_ways(person: Person, tmp_path: Path) -> None:
    """More than a terminal holds, while the other side is not reading."""
    person.type("stty -echo; PS1=; echo quiet-$((1+1))", "quiet-2")
    person.type("yes 0123456789 | head -c 400000; echo all-$((1+1))", "all-2")
    kept = tmp_path / "kept"
    os.write(person.fd, f"sleep 0.5; cat >{kept}; echo kept-$((1+1))\r".encode())
    text = b"".join(b"%06d" % number + b"x" * 80 + b"\n" for number in range(600))
    child = os.fork()
    if child == 0:
        rest = text
        while rest:
            rest = rest[os.write(person.fd, rest[:4096]) :]
        os.write(person.fd, b"\x04")
        os._exit(0)
    person.expect("kept-2")
    os.waitpid(child, 0)
    assert kept.read_bytes() == text
    person.type("exit", "ended 0")


def test_the_last_words_are_shown(tmp_path: Path) -> None:
    with Person(
        driver(tmp_path, "os.execvp('sh', ['sh', '-c', 'yes 123456789 | head -n 300; echo last'])"), "dumb"
    ) as one:
        said = one.expect("ended 0\r\n")
    assert said.count("123456789") == 300
    assert "last\r\nas before" in said


def test_what_is_stopped_lets_the_person_s_shell_go_on(tmp_path: Path) -> None:
    with Person(["bash", "--norc", "-i"], "dumb") as one:
        one.type("PS1='outer> '", r"outer> $")
        one.type(" ".join(driver(tmp_path, SHELL)), "own> $")
        one.type("kill -STOP $$", r"Stopped(?s:.*)outer> $")
        one.type("echo out-$((1+1)); stty -a | grep -o ' icanon'", "out-2\r\n icanon")
        one.type("fg", "driver.py")
        one.type("echo in-$((1+1))", "in-2(?s:.*)own> $")
        one.type("exit 3", r"ended 3(?s:.*)outer> $")
        os.write(one.fd, b"exit\r")


def test_a_job_in_the_background_goes_on(tmp_path: Path) -> None:
    """Who sets a terminal from there is stopped by SIGTTOU."""
    made, words = tmp_path / "made", "sleep 0.4; echo shown-$((1+1)); echo made >"
    argv = " ".join(driver(tmp_path, f"os.execvp('sh', ['sh', '-c', {words + str(made)!r}])"))
    with Person(["bash", "--norc", "-i"], "dumb") as one:
        one.type("PS1='outer> '", r"outer> $")
        said = one.type(f"{argv} & wait; echo over-$((1+1)); stty -a | grep -o ' icanon'", "over-2\r\n icanon")
        assert "shown-2" in said
        assert made.exists()
        os.write(one.fd, b"exit\r")


def test_and_gets_the_keys_in_the_foreground(tmp_path: Path) -> None:
    """Of which bash says nothing to a job that runs."""
    argv = " ".join(driver(tmp_path, "os.execvp('sh', ['sh', '-c', 'read line; echo got-$line; exit 4'])"))
    with Person(["bash", "--norc", "-i"], "dumb") as one:
        one.type("PS1='outer> '", r"outer> $")
        one.type(f"{argv} &", r"outer> $")
        one.type("echo mine-$((1+1))", "mine-2(?s:.*)outer> $")
        one.type("fg", "driver.py")
        one.type("keys", "got-keys(?s:.*)ended 4(?s:.*)outer> $")
        os.write(one.fd, b"exit\r")


def test_behind_a_pipe_the_keys_are_for_who_reads_it(tmp_path: Path) -> None:
    """As in: exec dev -- long | less"""
    argv = " ".join(driver(tmp_path, "os.execvp('sh', ['sh', '-c', 'cat; echo long; sleep 1'])"))
    with Person(["bash", "--norc", "-i"], "dumb") as one:
        one.type("PS1='outer> '", r"outer> $")
        one.type(f"{argv} | sh -c 'read line; echo line-$line; read key </dev/tty; echo key-$key'", "line-long")
        one.type("abc", "key-abc(?s:.*)outer> $")
        os.write(one.fd, b"exit\r")


ENDING = """\
import os
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs import djail_session, terminal
one = terminal.Terminal()
os.dup2(os.open(os.devnull, os.O_RDWR), one.fd)
become = lambda: djail_session.ending(lambda: djail_session.start_program(-1, "", None, ["true"], one))
print("ended", terminal.run_at_new_terminal(one, become))
"""


def test_a_terminal_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    """And the process that was to become the program goes on with nothing else."""
    script = tmp_path / "driver.py"
    script.write_text(ENDING)
    with Person([sys.executable, str(script)], "dumb") as one:
        said = one.expect("ended 71")
    assert said.splitlines()[0] == "djail: cannot use a new terminal: Inappropriate ioctl for device"
    assert said.count("ended") == 1


def test_a_closed_window_ends_it(tmp_path: Path) -> None:
    said = tmp_path / "said"
    words = f"trap 'echo hung up >{said}; exit' HUP; echo ready; while :; do sleep 0.1; done"
    with Person(driver(tmp_path, f"os.execvp('sh', ['sh', '-c', {words!r}])"), "dumb") as one:
        one.expect("ready")
    until(lambda: said.exists() and said.read_text() == "hung up\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_are_passed_on(tmp_path: Path, number: signal.Signals) -> None:
    argv = driver(tmp_path, "os.execvp('sh', ['sh', '-c', 'echo ready; exec sleep 60'])")
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.wait(10) == 0
    process.stdout.close()


def test_without_a_terminal_pipes_go_through(tmp_path: Path) -> None:
    """In a session of its own all the same, for /dev/tty is the person's terminal otherwise."""
    become = "os.execvp('sh', ['sh', '-c', 'cat; echo error >&2; ps -o pid=,sid= -p $$ >&2; exit 5'])"
    data = bytes(range(256)) * 1000
    ran = subprocess.run(driver(tmp_path, become), input=data, capture_output=True, check=False)
    assert ran.stdout == data, "what this process says goes nowhere: the others would wait for it"
    error, ids = ran.stderr.splitlines()
    assert error == b"error"
    assert len(set(ids.split())) == 1


def test_what_is_left_at_the_end_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Linux does not wait for it when the leader of a session ends."""
    monkeypatch.setattr(terminal, "STANDARD", ())
    monkeypatch.setattr(terminal, "BLOCK", 1000)
    near, far = os.pipe()
    os.write(far, b"x" * 30_000)
    waker, wake = os.pipe()
    os.write(wake, bytes([signal.SIGCHLD]))
    child = subprocess.Popen(["sh", "-c", "exit 3"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    terminal.load_modules()
    one = terminal.Terminal()
    with (tmp_path / "screen").open("wb") as screen:
        one._controller, one.fd, one._screen, one._typed = near, far, screen.fileno(), b""
        assert terminal.forward_until_exit(child.pid, one, waker) == 3
    child.returncode = 3  # waited for
    for fd in (waker, wake):
        os.close(fd)
    assert (tmp_path / "screen").stat().st_size == 30_000
    one.hang_up()


def test_nothing_to_read_yet_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """select(2) may say that there is something when there is nothing."""
    controller, far = pty.openpty()
    os.set_blocking(controller, False)
    monkeypatch.setattr(terminal, "STANDARD", ())
    terminal.load_modules()
    one = terminal.Terminal()
    one._controller, one.fd, one._screen = controller, far, 1
    assert one.copy_output()
    assert os.isatty(controller)
    one.hang_up()


# -- ends of a terminal, which systems tell in two ways ------------------------------------


@pytest.mark.parametrize("system", ["linux", "macos"])
def test_the_end_is_seen(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The controller of a terminal that nobody has open: Linux says EIO, macOS that there is nothing (ptcread)."""
    controller, far = pty.openpty()
    os.close(far)
    if system == "linux":
        with pytest.raises(OSError, match="Input/output error"):
            os.read(controller, 1)
    else:
        os.close(controller)
        controller, far = os.pipe()
        os.close(far)
        assert os.read(controller, 1) == b""
    monkeypatch.setattr(terminal, "STANDARD", ())
    terminal.load_modules()
    one = terminal.Terminal()
    one._controller, one.fd, one._screen = controller, os.open(os.devnull, os.O_RDWR), 1
    assert not one.copy_output()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(controller)
    one.hang_up()
