# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What is on the Mac for a jail goes with the jail, and is found when the jail went by other means."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import host_state, leftovers, mounted_volume, register
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, NotAJailError, RecordError
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos import launchd
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos.launchd import Job
from ansible_collections.darwin.jail.plugins.module_utils._jail.marker import MARKER
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.remove import remove
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import mounts
from bindfs_mounts import UMOUNT, lazy_unmount
from launchctl import Launchctl


class Bench:
    """A Mac with launchd, notes and a register of its own, and jails that have a job and a note."""

    def __init__(self, folder: Path, launchctl: Launchctl) -> None:
        self.folder, self.launchctl = folder, launchctl
        self.notes, self.hosts = folder / "images", folder / "layouts"

    def jail(self, name: str, **fields: object) -> Path:
        path = self.folder / "jails" / name
        with jails.create(os.fsencode(path)) as jail:
            jail.update_entry(state="complete", **fields)
        (path / "opt").mkdir()
        (path / "opt/mine").write_text("of a person")
        label = launchd.label(os.fsencode(path), "dns")
        for step in launchd.plan_present(Job(label, ("/usr/bin/true", str(path)), {"program.py": b"print()\n"})):
            step.apply()
        self.notes.mkdir(exist_ok=True)
        (self.notes / os.fsdecode(host_state.layer_note_name(os.fsencode(path)))).write_text("{}")
        return path

    def of(self, path: Path) -> set[str]:
        """What there is for a jail on the Mac."""
        label = launchd.label(os.fsencode(path), "")
        note = self.notes / os.fsdecode(host_state.layer_note_name(os.fsencode(path)))
        there = {
            "job": bool(launchd.labels(label)),
            "loaded": any(name.startswith(label) for name in self.launchctl.loaded),
            "note": note.exists(),
            "entry": os.fsencode(path) in register.all_known(),
        }
        return {name for name, is_there in there.items() if is_there}


ALL = {"job", "loaded", "note", "entry"}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    if os.geteuid() != 0:
        pytest.skip("jobs are root's")
    launchctl = Launchctl(tmp_path)
    launchctl.install(tmp_path, monkeypatch)
    monkeypatch.setattr(register, "DIRECTORY", os.fsencode(tmp_path / "register"))
    monkeypatch.setattr(host_state, "NOTES", os.fsencode(tmp_path / "images"))
    monkeypatch.setattr(host_state, "BY_HOSTNAME", (os.fsencode(tmp_path / "layouts"),))
    monkeypatch.setattr(mounts, "UMOUNT", UMOUNT)
    made = Bench(tmp_path, launchctl)
    yield made
    launchctl.close()


def without_marker(path: Path) -> None:
    (path / os.fsdecode(MARKER)).unlink()


def without_private(path: Path) -> None:
    shutil.rmtree(path / "private")


def with_a_damaged_marker(path: Path) -> None:
    (path / os.fsdecode(MARKER)).write_text("{")


LEFT = (without_marker, without_private, with_a_damaged_marker)


def looked(remove_jails: bool = False, hosts: tuple[str, ...] = (), check: bool = False) -> Result:
    return leftovers.clean_up(remove_jails, hosts, check)


# -- with the jail ----------------------------------------------------------------------


def test_all_that_the_mac_has_for_a_jail_goes_with_it_and_nothing_of_another_one(bench: Bench) -> None:
    path, other = bench.jail("one"), bench.jail("one.two")
    predicted = remove(str(path), False, True)
    assert bench.of(path) == ALL
    assert remove(str(path), False, False).diff == predicted.diff
    assert f"- launchd job {launchd.label(os.fsencode(path), 'dns')}" in predicted.diff
    assert (bench.of(path), path.exists(), bench.of(other)) == (set(), False, ALL)
    assert not remove(str(path), False, False).changed


@pytest.mark.parametrize("happened", LEFT)
def test_what_is_left_of_a_jail_is_removed_by_its_path(bench: Bench, happened: object) -> None:
    path = bench.jail("one")
    happened(path)  # type: ignore[operator]
    (path / "dev").mkdir()
    subprocess.check_call(["mount", "-t", "tmpfs", "none", path / "dev"])
    try:
        with pytest.raises(InputError, match="mounted below it"):
            remove(str(path), False, False)
        assert bench.of(path) == ALL
        predicted = remove(str(path), True, True)
        done = remove(str(path), True, False)
    finally:
        lazy_unmount(path / "dev")
    assert (done.diff, done.diff[-1]) == (predicted.diff, f"- {path} and all below it")
    assert (bench.of(path), path.exists()) == (set(), False)


def test_a_directory_that_never_was_a_jail_is_refused_although_one_was_there_before(bench: Bench) -> None:
    path = bench.jail("one")
    path.rename(path.with_name("moved"))
    path.mkdir()
    (path / "mine").write_text("mine")
    with pytest.raises(NotAJailError, match="is not a jail of this collection"):
        remove(str(path), True, False)
    assert (path / "mine").exists()


@pytest.mark.parametrize("damaged", [False, True])
def test_another_volume_that_is_mounted_where_a_jail_was_is_not_what_is_left_of_it(bench: Bench, damaged: bool) -> None:
    """The tops of all volumes have one inode number."""
    path = bench.folder / "jails/one"
    path.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "none", str(path)]
    subprocess.check_call(mount)
    try:
        bench.jail("one")
        (known,) = register.all_known()[os.fsencode(path)]
        subprocess.check_call(["umount", path])
        subprocess.check_call(mount)
        assert path.stat().st_ino == known["inode"]
        (path / "mine").write_text("mine")
        if damaged:
            (path / os.fsdecode(jails.STATE)).mkdir(parents=True)
            with_a_damaged_marker(path)
        with pytest.raises((NotAJailError, RecordError)):
            remove(str(path), True, False)
        looked(remove_jails=True)
        assert (path / "mine").read_text() == "mine"
    finally:
        lazy_unmount(path)


def test_who_opens_what_is_left_of_a_jail_is_told_so(bench: Bench) -> None:
    path = bench.jail("one")
    without_private(path)
    with pytest.raises(NotAJailError, match=r"contains remains of a jail .*destroy_jail"):
        jails.open_jail(str(path))


def test_what_the_mac_has_for_a_jail_that_is_no_longer_there_goes_by_its_path(bench: Bench) -> None:
    path = bench.jail("one")
    shutil.rmtree(path)
    assert remove(str(path), True, True).changed
    assert remove(str(path), True, False).changed
    assert bench.of(path) == set()
    assert not remove(str(path), True, False).changed


def test_a_jail_that_was_moved_takes_along_what_the_mac_has_for_its_former_path(bench: Bench) -> None:
    path = bench.jail("one")
    moved = path.rename(path.with_name("moved"))
    other = bench.jail("other")
    remove(str(moved), False, False)
    assert (bench.of(path), moved.exists(), bench.of(other)) == (set(), False, ALL)


# -- without it --------------------------------------------------------------------------


def test_nothing_is_found_where_all_jails_are_there(bench: Bench) -> None:
    path = bench.jail("one")
    bench.jail("next.one")
    found = looked(remove_jails=True)
    assert (found.changed, found.values["leftovers"], found.warnings) == (False, [], [])
    assert bench.of(path) == ALL


@pytest.mark.parametrize("moved", [True, False])
def test_jobs_notes_and_entries_of_a_jail_that_is_gone_are_removed(bench: Bench, moved: bool) -> None:
    path, other = bench.jail("one"), bench.jail("other")
    if moved:
        path.rename(path.with_name("moved"))
    else:
        shutil.rmtree(path)
    predicted = looked(check=True)
    assert bench.of(path) == ALL
    done = looked()
    assert (done.diff, [one["kind"] for one in done.values["leftovers"]]) == (predicted.diff, ["job", "entry", "note"])
    assert (bench.of(path), bench.of(other)) == (set(), ALL)
    assert path.with_name("moved").exists() == moved
    assert not looked().changed


def test_a_job_of_which_only_the_programs_are_left_is_known_by_the_register(bench: Bench) -> None:
    path = bench.jail("one")
    (plist,) = (bench.folder / "Library/LaunchDaemons").iterdir()
    plist.unlink()
    shutil.rmtree(path)
    looked()
    assert bench.of(path) == set()


def test_a_job_whose_jail_nothing_tells_is_named_and_stays(bench: Bench) -> None:
    path = bench.jail("one")
    (plist,) = (bench.folder / "Library/LaunchDaemons").iterdir()
    plist.unlink()
    register.forget(os.fsencode(path), register.known(os.fsencode(path)))
    found = looked(remove_jails=True)
    (warning,) = found.warnings
    assert warning.startswith(f"{launchd.label(os.fsencode(path), 'dns')} is left")
    assert "job" in bench.of(path)


@pytest.mark.parametrize("happened", LEFT[:2])
def test_what_is_left_of_a_jail_is_unmounted_and_named_and_goes_only_when_that_is_asked_for(
    bench: Bench, happened: object
) -> None:
    path = bench.jail("one")
    happened(path)  # type: ignore[operator]
    (path / "dev").mkdir()
    subprocess.check_call(["mount", "-t", "tmpfs", "none", path / "dev"])
    try:
        found = looked()
        assert not mounts.mounts_below(os.fsencode(path))
    finally:
        lazy_unmount(path / "dev")
    assert found.warnings == [
        f"{path} is left: it is part of a jail that was removed by other means: set remove_jails to remove it"
    ]
    assert ((path / "opt/mine").exists(), bench.of(path)) == (True, {"entry"})
    assert looked(remove_jails=True, check=True).changed
    assert path.exists()
    looked(remove_jails=True)
    assert (path.exists(), bench.of(path)) == (False, set())


def test_a_directory_that_got_the_inode_of_a_jail_is_no_jails(bench: Bench) -> None:
    """Its number is given again at once on some volumes: here the register gets that of the new directory."""
    path = bench.jail("one", created=int(time.time()) - 100)
    shutil.rmtree(path)
    path.mkdir()
    (path / "mine").touch()
    real = os.fsencode(path)
    (entry,) = register.all_known()[real]
    register.write(real, [{**entry, "inode": path.stat().st_ino}])
    found = looked(remove_jails=True)
    assert [one["kind"] for one in found.values["leftovers"] if one["kind"] != "job"] == ["entry", "note"]
    assert (path / "mine").exists()


def test_jails_that_were_made_for_one_that_is_gone_go_only_when_that_is_asked_for(bench: Bench) -> None:
    base = bench.jail("one")
    made = [bench.jail("next.one"), bench.jail("ephemeral.lane", clone_of=str(base))]
    kept = bench.jail("clone", clone_of=str(base)), bench.jail("next.other"), bench.jail("other")
    shutil.rmtree(base)
    found = looked()
    assert sorted(warning.split(" is left")[0] for warning in found.warnings) == sorted(map(str, made))
    assert all(bench.of(path) == ALL for path in (*made, *kept))
    looked(remove_jails=True)
    assert [path.exists() for path in made] == [False, False]
    assert all(bench.of(path) == ALL for path in kept)


def test_a_jail_whose_name_begins_with_next_is_a_persons_unless_more_tells(bench: Bench) -> None:
    mine, former = bench.jail("next.js"), bench.jail("next.one", replaced_by="1")
    found = looked(remove_jails=True)
    (warning,) = found.warnings
    assert warning.startswith(f"{mine} is left: nothing is known of a jail {mine.with_name('js')}")
    assert (bench.of(mine), (mine / "opt/mine").exists(), former.exists()) == (ALL, True, False)


def test_what_lies_on_a_volume_that_is_not_mounted_is_left_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bench.jail("one")
    monkeypatch.setattr(mounted_volume, "VOLUMES", os.fsencode(f"{path.parent}/"))
    shutil.rmtree(path)
    assert not looked(remove_jails=True).changed
    assert bench.of(path) == ALL


def test_a_jail_in_a_copy_of_a_volume_takes_nothing_along_of_the_volume_that_is_not_mounted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy made of blocks has the inode numbers, too."""
    path = bench.jail("one")
    copy = path.rename(bench.folder / "copy")
    monkeypatch.setattr(mounted_volume, "VOLUMES", os.fsencode(f"{path.parent}/"))
    remove(str(copy), False, False)
    assert (copy.exists(), bench.of(path)) == (False, ALL)


def test_a_jail_that_is_a_volume_is_known_although_it_is_not_mounted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bench.jail("one")
    shutil.rmtree(path)
    monkeypatch.setattr(mounted_volume, "VOLUMES", os.fsencode(f"{path.parent}/"))
    remove(str(path), False, False)
    assert "entry" in bench.of(path)


def test_what_has_the_name_of_an_unknown_host_is_named_and_stays(bench: Bench) -> None:
    for name in ("mine", "another"):
        (bench.hosts / name).mkdir(parents=True)
    assert looked(remove_jails=True).warnings == []
    (warning,) = looked(remove_jails=True, hosts=("mine", "mac")).warnings
    assert warning.startswith(f"{bench.hosts}/another is left: no host of this inventory")
    assert (bench.hosts / "another").exists()


def test_an_entry_that_makes_no_sense_hinders_nothing(bench: Bench) -> None:
    path = bench.jail("one")
    folder = bench.folder / "register"
    (folder / "mine-0.json").write_text("{")
    shutil.copy(next(folder.glob("one-*")), folder / "copy.json")
    shutil.rmtree(path)
    looked()
    assert bench.of(path) == set()


def with_a_fifo(path: Path) -> None:
    (path / os.fsdecode(MARKER)).unlink()
    os.mkfifo(path / os.fsdecode(MARKER))


def with_a_link(path: Path) -> None:
    (path / os.fsdecode(MARKER)).unlink()
    (path / os.fsdecode(MARKER)).symlink_to("/etc/passwd")


def with_a_directory(path: Path) -> None:
    (path / os.fsdecode(MARKER)).unlink()
    (path / os.fsdecode(MARKER)).mkdir()


def with_a_large_marker(path: Path) -> None:
    (path / os.fsdecode(MARKER)).write_text("x" * 70000)


def with_a_link_above(path: Path) -> None:
    shutil.rmtree(path / "private/var/db")
    (path / "private/var/db").symlink_to("/private/var/db")


def with_a_file_above(path: Path) -> None:
    shutil.rmtree(path / "private")
    (path / "private").write_text("x")


@pytest.mark.parametrize(
    "happened", [with_a_fifo, with_a_link, with_a_directory, with_a_large_marker, with_a_link_above, with_a_file_above]
)
def test_whatever_is_in_the_place_of_the_marker_a_jail_is_removed(bench: Bench, happened: object) -> None:
    """root in the jail can put anything there."""
    path = bench.jail("one")
    happened(path)  # type: ignore[operator]
    remove(str(path), True, False)
    assert (bench.of(path), path.exists()) == (set(), False)
