# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes whose root directory is a jail.

macOS tells the root of each process by proc_pidinfo(PROC_PIDVNODEPATHINFO): inode, volume and path; it is all zero for
a process that did not call chroot(2) (xnu bsd/sys/proc_info.h, bsd/kern/proc_info.c, proc_pidvnodepathinfo). The path
is as the caller sees it and follows renames. Linux tells the root by /proc/PID/root. Root may ask for all processes.

A process id is given again. So a process is its id and the time it was started, and is looked at once more before it
gets a signal. Cost: one call for each process of the Mac, and three more for each of the jail.

It is put into one file with other programs (bundle.py), and needs nothing but Python's standard library.
"""

from __future__ import annotations

import os
import signal
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

# sys/proc_info.h
PROC_PIDTBSDINFO, PROC_PIDTASKINFO, PROC_PIDVNODEPATHINFO = 3, 4, 9
BSD_INFO, TASK_INFO, ROOT_INFO = 136, 96, 2352
"""Bytes of the three answers. Another size is another structure."""
ROOT_INODE, ROOT_VOLUME, ROOT_PATH = 1184, 1320, 1328
BSD_STATUS, BSD_COMMAND, BSD_NAME, BSD_GROUP, BSD_START = 4, 48, 64, 100, 120
"""From the status on: status, exit status, process id, parent, user. The start is seconds, then microseconds."""
TASK_MEMORY, TASK_TIMES = 8, 16
"""The times are that of the user, then that of the system."""
STATFS_VOLUME = 48
"""f_fsid in struct statfs (sys/mount.h), 8 bytes."""
ZOMBIE = 5
"""pbi_status of a process that ended (sys/proc.h, SZOMB)."""
CTL_KERN, KERN_PROCARGS2 = 1, 49

CLOCK = 2.0
"""Seconds by which two looks at the start of a process may differ: Linux tells it since the boot, whose time moves when
the clock is corrected. No id is given again so soon."""

PASSES = 20
"""How often to look for processes that others of them start meanwhile."""
PAUSE = 0.05


class Directory(NamedTuple):
    """The identity of a directory, which stays when it is renamed."""

    volume: str
    """f_fsid on macOS and st_dev on Linux, in hexadecimal digits."""
    inode: int


class Process(NamedTuple):
    """A process of a jail."""

    pid: int
    start: float
    """Seconds since 1970."""
    parent: int
    group: int
    uid: int
    command: str
    """The name of its program, at most 32 characters on macOS and 15 on Linux."""
    cpu: float
    """Processor seconds."""
    memory: int
    """Resident bytes."""

    def is_same(self, other: Process | None) -> bool:
        return other is not None and (other.pid, other.start) == (self.pid, self.start)


class Remembered(NamedTuple):
    """A process as a file remembers it. Its id may be that of another process now, which started at another time."""

    pid: int
    start: float
    """Seconds since 1970."""

    def is_same(self, found: Process | None) -> bool:
        return found is not None and found.pid == self.pid and abs(found.start - self.start) < CLOCK

    def may_lead(self, source: LinuxTable | DarwinTable) -> bool:
        """Whether the session of this id may be that of the process: its id is not given again while one is in it."""
        found = source.process(self.pid)
        return found is None or self.is_same(found)


class LinuxTable:
    """/proc, see proc(5)."""

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        self._ticks = os.sysconf("SC_CLK_TCK")
        self._page = os.sysconf("SC_PAGE_SIZE")
        self._boot = self._boot_time()

    def _boot_time(self) -> float:
        with open(f"{self._proc}/stat", encoding="ascii") as file:
            return next(float(line.split()[1]) for line in file if line.startswith("btime "))

    def pids(self) -> list[int]:
        return [int(name) for name in os.listdir(self._proc) if name.isdigit()]

    def root(self, pid: int) -> tuple[Directory, str] | None:
        """The root of a process and its path, as this process sees it; None when the process ended."""
        link = f"{self._proc}/{pid}/root"
        try:
            return _on_device(os.stat(link)), os.readlink(link)
        except OSError:
            return None

    def process(self, pid: int) -> Process | None:
        try:
            with open(f"{self._proc}/{pid}/stat", encoding="utf-8", errors="replace") as file:
                line = file.read()
            uid = os.stat(f"{self._proc}/{pid}").st_uid
        except OSError:
            return None
        command = line[line.index("(") + 1 : line.rindex(")")]
        fields = line[line.rindex(")") + 2 :].split()
        if fields[0] in "ZX":
            return None
        start = self._boot + int(fields[19]) / self._ticks
        cpu = (int(fields[11]) + int(fields[12])) / self._ticks
        return Process(pid, start, int(fields[1]), int(fields[2]), uid, command, cpu, int(fields[21]) * self._page)

    def environment(self, pid: int) -> list[bytes]:
        try:
            with open(f"{self._proc}/{pid}/environ", "rb") as file:
                return file.read().split(b"\0")
        except OSError:
            return []

    @staticmethod
    def identity(fd: int) -> Directory:
        return _on_device(os.fstat(fd))

    def boot(self) -> str:
        """The identity of this start of the system. Process ids of another one say nothing."""
        with open(f"{self._proc}/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()


class DarwinTable:
    """libproc and sysctl(3) of libSystem. Without System Integrity Protection, environments are told to root."""

    def __init__(self, libc: Any, ctypes: Any) -> None:
        self._libc, self._ctypes = libc, ctypes
        self._seconds = 1 / self._number(b"hw.tbfrequency", 8)
        """Of a tick: 41.67 ns on Apple silicon. mach_timebase_info(3) says 1 ns to a program under Rosetta."""
        self._most = self._number(b"kern.argmax", 4)

    def _number(self, name: bytes, size: int) -> int:
        return int.from_bytes(self._value(name, size), "little")

    def _value(self, name: bytes, size: int) -> bytes:
        value, length = self._ctypes.create_string_buffer(size), self._ctypes.c_size_t(size)
        if self._libc.sysctlbyname(name, value, self._ctypes.byref(length), None, self._ctypes.c_size_t(0)):
            raise OSError(self._ctypes.get_errno(), f"sysctl {name.decode()}")
        found: bytes = value.raw[: length.value]
        return found

    def boot(self) -> str:
        """The identity of this start of the Mac. Process ids of another one say nothing."""
        return self._value(b"kern.bootsessionuuid", 64).split(b"\0", 1)[0].decode("ascii")

    def pids(self) -> list[int]:
        """The count that is returned includes processes that ended; new ones may come in between."""
        count = self._libc.proc_listallpids(None, 0) + 64
        numbers = (self._ctypes.c_int * count)()
        found = self._libc.proc_listallpids(numbers, self._ctypes.sizeof(numbers))
        return [pid for pid in numbers[: max(found, 0)] if pid > 0]

    def _info(self, pid: int, kind: int, size: int) -> bytes | None:
        answer = self._ctypes.create_string_buffer(size)
        done = self._libc.proc_pidinfo(pid, kind, self._ctypes.c_uint64(0), answer, size)
        return answer.raw if done == size else None

    def root(self, pid: int) -> tuple[Directory, str] | None:
        """The root of a process and its path, as this process sees it; None when the process ended."""
        found = self._info(pid, PROC_PIDVNODEPATHINFO, ROOT_INFO)
        if found is None:
            return None
        (inode,) = struct.unpack_from("=Q", found, ROOT_INODE)
        path = os.fsdecode(found[ROOT_PATH:].split(b"\0", 1)[0])
        return Directory(found[ROOT_VOLUME : ROOT_VOLUME + 8].hex(), inode), path

    def process(self, pid: int) -> Process | None:
        info, task = self._info(pid, PROC_PIDTBSDINFO, BSD_INFO), self._info(pid, PROC_PIDTASKINFO, TASK_INFO)
        if info is None or task is None:
            return None
        status, _exit, number, parent, uid = struct.unpack_from("=5I", info, BSD_STATUS)
        (group,) = struct.unpack_from("=I", info, BSD_GROUP)
        seconds, microseconds = struct.unpack_from("=QQ", info, BSD_START)
        (memory,) = struct.unpack_from("=Q", task, TASK_MEMORY)
        ticks = sum(struct.unpack_from("=QQ", task, TASK_TIMES))
        names = (info[BSD_NAME : BSD_NAME + 32], info[BSD_COMMAND:BSD_NAME])  # the longer one is empty for some
        command = next((name.split(b"\0", 1)[0].decode("utf-8", "replace") for name in names if name[:1] != b"\0"), "")
        if status == ZOMBIE or number != pid:
            return None
        start, cpu = seconds + microseconds / 1e6, ticks * self._seconds
        return Process(pid, start, parent, group, uid, command, cpu, memory)

    def environment(self, pid: int) -> list[bytes]:
        """What follows the arguments: their count, the program's path, zeros, the arguments, the environment."""
        wanted = (self._ctypes.c_int * 3)(CTL_KERN, KERN_PROCARGS2, pid)
        data, length = self._ctypes.create_string_buffer(self._most), self._ctypes.c_size_t(self._most)
        if self._libc.sysctl(wanted, 3, data, self._ctypes.byref(length), None, self._ctypes.c_size_t(0)):
            return []
        text: bytes = data.raw[: length.value]
        count = int.from_bytes(text[:4], "little")
        words = text[4:].split(b"\0", 1)[-1].lstrip(b"\0").split(b"\0")
        return words[count:]

    def identity(self, fd: int) -> Directory:
        """Volumes may share one st_dev, and f_fsid tells them apart (docs/macos.md)."""
        found = self._ctypes.create_string_buffer(4096)
        name = "fstatfs$INODE64" if hasattr(self._libc, "fstatfs$INODE64") else "fstatfs"
        if getattr(self._libc, name)(fd, found):
            raise OSError(self._ctypes.get_errno(), "fstatfs")
        return Directory(found.raw[STATFS_VOLUME : STATFS_VOLUME + 8].hex(), os.fstat(fd).st_ino)


def _on_device(status: os.stat_result) -> Directory:
    return Directory(f"{status.st_dev:x}", status.st_ino)


def table() -> LinuxTable | DarwinTable:
    """The table of the system at hand."""
    import ctypes  # noqa: PLC0415 (takes 10 ms, and not all programs look at processes)

    libc = ctypes.CDLL(None, use_errno=True)
    return DarwinTable(libc, ctypes) if hasattr(libc, "proc_pidinfo") else LinuxTable()


def processes_of(jail: int, path: str, source: LinuxTable | DarwinTable | None = None) -> list[Process]:
    """The processes whose root is an open directory or lies below it, by their ids."""
    source = source or table()
    return processes_below([source.identity(jail)], path, source)


def processes_below(roots: Sequence[Directory], path: str, source: LinuxTable | DarwinTable) -> list[Process]:
    """The processes whose root is one of the directories, wherever these are now, or lies below the path."""

    def is_below(pid: int) -> bool:
        found = source.root(pid)
        return found is not None and (found[0] in roots or f"{found[1]}/".startswith(path + "/"))

    return sorted(process for process in map(source.process, filter(is_below, source.pids())) if process)


def send(process: Process, number: int, source: LinuxTable | DarwinTable) -> bool:
    """Send a signal to a process if it is still the same; whether it was."""
    if not process.is_same(source.process(process.pid)):
        return False
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)
        return True
    return False


def end_all(
    wanted: Callable[[], list[Process]], number: int, timeout: float, kill: int, source: LinuxTable | DarwinTable
) -> list[Process]:
    """Send a signal to processes, and after the timeout in seconds SIGKILL; those that are left, mostly none.

    `wanted` looks for them. It is asked until it twice finds none, since what ends can start others. Before SIGKILL all
    are stopped, for of those that start others faster than they are found, each one that ends makes room for more.
    """
    deadline = time.monotonic() + timeout
    told: set[tuple[int, float]] = set()
    quiet = passes = 0
    found: list[Process] = []
    while quiet < 2 and passes < PASSES:
        found = wanted()
        quiet = quiet + 1 if not found else 0
        late = time.monotonic() >= deadline
        passes += late
        if late:
            found = _freeze(wanted, source)
        for process in found:
            if late or (process.pid, process.start) not in told:
                told.add((process.pid, process.start))
                with suppress(PermissionError):
                    send(process, kill if late else number, source)
        if found:
            time.sleep(PAUSE)
    return found


def _freeze(wanted: Callable[[], list[Process]], source: LinuxTable | DarwinTable) -> list[Process]:
    """Send SIGSTOP to processes until a look finds no other ones; those that were found last."""
    stopped: set[tuple[int, float]] = set()
    for _number in range(PASSES):
        found = wanted()
        others = [process for process in found if (process.pid, process.start) not in stopped]
        if not others:
            break
        for process in others:
            stopped.add((process.pid, process.start))
            with suppress(PermissionError):
                send(process, signal.SIGSTOP, source)
    return found


def family(
    found: list[Process], mark: bytes, leader: Remembered | None, source: LinuxTable | DarwinTable
) -> list[Process]:
    """Those that have a word in their environment, belong to the session of a process, or descend from such ones.

    No one sign is enough: a program may overwrite its environment to show a title, or begin a session of its own.
    """
    led = leader.pid if leader and leader.may_lead(source) else None
    own = {process.pid for process in found if mark in source.environment(process.pid) or session(process.pid) == led}
    while True:
        more = {process.pid for process in found if process.parent in own} - own
        if not more:
            return [process for process in found if process.pid in own]
        own |= more


def session(pid: int) -> int:
    """The leader of a process's session; -1 when it ended."""
    try:
        return os.getsid(pid)
    except OSError:
        return -1
