# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The list of mounts is the truth: jobs and mounts follow it. bindfs and the program that keeps a mount are real."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, NotAJailError, OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.jobs import bind_mounts, bindfs
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos import launchd, suspended_jobs, third_party
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import mounts
from bindfs_mounts import PROGRAM, UMOUNT, is_mounted, lazy_unmount, needs_bindfs
from launchctl import Launchctl


class Bench:
    """A jail, and directories of the Mac with a file each."""

    def __init__(self, folder: Path, launchctl: Launchctl) -> None:
        self.folder, self.launchctl = folder, launchctl
        self.jail = folder / "jail"
        jails.create(os.fsencode(self.jail)).close()
        for name in ("one", "two"):
            (folder / name).mkdir()
            (folder / name / "file").write_text(name)

    def ensure(self, *items: dict[str, Any], check: bool = False, timeout: float = 10) -> Result:
        return bind_mounts.ensure(str(self.jail), items, None, sys.executable, timeout, check)

    def item(self, name: str, dest: str, **more: Any) -> dict[str, Any]:
        return {"src": str(self.folder / name), "dest": dest, **more}

    def mounted(self) -> set[str]:
        found = mounts.mounts_below(os.fsencode(self.jail))
        return {os.fsdecode(mount.point).removeprefix(str(self.jail)) for mount in found}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    needs_bindfs()
    fake = Launchctl(tmp_path)
    fake.install(tmp_path, monkeypatch)
    monkeypatch.setattr(bind_mounts, "program", lambda *_modules, call: PROGRAM)
    monkeypatch.setattr(bind_mounts, "SELF_REPAIR_SECONDS", 0.6)
    monkeypatch.setattr(third_party, "require_root_owned", lambda program, remedy="": None)
    monkeypatch.setattr(bindfs, "installed_fuses", lambda root: ["macfuse"])
    monkeypatch.setattr(bindfs, "USUAL_PATHS", (shutil.which("bindfs"),))
    monkeypatch.setattr(mounts, "UMOUNT", UMOUNT)
    made = Bench(tmp_path, fake)
    yield made
    fake.close()
    for point in made.mounted():
        lazy_unmount(Path(f"{made.jail}{point}"))


def test_check_real_check_real(bench: Bench) -> None:
    items = [bench.item("one", "/src"), bench.item("two", "/var/cache/x", read_only=True)]
    predicted = bench.ensure(*items, check=True)
    assert not (bench.jail / "src").exists()
    made = bench.ensure(*items)
    assert (predicted.changed, made.changed, predicted.diff) == (True, True, made.diff)
    assert bench.mounted() == {"/src", "/private/var/cache/x"}
    assert (bench.jail / "src/file").read_text() == "one"
    with pytest.raises(OSError, match="Read-only"):
        (bench.jail / "private/var/cache/x/new").touch()
    status = (bench.jail / "private/var/cache").stat()
    assert (status.st_uid, status.st_mode & 0o7777) == (0, 0o755)
    for check in (True, False):
        assert not bench.ensure(*items, check=check).changed
    assert bench.mounted() == {"/src", "/private/var/cache/x"}


def test_what_changes_is_mounted_again_and_what_does_not_stays(bench: Bench) -> None:
    stays = bench.item("two", "/two")
    bench.ensure(bench.item("one", "/src"), stays)
    before = dict(bench.launchctl.loaded)
    changed = [bench.item("one", "/src", perms="a-w", user="nobody"), stays]
    predicted = bench.ensure(*changed, check=True)
    done = bench.ensure(*changed)
    assert (done.changed, done.diff) == (True, predicted.diff)
    assert done.diff[0] == "- mount /src"
    assert oct((bench.jail / "src/file").stat().st_mode & 0o777) == "0o444"
    assert (bench.jail / "src/file").owner() == "nobody"
    same = [label for label, process in bench.launchctl.loaded.items() if before.get(label) is process]
    assert [label.partition(".mount.")[2][:4] for label in same] == ["two-"]
    assert not bench.ensure(*changed).changed


def test_another_directory_in_the_same_place(bench: Bench) -> None:
    bench.ensure(bench.item("one", "/src"))
    bench.ensure(bench.item("two", "/src"))
    assert (bench.jail / "src/file").read_text() == "two"
    assert len(bench.launchctl.loaded) == 1


def test_what_is_dropped_is_unmounted_and_nothing_of_it_deleted(bench: Bench) -> None:
    bench.ensure(bench.item("one", "/src"), bench.item("two", "/two"))
    done = bench.ensure(bench.item("two", "/two"))
    assert done.diff[:2] == [
        "- mount /src",
        f"- launchd job {launchd.label(os.fsencode(bench.jail), 'mount.')}" + done.diff[1][-12:],
    ]
    assert bench.mounted() == {"/two"}
    assert list((bench.jail / "src").iterdir()) == []
    assert (bench.folder / "one/file").read_text() == "one"
    assert bench.ensure().changed
    assert (bench.mounted(), launchd.labels("darwin.jail."), bench.launchctl.loaded) == (set(), [], {})
    assert not bench.ensure().changed


def test_one_that_a_killed_swap_did_not_come_to_stays_while_it_is_in_use(bench: Bench) -> None:
    item = bench.item("one", "/src")
    bench.ensure(item)
    (label,) = launchd.labels("darwin.jail.")
    suspended_jobs.mark([label])
    with (bench.jail / "src/file").open():
        for check in (True, False):
            assert bench.ensure(item, check=check).diff == [f"- /{launchd.mark_of(label).decode()}"]
    assert not bench.ensure(item).changed


def test_one_in_use_is_neither_dropped_nor_changed(bench: Bench) -> None:
    bench.ensure(bench.item("one", "/src"))
    with (bench.jail / "src/file").open() as used:
        for items in ([], [bench.item("one", "/src", read_only=True)]):
            with pytest.raises(
                OperationError, match=f"cannot unmount {bench.jail}/src: .*busy.*end the programs that use it"
            ):
                bench.ensure(*items)
        assert used.read() == "one"
    assert not bench.ensure(bench.item("one", "/src")).changed


@pytest.mark.parametrize("fault", ["unmounted", "bindfs", "both"])
def test_a_mount_that_was_lost(bench: Bench, fault: str) -> None:
    """Unmounted by hand, bindfs killed: the job repairs that without a change. The job killed, too: it is restarted."""
    made = bench.ensure(bench.item("one", "/src"))
    (job,) = bench.launchctl.loaded.values()
    if fault == "both":
        job.kill()
        job.wait()
    if fault == "bindfs":
        children = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
        os.kill(int(children[0]), 9)
    else:
        subprocess.check_call([UMOUNT, str(bench.jail / "src")])
    predicted = bench.ensure(bench.item("one", "/src"), check=True)
    done = bench.ensure(bench.item("one", "/src"))
    assert (predicted.changed, done.changed) == (fault == "both", fault == "both")
    if fault == "both":
        label = made.values["mounts"][0]["job"]
        assert done.diff == [f"~ launchd job {label} (restarted, for /src is not mounted)"]
    assert is_mounted(bench.jail / "src")


def test_a_new_bindfs_is_taken_over(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.ensure(bench.item("one", "/src"))
    newer = bench.folder / "bindfs"
    newer.write_bytes(Path(str(shutil.which("bindfs"))).read_bytes() + b"\0")
    newer.chmod(0o755)
    monkeypatch.setattr(bindfs, "USUAL_PATHS", (str(newer),))
    done = bench.ensure(bench.item("one", "/src"))
    assert next(line for line in done.diff if line.startswith("~")).endswith("/bindfs")
    assert is_mounted(bench.jail / "src")


# -- what is refused -----------------------------------------------------------


def untouched(bench: Bench) -> bool:
    return not bench.launchctl.asked and not bench.mounted() and not launchd.labels("darwin.jail.")


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ({"src": "one", "dest": "/a"}, r"'one' is not an absolute path"),
        ({"src": "{}/none", "dest": "/a"}, r"mounts\[0\]: src .*/none is not a directory of the Mac"),
        ({"src": "{}/one/file", "dest": "/a"}, r"src .*/one/file is not a directory"),
        ({"src": "{}/link", "dest": "/a"}, r"link is a symbolic link"),
        ({"src": "{}/jail/private", "dest": "/a"}, r"and the jail lie within each other"),
        ({"src": "{}", "dest": "/a"}, r"and the jail lie within each other"),
        ({"src": "/", "dest": "/a"}, r"and the jail lie within each other"),
        ({"src": "{}/one", "dest": "a"}, r"dest 'a' is not an absolute path"),
        ({"src": "{}/one", "dest": "/a/../../b"}, r"without '\.\.'"),
        ({"src": "{}/one", "dest": "/"}, r"dest '/' is the jail's own"),
        ({"src": "{}/one", "dest": "/var/db/darwin.jail/x"}, r"is the jail's own"),
        ({"src": "{}/one", "dest": "/a", "user": "nobody-like-this"}, r"there is no user 'nobody-like-this'"),
        ({"src": "{}/one", "dest": "/a", "options": ["-o"]}, r"options contains '-o'"),
        ({"src": "{}/one", "dest": "/file"}, r"/jail/file is not a directory"),
        ({"src": "{}/one", "dest": "/full"}, r"/jail/full is not empty"),
        ({"src": "{}/one", "dest": "/out"}, r"/jail/out is a symbolic link"),
        ({"src": "{}/one", "dest": "/out/deeper"}, r"/jail/out is a symbolic link"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_done(bench: Bench, item: dict[str, Any], why: str) -> None:
    (bench.folder / "link").symlink_to("one")
    (bench.jail / "file").touch()
    (bench.jail / "full").mkdir()
    (bench.jail / "full/something").touch()
    (bench.jail / "out").symlink_to(bench.folder / "two")
    with pytest.raises(InputError, match=why):
        bench.ensure({**item, "src": item["src"].format(bench.folder)})
    assert untouched(bench)
    assert list((bench.folder / "two").iterdir()) == [bench.folder / "two/file"]


@pytest.mark.parametrize("dests", [("/a", "/a"), ("/a", "/a/b"), ("/var/x/y", "/private/var/x")])
def test_one_mount_in_another_is_refused(bench: Bench, dests: tuple[str, str]) -> None:
    with pytest.raises(InputError, match=r"is at or below dest of mounts\[[01]\]"):
        bench.ensure(bench.item("one", dests[0]), bench.item("two", dests[1]))
    assert untouched(bench)


def test_what_others_mounted_is_left_alone(bench: Bench) -> None:
    (bench.jail / "src").mkdir()
    subprocess.check_call(["mount", "--bind", str(bench.folder / "two"), str(bench.jail / "src")])
    with pytest.raises(InputError, match=r"something is mounted on .*/src that is not of this collection"):
        bench.ensure(bench.item("one", "/src"))
    assert not bench.ensure().changed
    assert bench.mounted() == {"/src"}


def test_without_fuse_it_is_said_what_to_do(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bindfs, "installed_fuses", lambda root: [])
    with pytest.raises(InputError, match=r"neither macFUSE nor fuse-t.*virtual machine"):
        bench.ensure(bench.item("one", "/src"))
    assert not bench.ensure().changed, "no mounts need no FUSE"


def test_a_bindfs_that_cannot_mount_is_told_with_its_words(bench: Bench) -> None:
    with pytest.raises(
        OperationError,
        match=r"is not mounted after 5 seconds \(its job says: .*(bindfs ended with 1|unknown option)",
    ):
        bench.ensure(bench.item("one", "/src", options=["no_such_option_of_fuse"]), timeout=5)


def test_a_jail_that_is_not_there_yet_or_any_more(bench: Bench) -> None:
    bench.jail.rename(bench.folder / "elsewhere")
    predicted = bench.ensure(bench.item("one", "/src"), check=True)
    assert predicted.changed
    assert predicted.warnings == [f"{bench.jail} does not exist yet: this prediction assumes that it is built first"]
    with pytest.raises(NotAJailError):
        bench.ensure(bench.item("one", "/src"))
    assert untouched(bench)
    (bench.folder / "elsewhere").rename(bench.jail)
    bench.ensure(bench.item("one", "/src"))
    subprocess.check_call([UMOUNT, str(bench.jail / "src")])
    bench.jail.rename(bench.folder / "elsewhere")
    assert bench.ensure().changed
    assert (launchd.labels("darwin.jail."), bench.launchctl.loaded) == ([], {})


def test_the_jobs_of_what_a_killed_removal_left_are_removed(bench: Bench) -> None:
    bench.ensure(bench.item("one", "/src"))
    lazy_unmount(bench.jail / "src")
    shutil.rmtree(bench.jail)
    (bench.jail / ".darwin.jail.0123").mkdir(parents=True)
    assert bench.ensure().changed
    assert (bench.launchctl.loaded, launchd.labels("darwin.jail.")) == ({}, [])
