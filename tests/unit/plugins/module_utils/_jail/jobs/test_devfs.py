# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""devfs is mounted once, and kept. The program that keeps it and the mounts are real; what is mounted is a tmpfs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.jobs import devfs
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos import launchd, third_party
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import mounts
from bindfs_mounts import UMOUNT, lazy_unmount
from launchctl import Launchctl
from mac_programs import MOUNT, devfs_program
from waiting import until


class Bench:
    """A jail with a /dev, and launchd."""

    def __init__(self, folder: Path, launchctl: Launchctl) -> None:
        self.folder, self.launchctl = folder, launchctl
        self.jail, self.dev, self.block = folder / "jail", folder / "jail/dev", folder / "block"
        jails.create(os.fsencode(self.jail)).close()
        self.dev.mkdir()

    def ensure(self, state: str = "present", check: bool = False, timeout: float = 10) -> Result:
        return devfs.ensure(str(self.jail), state, sys.executable, timeout, check)

    def mounted(self) -> int:
        return sum(mount.point == os.fsencode(self.dev) for mount in mounts.mounts_below(os.fsencode(self.jail)))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    text = devfs_program(tmp_path)
    monkeypatch.setattr(devfs, "program", lambda *_modules, call: text)
    monkeypatch.setattr(devfs, "SELF_REPAIR_SECONDS", 0.5)
    monkeypatch.setattr(third_party, "require_root_owned", lambda program: None)
    monkeypatch.setattr(mounts, "UMOUNT", UMOUNT)
    launchctl = Launchctl(tmp_path)
    launchctl.install(tmp_path, monkeypatch)
    made = Bench(tmp_path, launchctl)
    yield made
    launchctl.close()
    lazy_unmount(made.dev)


def log(bench: Bench) -> str:
    return next((bench.folder / "private/var/log/darwin.jail").iterdir()).read_text()


def test_check_real_check_real_and_back(bench: Bench) -> None:
    predicted = bench.ensure(check=True)
    assert (predicted.changed, bench.mounted()) == (True, 0)
    done = bench.ensure()
    assert (done.changed, done.diff, done.values["mounted"]) == (True, predicted.diff, True)
    for check in (True, False):
        assert not bench.ensure(check=check).changed
    assert bench.mounted() == 1
    predicted = bench.ensure("absent", check=True)
    assert bench.mounted() == 1
    done = bench.ensure("absent")
    assert (done.diff, predicted.diff[0]) == (predicted.diff, "- devfs on /dev")
    assert (bench.mounted(), bench.launchctl.loaded, launchd.labels("darwin.jail.")) == (0, {}, [])
    assert not bench.ensure("absent").changed


def test_what_somebody_mounted_is_neither_covered_nor_doubled(bench: Bench) -> None:
    subprocess.check_call([*MOUNT, bench.dev])
    bench.ensure()
    assert bench.mounted() == 1
    subprocess.check_call([UMOUNT, "-f", bench.dev])
    until(lambda: bench.mounted() == 1)
    time.sleep(0.5)  # the job looks five times
    assert bench.mounted() == 1
    subprocess.check_call([*MOUNT, bench.dev])
    assert bench.ensure().diff == ["- devfs on /dev (mounted more than once)"]
    assert bench.mounted() == 1


def test_the_job_repairs_what_is_unmounted_or_killed(bench: Bench) -> None:
    bench.ensure()
    subprocess.check_call([UMOUNT, "-f", bench.dev])
    until(lambda: bench.mounted() == 1)
    until(lambda: log(bench).count("mounted devfs on") == 2)  # it says so again
    (process,) = bench.launchctl.loaded.values()
    process.kill()
    process.wait()
    subprocess.check_call([UMOUNT, "-f", bench.dev])
    assert bench.ensure().diff[0].endswith("(restarted, for devfs is not mounted)")
    assert bench.mounted() == 1
    until(lambda: log(bench).count("mounted devfs on") == 3)


def test_a_jail_that_comes_late_is_waited_for(bench: Bench) -> None:
    aside = bench.folder / "aside"
    bench.ensure()
    subprocess.check_call([UMOUNT, "-f", bench.dev])
    until(lambda: bench.mounted() == 1)
    bench.block.touch()
    subprocess.check_call([UMOUNT, "-f", bench.dev])
    until(lambda: "cannot mount devfs" in log(bench))
    bench.jail.rename(aside)
    until(lambda: "No such file or directory" in log(bench))
    bench.block.unlink()
    aside.rename(bench.jail)
    until(lambda: bench.mounted() == 1)


def test_a_job_that_fails_says_why(bench: Bench) -> None:
    bench.block.touch()
    with pytest.raises(
        OperationError, match=r"not mounted after 1 seconds.*its job says: .*cannot mount.*mount_devfs: no"
    ):
        bench.ensure(timeout=1)


def test_a_link_in_the_place_of_dev_is_not_followed(bench: Bench) -> None:
    outside = bench.folder / "outside"
    outside.mkdir()
    bench.ensure()
    bench.block.touch()
    subprocess.check_call([UMOUNT, "-f", bench.dev])
    bench.dev.rmdir()
    bench.dev.symlink_to(outside)
    bench.block.unlink()
    until(lambda: "Not a directory dev" in log(bench) or "Too many levels" in log(bench))
    assert not os.path.ismount(outside)
    with pytest.raises(InputError, match=r"jail/dev is a symbolic link: remove it"):
        bench.ensure()


def test_what_is_in_use_stays_and_its_job_too(bench: Bench) -> None:
    bench.ensure()
    with (bench.dev / "open").open("w"):
        with pytest.raises(OperationError, match=r"cannot unmount .*dev.*busy.*end the programs"):
            bench.ensure("absent")
        assert (bench.mounted(), len(bench.launchctl.loaded)) == (1, 1)
    assert bench.ensure("absent").changed


def test_something_else_on_dev_is_refused(bench: Bench) -> None:
    subprocess.check_call(["mount", "-t", "tmpfs", "stranger", bench.dev])
    with pytest.raises(InputError, match=r"stranger is mounted on .*/dev: unmount it first"):
        bench.ensure()


def test_the_job_of_a_destroyed_jail_is_removed(bench: Bench) -> None:
    bench.ensure()
    bench.block.touch()
    subprocess.check_call([UMOUNT, "-f", bench.dev])
    subprocess.check_call(["rm", "-r", "--one-file-system", bench.jail])
    assert bench.ensure("absent").changed
    assert bench.launchctl.loaded == {}
    assert not bench.jail.exists()
