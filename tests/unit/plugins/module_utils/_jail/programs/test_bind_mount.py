# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The program that keeps a mount, as a process of its own, with a real bindfs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.host import swap_names
from bindfs_mounts import PROGRAM, UMOUNT, is_mounted, lazy_unmount, needs_bindfs
from waiting import until


class Bench:
    """A jail, a directory of the Mac, and the program."""

    def __init__(self, folder: Path) -> None:
        self.jail, self.source = folder / "jail", folder / "source"
        self.point = self.jail / "mnt/point"
        self.point.mkdir(parents=True)
        self.source.mkdir()
        (self.source / "file").write_text("of the Mac")
        self.log, self.file = folder / "log", folder / "bind_mount.py"
        self.file.write_text(PROGRAM)
        self.processes: list[Any] = []

    def start(self, *options: str, bindfs: str | None = None) -> Any:
        command = [str(bindfs or shutil.which("bindfs")), *options]
        words = [str(self.jail), "mnt/point", str(self.source), *command]
        with self.log.open("ab") as log:
            process = subprocess.Popen([sys.executable, "-I", "-S", str(self.file), *words], stderr=log, cwd="/")
        self.processes.append(process)
        return process

    @property
    def mounted(self) -> bool:
        return is_mounted(self.point)

    @property
    def shows_the_file(self) -> bool:
        """Not so either while the mount is dead, which is an error to look at."""
        return os.path.exists(self.point / "file")

    def mounts(self) -> list[Path]:
        """Where something is mounted in this test: others may mount something meanwhile."""
        points = (Path(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines())
        return [point for point in points if self.jail.parent in point.parents]

    def says(self, text: str) -> bool:
        return text in self.log.read_text()

    def bindfs(self) -> int:
        """The process of the program's own bindfs."""
        children = Path(f"/proc/{self.processes[-1].pid}/task/{self.processes[-1].pid}/children")
        return int(until(lambda: children.read_text().split())[0])

    def close(self) -> None:
        for process in self.processes:
            process.terminate()
            process.wait(30)
        for point in self.mounts():
            lazy_unmount(point)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    needs_bindfs()
    made = Bench(tmp_path)
    yield made
    made.close()


def test_it_mounts_and_unmounts(bench: Bench) -> None:
    process = bench.start()
    until(lambda: bench.mounted)
    assert (bench.point / "file").read_text() == "of the Mac"
    (bench.point / "new").write_text("of the jail")
    assert (bench.source / "new").read_text() == "of the jail"
    process.terminate()
    assert process.wait(20) == 0
    assert not bench.mounted
    assert list(bench.point.iterdir()) == []


def test_options_reach_bindfs(bench: Bench) -> None:
    bench.start("-r", "--force-user=nobody", "--perms=a=rX")
    until(lambda: bench.mounted)
    with pytest.raises(OSError, match="Read-only"):
        (bench.point / "new").touch()
    assert oct((bench.point / "file").stat().st_mode) == "0o100444"
    assert (bench.point / "file").owner() == "nobody"


def test_one_in_use_is_unmounted_when_the_process_is_ended(bench: Bench) -> None:
    process = bench.start()
    until(lambda: bench.mounted)
    used = os.open(bench.point / "file", os.O_RDONLY)
    process.terminate()
    assert process.wait(15) == 0
    assert not bench.mounted
    with contextlib.suppress(OSError):
        os.close(used)


def test_a_mount_stays_until_the_services_of_the_jail_have_ended(bench: Bench, tmp_path: Path) -> None:
    """launchd ends all jobs at once when the Mac shuts down. A supervisor locks the directory of its job."""
    names = ("darwin.jail.a-1.mount.b-2", "darwin.jail.a-1.service.db", "darwin.jail.c-3.service.db")
    job, service, other = (tmp_path / "jobs" / name for name in names)
    for folder in (job, service, other):
        folder.mkdir(parents=True)
    bench.file = bench.file.rename(job / bench.file.name)
    process = bench.start()
    until(lambda: bench.mounted)
    with locked(other):
        with locked(service):
            process.terminate()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
            assert bench.shows_the_file
        assert process.wait(15) == 0
    assert not bench.mounted


def test_a_mount_that_hangs_holds_up_its_end_for_a_limited_time(bench: Bench, tmp_path: Path) -> None:
    umount = tmp_path / "umount"
    umount.write_text("#!/bin/sh\nexec sleep 30\n")
    umount.chmod(0o755)
    bench.file.write_text(PROGRAM.replace(UMOUNT, str(umount)).replace("STOP_TIMEOUT = 20", "STOP_TIMEOUT = 1"))
    process = bench.start()
    until(lambda: bench.mounted)
    bindfs = bench.bindfs()
    process.terminate()
    assert process.wait(10) == -signal.SIGALRM
    os.kill(bindfs, signal.SIGKILL)  # launchd ends the process group


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    fd = os.open(folder, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    yield
    os.close(fd)


@pytest.mark.parametrize("fault", ["unmounted", "killed"])
def test_a_mount_that_is_lost_comes_back(bench: Bench, fault: str) -> None:
    bench.start()
    until(lambda: bench.mounted)
    if fault == "unmounted":
        subprocess.check_call(["umount", str(bench.point)])
    else:
        os.kill(bench.bindfs(), signal.SIGKILL)
    until(lambda: bench.says("lost"))
    until(lambda: bench.mounted and bench.shows_the_file)


def test_one_that_a_killed_process_left_is_replaced(bench: Bench) -> None:
    first = bench.start()
    until(lambda: bench.mounted)
    child = bench.bindfs()
    first.kill()
    first.wait()
    bench.start()
    until(lambda: not Path(f"/proc/{child}").exists())
    until(lambda: bench.mounted and bench.shows_the_file)


def a_file(bench: Bench) -> None:
    (bench.point / "something").touch()


def a_symlink_at_the_end(bench: Bench) -> None:
    bench.point.rmdir()
    (bench.jail / "elsewhere").mkdir()
    bench.point.symlink_to(bench.jail / "elsewhere")


def a_symlink_on_the_way(bench: Bench) -> None:
    bench.point.parent.rename(bench.jail / "aside")
    bench.point.parent.symlink_to(bench.jail / "aside")


def no_source(bench: Bench) -> None:
    shutil.rmtree(bench.source)


def no_jail(bench: Bench) -> None:
    bench.jail.rename(bench.jail.with_name("aside"))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (a_file, "it is not empty"),
        (a_symlink_at_the_end, "Not a directory point"),
        (a_symlink_on_the_way, "Not a directory mnt"),
        (no_source, "No such file or directory source"),
        (no_jail, "No such file or directory jail"),
    ],
)
def test_what_is_in_the_way_is_said_once_and_waited_for(bench: Bench, spoil: Callable[[Bench], None], why: str) -> None:
    spoil(bench)
    before = bench.mounts()
    process = bench.start()
    until(lambda: bench.says(why))
    time.sleep(0.5)
    assert len(bench.log.read_text().splitlines()) == 1
    assert bench.mounts() == before
    if spoil is a_file:
        (bench.point / "something").unlink()
        until(lambda: bench.mounted)
    assert process.poll() is None


def test_a_bindfs_that_fails_is_told(bench: Bench) -> None:
    bench.start("--no-such-option")
    until(lambda: bench.says("bindfs ended with 1"))
    assert bench.says("no-such-option")


SLOW = """#!/bin/sh
# Gives a hostile hand all the time it wants between the look at the mount point and the mount itself.
while ! [ -e {go} ]; do sleep 0.05; done
exec {real} "$@"
"""


@pytest.mark.parametrize(
    ("component", "why"),
    [("mnt", "Not a directory mnt"), ("mnt/point", "it was replaced while something was mounted on it")],
)
def test_a_mount_point_that_is_swapped_under_way_ends_it(
    bench: Bench, tmp_path: Path, component: str, why: str
) -> None:
    """By a link to a directory of the Mac: nothing stays mounted there, and nothing that answers anywhere.

    bindfs can be ended in the instant in which it has mounted and handles no signal yet: then it leaves a dead mount.
    """
    victim = tmp_path / "victim/point" if component == "mnt" else tmp_path / "victim"
    victim.mkdir(parents=True)
    slow = tmp_path / "slow"
    slow.write_text(SLOW.format(go=tmp_path / "go", real=shutil.which("bindfs")))
    slow.chmod(0o755)
    bench.start(bindfs=str(slow))
    bench.bindfs()
    here = bench.jail / component
    here.with_name("aside").symlink_to(tmp_path / "victim")
    # In one step: between two there would be nothing, which is another reason.
    swap_names(os.fsencode(here), os.fsencode(here.with_name("aside")))
    (tmp_path / "go").touch()
    until(lambda: bench.says(why))
    until(lambda: not Path(f"/proc/{bench.processes[0].pid}/task/{bench.processes[0].pid}/children").read_text())
    assert [point for point in bench.mounts() if is_mounted(point)] == []
    assert not is_mounted(victim)


EXCHANGES = """#!/bin/sh
# The user whose directory it is exchanges it after the look at it: by a link, or by another directory.
mv {source} {source}.aside
{exchange}
exec {real} "$@"
"""


@pytest.mark.parametrize("exchange", ["ln -s {secret} {source}", "mv {secret} {source}"])
@pytest.mark.parametrize("options", [(), ("-r", "--force-user=nobody", "--perms=u+rwX")])
def test_a_source_that_is_exchanged_under_way_ends_it(
    bench: Bench, tmp_path: Path, exchange: str, options: tuple[str, ...]
) -> None:
    """Nothing stays mounted, and it is not tried again soon: the next time the exchange would come at once, too."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "shadow").touch()
    swap = tmp_path / "swap"
    told = exchange.format(secret=secret, source=bench.source)
    swap.write_text(EXCHANGES.format(source=bench.source, exchange=told, real=shutil.which("bindfs")))
    swap.chmod(0o755)
    process = bench.start(*options, bindfs=str(swap))
    until(lambda: bench.says("somebody exchanged the directory: nothing is mounted for 3600 seconds"))
    until(lambda: not Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
    assert bench.mounts() == []
    time.sleep(1)
    assert len(bench.log.read_text().splitlines()) == 1
    assert process.poll() is None


def test_a_source_that_changes_all_the_time_is_mounted(bench: Bench) -> None:
    busy = subprocess.Popen(["/bin/sh", "-c", f"while :; do : >{bench.source}/x; rm {bench.source}/x; done"])
    try:
        bench.start()
        until(lambda: bench.mounted and bench.says("mounted"))
    finally:
        busy.kill()
        busy.wait()


UNHANDLED = """

# The signal comes in a thread of its own: the first one, which waits for bindfs, is not woken by it.
import threading
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
def handle():
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    time.sleep(3600)
threading.Thread(target=handle, daemon=True).start()
main()
"""


def test_a_signal_that_wakes_nobody_ends_it_all_the_same(bench: Bench) -> None:
    """So is one that comes in the instant before the program begins to wait, which no test can hit."""
    bench.file.write_text(PROGRAM.removesuffix("main()\n") + UNHANDLED)
    process = bench.start()
    until(lambda: bench.says("mounted"))
    time.sleep(0.3)
    process.terminate()
    assert process.wait(10) == 0
    assert not bench.mounted


LATE = """

# This process learns late that bindfs was started, as on a busy machine.
class Late(subprocess.Popen):
    def __init__(self, command, **options):
        super().__init__(command, **options)
        if "-f" in command and "." in command:
            time.sleep(3)
subprocess.Popen = Late
main()
"""


def test_a_signal_while_bindfs_is_started_unmounts_it(bench: Bench) -> None:
    bench.file.write_text(PROGRAM.removesuffix("main()\n") + LATE)
    process = bench.start()
    until(lambda: bench.mounted)
    process.terminate()
    assert process.wait(15) == 0
    assert not bench.mounted
