# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Many processes do what one does, and tell it once."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import time
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import JailError
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.apply import walk, worker_pool
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.apply.install import Installer
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.apply.task import Task
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec.desired_tree import DirListing
from built_jails import Make


@pytest.fixture
def wide(source: Path) -> Path:
    """A source that several workers are started for, uneven, with files of several names."""
    for number in range(120):
        folder = source / f"usr/lib/part{number % 7}/{number}"
        folder.mkdir(parents=True)
        for name in range(number % 9):
            (folder / f"file{name}").write_text(str(number))
        os.link(source / "usr/bin/git", folder / "git")
    deep = source / "usr/deep"
    for number in range(40):
        deep /= str(number)
    deep.mkdir(parents=True)
    return source


@pytest.mark.parametrize("options", [{}, {"verify": "full"}], ids=["metadata", "full"])
def test_a_run_opens_each_directory_once(
    make: Make, source: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, str]
) -> None:
    """Those of the source and of the jail, whatever the paths to them; and with `full` both files of each pair."""
    folders = [source / f"usr/lib/{one}/{two}/{three}" for one in "abc" for two in "abc" for three in "abc"]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "file").write_text("a")
    make("/usr/lib/", workers=1)
    opened, real = [], os.open

    def count(path: bytes, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        opened.append(path)
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", count)
    assert not make("/usr/lib/", workers=1, **options).changed
    directories = 3 + 9 + 27
    assert sum(path in (b"a", b"b", b"c") for path in opened) <= 2 * directories + 9
    assert opened.count(b"file") == (2 * 27 if options else 0)


def test_a_run_that_goes_down_by_descriptors_needs_few(make: Make, wide: Path) -> None:
    """A Mac gives a process 256 of them; a directory that is made of many has one more."""
    for number in range(40):
        (wide / f"opt/{number}/{'/'.join('abcdefghij')}").mkdir(parents=True)
        (wide / f"opt/{number}/a/b/{number}").write_text("b")
    entries = ["/usr/", *({"src": f"/opt/{number}/", "dest": "/opt"} for number in range(40))]
    for number in range(30):
        (wide / f"usr/{'/'.join(map(str, range(number)))}").mkdir(parents=True, exist_ok=True)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, before[1]))
    try:
        make(*entries, workers=2)
        assert not make(*entries, workers=2, verify="full").changed
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("count", [2, 3, 8])
def test_the_same_jail_and_the_same_report(make: Make, place: Path, wide: Path, count: int) -> None:
    alone = make("/usr/", workers=1, jail=str(place / "one"))
    many = make("/usr/", workers=count)
    for result in (alone, many):
        result.values["stats"].pop("seconds")
    assert many.values == alone.values
    assert (many.diff, many.warnings) == (alone.diff, alone.warnings)
    assert (place / "jail/usr/bin/git").stat().st_nlink == 121
    state = "private/var/db/darwin.jail/record.mtree"
    assert (place / "jail" / state).read_bytes() == (place / "one" / state).read_bytes()
    assert not make("/usr/", workers=count).changed


def test_what_is_noted_before_and_after_the_workers_is_told_once(
    make: Make, wide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the parent, in a worker, and for a file with several names, which comes last."""
    original = Installer._file

    def file(self: Installer, fd: int, name: bytes, want: object, path: bytes) -> bool:
        if path in (b"first", b"usr/lib/part0/7/file1") or path == b"usr/bin/git":
            self.warnings.append(path.decode())
            self.cloned += 1000
        return original(self, fd, name, want, path)  # type: ignore[arg-type]

    monkeypatch.setattr(Installer, "_file", file)
    (wide / "first").touch()
    result = make("/first", "/usr/", workers=4)
    assert sorted(result.warnings) == ["first", "usr/bin/git", "usr/lib/part0/7/file1"]
    assert result.values["stats"]["bytes_cloned"] == 3000


def test_few_directories_are_dealt_with_alone(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise AssertionError("a process was started")

    monkeypatch.setattr(os, "fork", fork)
    make("/usr/", workers=4)


def test_one_wide_directory_is_worth_more_processes(make: Make, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one of them is filled, others go on; how large a directory is depends on the file system."""
    for number in range(3000):
        (source / f"usr/bin/file{number}").touch()
    forked, original = list[int](), os.fork

    def fork() -> int:
        pid = original()
        forked.append(pid)
        return pid

    monkeypatch.setattr(os, "fork", fork)
    make("/usr/", workers=2)
    assert len(forked) == 2


def test_workers_put_small_directories_in_place_together(
    make: Make, place: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        (source / f"usr/share/{number // 5}/{number}").mkdir(parents=True)
    log, original = os.open(place / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), Installer.rename_into_place

    def rename(installer: Installer, staged: bytes, path: bytes, parent: int) -> None:
        os.write(log, path + b"\n")
        original(installer, staged, path, parent)

    monkeypatch.setattr(Installer, "rename_into_place", rename)
    made = make("/usr/", workers=2).values["stats"]["directories"]
    os.close(log)
    assert made > 360
    assert (place / "log").read_bytes().count(b"\n") < made / 3
    assert not make("/usr/").changed


@pytest.mark.parametrize("verify", ["quick", "full"])
def test_large_files_are_dealt_with_while_others_go_on(
    make: Make, place: Path, source: Path, monkeypatch: pytest.MonkeyPatch, verify: str
) -> None:
    """By a process of their own, though there is nothing else that is worth one."""
    monkeypatch.setattr(walk, "LARGE", 1 << 17, raising=False)
    (source / "usr/large").mkdir()
    (source / "usr/large/file").write_bytes(b"much" * (1 << 16))
    if verify == "full":
        make("/usr/")
    forked, original = list[int](), os.fork

    def fork() -> int:
        pid = original()
        forked.append(pid)
        return pid

    monkeypatch.setattr(os, "fork", fork)
    result = make("/usr/", workers=2, verify=verify)
    assert len(forked) == 2
    assert result.changed is (verify == "quick")
    monkeypatch.undo()
    for again in ("quick", "full"):
        assert not make("/usr/", workers=1, verify=again).changed
    assert (place / "jail/usr/large/file").read_bytes() == (source / "usr/large/file").read_bytes()
    alone = make("/usr/", workers=1, jail=str(place / "one"))
    assert alone.values["jail_bytes"] == result.values["jail_bytes"]


def test_a_large_file_that_grows_whenever_it_is_looked_at_is_copied(
    make: Make, place: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody writes to it all the time, as root of the jail that is cloned may."""
    monkeypatch.setattr(walk, "LARGE", 1 << 17)
    large = source / "usr/large/file"
    large.parent.mkdir()
    large.write_bytes(b"much" * (1 << 16))
    original, looks = walk.Walker._refuse_large, list[int]()

    def look(walker: walk.Walker, listing: DirListing) -> None:
        if b"file" in listing.statuses:
            looks.append(large.stat().st_size)
            os.truncate(large, looks[-1] + 1)
            assert len(looks) < 20
        original(walker, listing)

    monkeypatch.setattr(walk.Walker, "_refuse_large", look)
    make("/usr/large/", workers=1)
    assert (place / "jail/usr/large/file").stat().st_size > 1 << 17


@pytest.mark.parametrize("processes", [0, 1, 2])
def test_where_no_more_processes_can_be_started_fewer_do(
    make: Make, place: Path, wide: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    left = [os.fork] * processes
    here = len(os.listdir("/dev/fd"))

    def fork() -> int:
        if not left:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return left.pop()()

    monkeypatch.setattr(os, "fork", fork)
    make("/usr/", workers=4)
    assert left == []
    assert len(os.listdir("/dev/fd")) == here
    monkeypatch.undo()
    assert not make("/usr/").changed
    assert (place / "jail/usr/lib/part3/38/file1").read_text() == "38"


def test_an_unforeseen_error_in_a_worker_is_told_with_its_traceback(
    make: Make, wide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> None:
        raise KeyError("unforeseen")

    before = children()
    monkeypatch.setattr(worker_pool, "_work", broken)
    with pytest.raises(RuntimeError, match=r"(?s)in a worker process:.*KeyError: 'unforeseen'"):
        make("/usr/", workers=2)
    assert children() <= before


@pytest.mark.parametrize("after", [0, 5, 40])
def test_a_worker_that_is_killed_at_work_ends_the_run_at_once(
    make: Make, wide: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(walk, "MAX_ROOM", 1)  # as many tasks as directories
    parent, carried, before = os.getpid(), [], children()
    original = walk.Walker.carry_out

    def carry_out(self: walk.Walker, task: Task) -> list[Task]:
        carried.append(task)
        if os.getpid() != parent and len(carried) > after:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, task)

    monkeypatch.setattr(walk.Walker, "carry_out", carry_out)
    started = time.monotonic()
    with pytest.raises(JailError, match=r"^worker process \d+ died before its work was done .*: run again"):
        make("/usr/", workers=3)
    assert time.monotonic() - started < 5
    assert children() <= before
    monkeypatch.undo()
    assert make("/usr/", workers=3).changed
    assert not make("/usr/").changed


def test_workers_of_a_killed_parent_end_themselves(make: Make, place: Path, wide: Path) -> None:
    """Each at its next directory; the lock ends with the last of them."""
    original = walk.Walker.carry_out
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        parent = os.getpid()

        def carry_out(self: walk.Walker, task: Task) -> list[Task]:
            if os.getpid() != parent:
                os.write(writer, b"%d\n" % os.getpid())
                time.sleep(0.1)
            return original(self, task)

        walk.Walker.carry_out = carry_out  # type: ignore[method-assign]
        make("/usr/", workers=3)
        os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as told:
        first = {told.readline() for _worker in range(3)}
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        later = told.read().splitlines()  # until the last one has ended
    assert 1 <= len(first) <= 3
    assert len(later) <= 6
    make("/usr/")


def children() -> set[str]:
    """The processes that this one started, by number, ended ones that nobody waited for included."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_link_that_vanishes_is_an_error_with_a_path(
    make: Make, wide: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    link, real = wide / "usr/lib/part0/7/link", os.readlink
    link.symlink_to("file1")

    def readlink(name: bytes, *, dir_fd: int | None = None) -> bytes:
        if name == b"link":
            link.unlink(missing_ok=True)
        return real(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "readlink", readlink)
    with pytest.raises(JailError, match=r"cannot create .*/jail/usr/lib/part0/7: No such file or directory"):
        make("/usr/", workers=workers)


def test_a_status_that_cannot_be_read_while_a_directory_is_cleared_is_an_error_with_a_path(
    make: Make, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what is neither file nor link: a large directory is cleared in a task of its own."""
    old, real = source / "usr/lib/old", os.stat
    old.mkdir(parents=True)
    os.mkfifo(old / "fifo")
    for number in range(1200):
        (old / f"{number:064}").touch()
    make("/usr/", workers=1)
    shutil.rmtree(old)

    def status(name: bytes, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
        if name == b"fifo":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(name, dir_fd=dir_fd, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(os, "stat", status)
    with pytest.raises(JailError, match=r"cannot compare .*/jail/usr/lib/old: Input/output error"):
        make("/usr/", workers=1)


def test_each_of_the_directories_in_one_with_large_files_is_a_task(
    make: Make, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those whose files are large, too: one process would compare all of them, and the others none."""
    for folder in (source / "usr/lib/large", *(source / f"usr/lib/large/{number}" for number in range(20))):
        folder.mkdir(parents=True)
        (folder / "file").write_text("x" * 500)
    monkeypatch.setattr(walk, "LARGE", 100)
    sizes, real = list[int](), walk.Walker.carry_out

    def carry_out(walker: walk.Walker, task: Task) -> list[Task]:
        sizes.append(task.size)
        return real(walker, task)

    monkeypatch.setattr(walk.Walker, "carry_out", carry_out)
    make("/usr/", workers=1)
    assert sizes.count(500) >= 21
    sizes.clear()
    assert not make("/usr/", workers=1, verify="full").changed
    assert sizes.count(500) >= 21
