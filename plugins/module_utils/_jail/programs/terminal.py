# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program of a jail in a new session at a new terminal.

The jail gets no access to the user's terminal: a program that has it open, or
whose session it controls, can insert a command that the user's shell runs later
(TIOCSTI: xnu has no other condition, bsd/kern/tty.c). One process stays on the
Mac and copies bytes in both directions; the other becomes the program.

Part of programs that bundle.py puts together. It uses select(2), for poll(2)
of macOS does not work on terminals.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]
import os
import stat

from .chroot_exec import step, suppressed

TYPE_CHECKING = False
if TYPE_CHECKING:
    import fcntl
    import select
    import termios
    import tty
    from collections.abc import Callable

STANDARD = (0, 1, 2)
BLOCK = 1 << 16
MAX_LAST_BLOCKS = 64
"""The most that is copied after the end of the program: other processes may go on writing."""

OUTPUT = 1
"""Where the modes of output are in what tcgetattr returns."""

BACKGROUND_LOOK = 0.3
"""Seconds between two looks whether a job in the background has come to the foreground: not each shell says so."""

SET_CONTROLLING = 0x20007461
"""<sys/ttycom.h> of macOS: _IO('t', 97). Its Python does not have TIOCSCTTY."""

FORWARDED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
HANDLED = (*FORWARDED, signal.SIGCHLD, signal.SIGCONT, signal.SIGWINCH)


def load_modules() -> None:
    """Import what is needed at a terminal only: without one a program starts 2 ms earlier."""
    global fcntl, select, termios, tty  # noqa: PLW0603 (so each method has them)
    import fcntl  # noqa: PLC0415
    import select  # noqa: PLC0415
    import termios  # noqa: PLC0415
    import tty  # noqa: PLC0415


class Terminal:
    """A new terminal, and the user's. Without a terminal of the user there is no new one.

    This process keeps the new one open, so that its controller reaches its end after the program: reading it would
    fail then on Linux, and return nothing on macOS.
    """

    def __init__(self) -> None:
        self._terminal_fds = [fd for fd in STANDARD if os.isatty(fd)]
        self._others = [fd for fd in STANDARD if fd not in self._terminal_fds]
        self.fd = self._controller = -1
        self._is_raw = self._has_no_keys = False
        if not self._terminal_fds:
            return
        load_modules()
        self._controller, self.fd = os.openpty()
        os.set_blocking(self._controller, False)
        self._screen = next(fd for fd in (1, 2, 0) if fd in self._terminal_fds)
        self._before = termios.tcgetattr(self._screen)
        termios.tcsetattr(self.fd, termios.TCSANOW, self._before)
        self._typed = b""
        self.copy_size()
        if 0 in self._terminal_fds and is_pipe(1):  # keys are for the program that reads the pipe
            self._terminal_fds.remove(0)
            self._has_no_keys = True

    def attach(self) -> None:
        """In the process that becomes the program: use the new terminal only."""
        with step("terminal"):
            os.setsid()
            if self.fd >= 0:
                fcntl.ioctl(self.fd, getattr(termios, "TIOCSCTTY", SET_CONTROLLING), 0)
            for fd in self._terminal_fds:
                os.dup2(self.fd, fd)
            if self._has_no_keys:
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

    def let_go(self) -> None:
        """In the process that stays: whoever is at the other end of a pipe waits for the program alone."""
        if self._others:
            nothing = os.open(os.devnull, os.O_RDWR)
            for fd in self._others:
                os.dup2(nothing, fd)

    # -- the user's terminal -------------------------------------------------------

    def set_raw(self) -> None:
        """Set the user's terminal to raw mode: the new one interprets keys.

        Not from the background: SIGTTOU would stop this process, and the keys are for others.
        """
        if 0 in self._terminal_fds and is_in_foreground():
            with suppressed(OSError, termios.error):  # it is gone
                tty.setraw(0, termios.TCSADRAIN)
                self._is_raw = True
        if self._controller >= 0:
            self.copy_size()

    def restore(self) -> None:
        """Restore the settings of the user's terminal."""
        if self._is_raw and is_in_foreground():
            with suppressed(termios.error):
                termios.tcsetattr(0, termios.TCSADRAIN, self._before)
        self._is_raw = False

    def copy_size(self) -> None:
        if self._controller >= 0:
            with suppressed(OSError):
                size = fcntl.ioctl(self._screen, termios.TIOCGWINSZ, bytes(8))
                fcntl.ioctl(self._controller, termios.TIOCSWINSZ, size)

    # -- the bytes -------------------------------------------------------------------

    def wait(self, waker: int) -> bool:
        """Copy in both directions until the waker is readable; False when the user's terminal is gone."""
        while self._controller >= 0:
            reads, writes = [waker, self._controller], []
            if self._typed:
                writes.append(self._controller)
            elif self._is_raw:
                reads.append(0)
            in_background = 0 in self._terminal_fds and not self._is_raw
            readable, writable, _errors = select.select(reads, writes, [], BACKGROUND_LOOK if in_background else None)
            if in_background:
                self.set_raw()
            if self._controller in readable:
                self.copy_output()
            if 0 in readable:
                typed = read_available(0)
                if typed == b"":
                    return False
                self._typed = typed or b""
            if writable:
                self._send()
            if waker in readable:
                break
        return True

    def copy_output(self) -> bool:
        """Copy the program's output; False at its end, or when the user's terminal is gone."""
        data = read_available(self._controller)
        more = data != b""
        while data:
            try:
                data = data[os.write(self._screen, data) :]
            except BlockingIOError:
                select.select([], [self._screen], [])
            except OSError:
                more, data = False, b""
        if not more:
            self.hang_up()
        return more

    def _send(self) -> None:
        try:
            self._typed = self._typed[os.write(self._controller, self._typed) :]
        except BlockingIOError:
            pass
        except OSError:
            self._typed = b""

    def copy_rest(self) -> None:
        """Copy the output that is left after the end of the program."""
        for _block in range(MAX_LAST_BLOCKS):
            if self._controller < 0 or not select.select([self._controller], [], [], 0)[0] or not self.copy_output():
                break

    def hang_up(self) -> None:
        """Close both ends: the kernel sends SIGHUP to the programs at this terminal."""
        if self._controller >= 0:
            os.close(self._controller)
            os.close(self.fd)
        self.fd = self._controller = -1


def is_pipe(fd: int) -> bool:
    mode = os.fstat(fd).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def is_in_foreground() -> bool:
    """Whether the shell of the user lets this process use the terminal. One that no shell controls is free for all."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return True


def read_available(fd: int) -> bytes | None:
    """Read what is available; None when there is nothing yet, empty at the end (an error on Linux)."""
    try:
        return os.read(fd, BLOCK)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def ignore_signal(_number: int, _frame: object) -> None:
    """Do nothing: the waker receives the signal's number."""


def run_at_new_terminal(terminal: Terminal, become: Callable[[], None]) -> int:
    """Become the program in a child process, and wait for it; return its exit status, as a shell has it.

    `become` calls attach() of the terminal first, and does not return.

    Directory Services are asked before: on macOS a forked process may not ask them.
    """
    waker, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in HANDLED:
        if number not in FORWARDED or signal.getsignal(number) != signal.SIG_IGN:  # the program is to ignore it, too
            signal.signal(number, ignore_signal)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)  # who called may block them, and then no wait would end
    child = os.fork()
    if child == 0:
        signal.set_wakeup_fd(-1)
        become()
    terminal.let_go()
    terminal.set_raw()
    try:
        return forward_until_exit(child, terminal, waker)
    finally:
        terminal.restore()


def forward_until_exit(child: int, terminal: Terminal, waker: int) -> int:
    """Forward bytes and signals until the process ends; return its exit status."""
    while True:
        for number in os.read(waker, BLOCK) if terminal.wait(waker) else bytes([signal.SIGHUP]):
            if number == signal.SIGHUP:
                terminal.hang_up()
            if number in FORWARDED:
                signal_child(child, number)
            elif number == signal.SIGCONT:
                terminal.set_raw()
            elif number == signal.SIGWINCH:
                terminal.copy_size()
        found, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
        if found and os.WIFSTOPPED(status):
            stop_like_child(child, terminal)
        elif found:
            terminal.copy_rest()
            return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def stop_like_child(child: int, terminal: Terminal) -> None:
    """Stop like the program, so that the user's shell continues; continue with it."""
    terminal.restore()
    os.kill(os.getpid(), signal.SIGTSTP)
    terminal.set_raw()
    signal_child(child, signal.SIGCONT)


def signal_child(child: int, number: int) -> None:
    """Send a signal to the program's process group."""
    with suppressed(OSError):
        try:
            os.killpg(child, number)
        except ProcessLookupError:  # it has no group of its own yet
            os.kill(child, number)
