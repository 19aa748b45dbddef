# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""The processes of a host: start its first one in namespaces of its own, end them all."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

from host import lower
from host.state import HERE, Host, StandinError, start_time, state_directory

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
FIRST_WITH_PROVENANCE = 13
NAMESPACES = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET


def as_xnu(host: Host) -> str:
    """What its kernel does as macOS does, as native/kernel.h reads it."""
    if not host.xnu:
        return ""
    return ",xnu,provenance" if int(host.macos.split(".")[0]) >= FIRST_WITH_PROVENANCE else ",xnu"


class Booting:
    """A host whose root is mounted and that waits for release()."""

    def __init__(self, host: Host, word: int) -> None:
        self.host, self._word = host, word

    @property
    def root(self) -> Path:
        """Its root as seen from the machine."""
        return Path(f"/proc/{self.host.pid}/root")

    def release(self) -> None:
        os.write(self._word, b"go\n")
        os.close(self._word)


def boot(host: Host) -> Booting:
    """Start the first process; returns when its root is mounted."""
    root = state_directory() / "lower" / host.lower
    log = host.directory / "console.log"
    word_read, word_write = os.pipe()
    ready_read, ready_write = os.pipe()
    facts = [host.arch, host.sip, host.hostname, as_xnu(host)]
    argv = [str(HERE / "host" / "boot.sh"), str(root), str(host.directory), *facts]
    host.pid = _spawn(argv, word_read, ready_write, log)
    host.started = start_time(host.pid)
    os.close(word_read)
    os.close(ready_write)
    with os.fdopen(ready_read) as answer:
        said = answer.readline()
    if said != "ready\n":
        os.close(word_write)
        tail = log.read_text(encoding="utf-8", errors="replace").strip()[-1000:]
        raise StandinError(f"{host.name} did not boot: {tail or 'no message'}")
    host.save()
    return Booting(host, word_write)


def _spawn(argv: list[str], stdin: int, stdout: int, log: Path) -> int:
    """Fork twice: the second child is process 1 of the new pid namespace. Returns its pid here."""
    report_read, report_write = os.pipe()
    middle = os.fork()
    if middle == 0:
        status = 1
        try:
            os.setsid()
            if ctypes.CDLL(None, use_errno=True).unshare(NAMESPACES) != 0:
                raise OSError(ctypes.get_errno(), "unshare")
            first = os.fork()
            if first == 0:
                _become(argv, stdin, stdout, log)
            os.write(report_write, str(first).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(report_write)
    os.waitpid(middle, 0)
    with os.fdopen(report_read) as report:
        text = report.read()
    if not text:
        raise StandinError("cannot make namespaces: unshare(2) was refused (is this a restricted container?)")
    return int(text)


def _become(argv: list[str], stdin: int, stdout: int, log: Path) -> None:
    error = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for fd, target in ((stdin, 0), (stdout, 1), (error, 2)):
        os.dup2(fd, target)
    os.closerange(3, 256)
    os.chdir("/")
    os.execve("/bin/sh", ["sh", *argv], {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})


def shut_down(host: Host, patience: float = 900.0) -> None:
    """Let launchd end its jobs, each within its ExitTimeOut, and itself. kill() ends what is left."""
    if host.running():
        with contextlib.suppress(ProcessLookupError):
            os.kill(host.pid, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and host.running():
        time.sleep(0.02)


def kill(host: Host, patience: float = 10.0) -> None:
    """End the first process, and with it all others; returns when its mounts are gone too."""
    if host.running():
        with contextlib.suppress(ProcessLookupError):
            os.kill(host.pid, signal.SIGKILL)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and (host.running() or _volume_in_use(host)):
        time.sleep(0.02)
    host.pid = host.started = 0


def _volume_in_use(host: Host) -> bool:
    """The loop device goes with the last mount of it, a moment after the processes."""
    image = str(host.directory / "jails.xfs")
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            if path.read_text(encoding="utf-8").strip().removesuffix(" (deleted)") == image:
                return True
    return False


def enter(host: Host, command: list[str]) -> int:
    """Run a command as root in the host, with the environment that root has there."""
    if not host.running():
        raise StandinError(f"{host.name} is not running: standin create {host.name}")
    environment = {
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": "/var/root",
        "USER": "root",
        "LOGNAME": "root",
        "SHELL": "/bin/sh",
        "TERM": os.environ.get("TERM", "dumb"),
    }
    argv = ["nsenter", "-t", str(host.pid), "-m", "-u", "-i", "-n", "-p", "-w", "--"]
    return subprocess.run([*argv, *(command or ["/bin/bash", "-l"])], env=environment, check=False).returncode


def lower_root() -> str:
    return lower.ensure().name
