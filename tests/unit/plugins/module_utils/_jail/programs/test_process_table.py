# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The processes of a jail: real ones on this system, and libproc's answers as xnu gives them."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs import process_table
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.process_table import (
    DarwinTable,
    Directory,
    LinuxTable,
    Process,
    Remembered,
    end_all,
    family,
    processes_below,
    processes_of,
    send,
)
from waiting import until

FSID = bytes(range(8))
BOOT = b"6F1C02AA-0000-4000-8000-123456789ABC"


@pytest.fixture
def sleeper(furnished: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        ["chroot", furnished, "/usr/bin/sleep", "50"], env={"MARK": "web", "PATH": os.environ["PATH"]}
    )
    until(lambda: [found.command for found in processes(furnished)] == ["sleep"])
    yield process
    process.kill()
    process.wait()


def processes(jail: Path) -> list[Process]:
    fd = os.open(jail, os.O_RDONLY)
    try:
        return processes_of(fd, str(jail))
    finally:
        os.close(fd)


def test_a_process_of_the_jail_is_found_with_what_it_uses(furnished: Path, sleeper: subprocess.Popen[bytes]) -> None:
    (found,) = processes(furnished)
    assert (found.pid, found.parent, found.uid, found.command) == (sleeper.pid, os.getpid(), 0, "sleep")
    assert abs(found.start - time.time()) < 30
    assert found.memory > 100_000
    assert found.cpu < 1


def test_a_process_of_the_mac_is_not_of_the_jail(furnished: Path) -> None:
    assert os.getpid() not in [process.pid for process in processes(furnished)]


def test_a_process_in_a_chroot_of_the_jail_is_of_the_jail(furnished: Path) -> None:
    inner = furnished / "scratch/inner"
    inner.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", furnished / "usr", furnished / "lib64", furnished / "lib", inner], check=False)
    with subprocess.Popen(["chroot", inner, "/usr/bin/sleep", "50"]) as process:
        try:
            until(lambda: process.pid in [found.pid for found in processes(furnished)])
        finally:
            process.kill()


def test_a_jail_whose_name_begins_alike_is_another(furnished: Path, sleeper: subprocess.Popen[bytes]) -> None:
    fd = os.open("/usr", os.O_RDONLY)
    try:
        assert not processes_of(fd, str(furnished)[:-1])
    finally:
        os.close(fd)


def test_a_family_has_the_mark_or_the_session_or_descends(furnished: Path) -> None:
    """Programs such as redis-server write a title over their environment, and others begin sessions of their own."""
    text = "setsid sh -c 'setsid env -i /usr/bin/sleep 51; true' & exec sleep 50"
    command = ["chroot", str(furnished), "/usr/bin/sh", "-c", text]
    table = LinuxTable()
    with subprocess.Popen(
        command, env={"MARK": "web", "PATH": "/usr/bin:/usr/sbin"}, start_new_session=True
    ) as process:
        until(lambda: [found.command for found in processes(furnished)].count("sleep") == 2)
        found = processes(furnished)
        leader = Remembered(process.pid, found[0].start)
        by_session = family(found, b"MARK=none", leader, table)
        by_mark = family(found, b"MARK=web", None, table)
        assert by_mark == found
        assert [one.command for one in by_session] == ["sleep", "sh", "sleep"]
        assert family(found, b"MARK=we", None, table) == []
        assert family(found, b"MARK=none", leader._replace(start=leader.start - 5), table) == [], "it got the id later"
        assert end_all(lambda: family(processes(furnished), b"MARK=web", leader, table), 15, 1, 9, table) == []
    assert not processes(furnished)


def test_a_process_that_ended_gets_no_signal(furnished: Path, sleeper: subprocess.Popen[bytes]) -> None:
    (found,) = processes(furnished)
    assert not send(found._replace(start=found.start - 5), signal.SIGKILL, LinuxTable())
    assert sleeper.poll() is None
    sleeper.kill()
    until(lambda: LinuxTable().process(sleeper.pid) is None)  # it is a zombie
    assert not processes(furnished)


def test_all_are_ended_that_others_start_meanwhile(furnished: Path) -> None:
    """Each one that gets SIGTERM starts another one, five times."""
    again = 'setsid sh -c \\"$2\\" sh $((n - 1)) \\"\\$2\\" & exit'
    text = f'n=$1; trap "{again}" TERM; while [ $n -gt 0 ]; do sleep 0.05; done'
    with subprocess.Popen(["chroot", furnished, "/usr/bin/sh", "-c", text, "sh", "5", text]) as process:
        until(lambda: processes(furnished))
        assert end_all(lambda: processes(furnished), signal.SIGTERM, 1.0, signal.SIGKILL, LinuxTable()) == []
        process.wait(5)
    assert not processes(furnished)


def test_a_directory_is_the_same_wherever_it_is_moved(furnished: Path, sleeper: subprocess.Popen[bytes]) -> None:
    table = LinuxTable()
    fd = os.open(furnished, os.O_RDONLY)
    root = table.identity(fd)
    os.close(fd)
    away = furnished.with_name("away")
    furnished.rename(away)
    try:
        assert [found.pid for found in processes_below([root], str(furnished), table)] == [sleeper.pid]
        assert processes_below([], str(furnished), table) == []
    finally:
        away.rename(furnished)


def vnode(inode: int, volume: bytes, path: bytes) -> bytes:
    """struct vnode_info_path."""
    return struct.pack("=IHHQ", 1, 0, 0, inode).ljust(144, b"\0") + volume + path.ljust(1024, b"\0")


class LibProc:
    """libproc and sysctl(3) as xnu answers: structures of its sizes, nothing for a process that ended."""

    def __init__(self) -> None:
        self.roots: dict[int, tuple[int, bytes, bytes]] = {}
        self.status: dict[int, int] = {}
        self.arguments: dict[int, bytes] = {}

    def proc_listallpids(self, buffer: Any, size: int) -> int:
        pids = sorted(self.roots)
        if buffer is None:
            return len(pids)
        for number, pid in enumerate(pids[: size // 4]):
            buffer[number] = pid
        return min(len(pids), size // 4)

    def proc_pidinfo(self, pid: int, kind: int, _argument: Any, buffer: Any, size: int) -> int:
        if pid not in self.roots:
            ctypes.set_errno(3)
            return 0
        answer = {3: self._bsd, 4: self._task, 9: self._vnodes}[kind](pid)
        if len(answer) > size:
            return 0
        buffer.raw = answer.ljust(size, b"\0")
        return len(answer)

    def _vnodes(self, pid: int) -> bytes:
        inode, volume, path = self.roots[pid]
        return vnode(2, FSID, b"/") + vnode(inode, volume, path)

    def _bsd(self, pid: int) -> bytes:
        head = struct.pack("=12I", 0, self.status.get(pid, 2), 0, pid, 1, 501, 20, 501, 20, 501, 20, 0)
        names = b"caddy".ljust(16, b"\0") + b"caddy-server".ljust(32, b"\0")
        return head + names + struct.pack("=6I2Q", 9, 77, 0, 0, 0, 0, 1_700_000_000, 500_000)

    def _task(self, _pid: int) -> bytes:
        return struct.pack("=4Q", 1 << 30, 5 << 20, 24_000_000, 24_000_000).ljust(96, b"\0")

    def sysctlbyname(self, name: bytes, value: Any, length: Any, _new: Any, _size: Any) -> int:
        if name == b"kern.bootsessionuuid":
            value.raw = BOOT + b"\0"
            return 0
        number = {b"hw.tbfrequency": 24_000_000, b"kern.argmax": 1 << 16}[name]
        value.raw = number.to_bytes(len(value.raw), "little")
        return 0

    def sysctl(self, name: Any, _count: int, buffer: Any, length: Any, _new: Any, _size: Any) -> int:
        text = self.arguments.get(name[2], b"")
        buffer[: len(text)] = text
        length._obj.value = len(text)
        return 0 if text else -1

    def fstatfs(self, _fd: int, buffer: Any) -> int:
        buffer[48:56] = FSID
        return 0


@pytest.fixture
def lib() -> LibProc:
    return LibProc()


def darwin(lib: LibProc) -> list[Process]:
    fd = os.open("/usr", os.O_RDONLY)
    try:
        return processes_of(fd, "/private/var/jails/dev", DarwinTable(lib, ctypes))
    finally:
        os.close(fd)


def test_on_macos_the_root_is_told_by_inode_and_volume(lib: LibProc) -> None:
    inode = os.stat("/usr").st_ino
    lib.roots = {
        10: (0, bytes(8), b""),  # not chrooted: all zero
        11: (inode, FSID, b"/private/var/jails/dev"),
        12: (inode, bytes(8), b"/Volumes/other/dev"),  # the number of another volume
        13: (99, FSID, b"/private/var/jails/dev2"),
        14: (98, FSID, b"/private/var/jails/dev/inner"),
        15: (inode, FSID, b"/private/var/jails/dev.former"),  # it was moved, and its processes went with it
    }
    assert [process.pid for process in darwin(lib)] == [11, 14, 15]
    table = DarwinTable(lib, ctypes)
    assert table.root(15) == (Directory(FSID.hex(), inode), "/private/var/jails/dev.former")
    assert [process.pid for process in processes_below([Directory(FSID.hex(), 99)], "/none", table)] == [13]


def test_on_macos_times_are_ticks_and_names_the_longer_ones(lib: LibProc) -> None:
    lib.roots = {11: (os.stat("/usr").st_ino, FSID, b"/x")}
    (found,) = darwin(lib)
    assert found == Process(11, 1_700_000_000.5, 1, 77, 501, "caddy-server", 2.0, 5 << 20)


def test_on_macos_a_process_that_ended_is_none(lib: LibProc) -> None:
    lib.roots = {11: (os.stat("/usr").st_ino, FSID, b"/x")}
    lib.status[11] = process_table.ZOMBIE
    assert darwin(lib) == []


def test_on_macos_the_environment_follows_the_arguments(lib: LibProc) -> None:
    lib.arguments[11] = struct.pack("=I", 2) + b"/bin/sh\0\0\0\0sh\0-c\0MARK=web\0PATH=/bin\0\0"
    found = DarwinTable(lib, ctypes).environment(11)
    assert b"MARK=web" in found
    assert b"-c" not in found
    assert DarwinTable(lib, ctypes).environment(12) == []


def test_each_boot_has_an_identity(lib: LibProc) -> None:
    assert DarwinTable(lib, ctypes).boot() == BOOT.decode()
    assert len(LinuxTable().boot()) == len(BOOT)
