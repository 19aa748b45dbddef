# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Jails that are clones of others: real ones, on volumes whose files can share blocks."""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail import register
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit import clone_base
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.jail_info import gather
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import BusyError, InputError, OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.jail import create, open_jail
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.apply.install import Installer
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.clone import Base
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.platform.current import backend
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from built_jails import Make, paths
from system_calls import CHANGING, before_call, die, in_child
from tree_snapshots import FileState, tree_snapshot
from volumes import lacks, volume

STATE = "private/var/db/darwin.jail"
KILLS = 12 if "DARWIN_JAIL_KILLS" not in os.environ else 200


@pytest.fixture(params=["xfs", "btrfs"])
def base(place: Path, make: Make, source: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A jail with a history, on a volume that can clone."""
    if reason := lacks(request.param):
        pytest.skip(reason)
    backend.cache_clear()  # it remembers volumes that refused, by numbers that are used again
    (source / "usr/bin/git").chmod(0o4755)
    os.link(source / "usr/bin/git", source / "usr/share/git")
    os.mkfifo(source / "usr/fifo")
    with volume(request.param, place / "volume") as point:
        jail = point / "base"
        make("/usr/", "/etc/", jail=str(jail))
        (jail / "private/etc/hosts").write_text("changed in the jail\n")
        (jail / "Users/admin/.zshrc").parent.mkdir(parents=True)
        (jail / "Users/admin/.zshrc").write_text("theirs\n")
        os.chown(jail / "Users/admin/.zshrc", 501, 20)
        os.setxattr(jail / "Users/admin/.zshrc", "user.tag", b"x")
        (jail / "System/Volumes/Data").mkdir(parents=True)
        (jail / "System/Volumes/Data/file").write_text("theirs\n")
        yield jail


def clone(base: Path, *entries: str, check: bool = False, jail: Path | None = None, **options: Any) -> Result:
    listed = [{"src": entry} for entry in entries]
    path = str(jail or base.with_name("clone"))
    return build(BuildSpec(path, clone_of=str(base), entries=listed, **options), check)


@pytest.mark.parametrize("place_of_it", [f"{STATE}/.darwin.jail.try", f"{STATE}/record.mtree"])
def test_a_fault_of_the_disk_is_told_for_what_is_no_file_of_the_jail(
    base: Path, monkeypatch: pytest.MonkeyPatch, place_of_it: str
) -> None:
    """What is tried first, and the record, which comes last."""
    honest = Installer.copy_atomically

    def take(self: Installer, fd: int, name: bytes, dir_fd: int, new: bytes) -> bool:
        if place_of_it.endswith(os.fsdecode(new)):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return honest(self, fd, name, dir_fd, new)

    monkeypatch.setattr(Installer, "copy_atomically", take)
    with pytest.raises(OperationError, match=f"^cannot copy to {base.with_name('clone')}/{place_of_it}: Input/output"):
        clone(base)


def look(jail: Path) -> dict[bytes, FileState]:
    """All of a jail that a clone has, too: without inodes, and what says which jail it is."""
    found = tree_snapshot(jail, os.fsencode(f"{STATE}/jail.json"), os.fsencode(f"{STATE}/stage"))
    return {path: state._replace(inode=0) for path, state in found.items() if path != os.fsencode(STATE)}


def test_it_is_the_same_with_shared_blocks_and_a_second_run_does_not_look(base: Path) -> None:
    result = clone(base)
    jail = base.with_name("clone")
    assert look(jail) == look(base)
    stats = result.values["stats"]
    assert result.changed
    assert stats["bytes_cloned"] == stats["bytes"] > 0
    assert (jail / "usr/bin/git").stat().st_ino == (jail / "usr/share/git").stat().st_ino
    assert os.getxattr(jail / "Users/admin/.zshrc", "user.tag") == b"x"
    assert sorted(os.listdir(jail / STATE)) == ["jail.json", "record.mtree", "stage"]
    ours, theirs = (json.loads((path / STATE / "jail.json").read_text()) for path in (jail, base))
    assert ours["clone_of"] == str(base)
    assert ours["clone_id"] == theirs["id"] != ours["id"]
    assert ours["state"] == "complete"
    subprocess.run(["rm", "-r", base], check=True)
    before = tree_snapshot(jail)
    again = clone(base)
    assert (again.changed, again.values["existed"]) == (False, True)
    assert tree_snapshot(jail) == before


def test_whose_a_file_is_stays(base: Path, source: Path) -> None:
    """What is ours in the base is in the clone, what is theirs is theirs, and changed configuration is kept."""
    clone(base)
    jail = base.with_name("clone")
    result = build(BuildSpec(str(jail), str(source), entries=[{"src": "/usr/bin/"}]), False)
    assert not (jail / "usr/share/dict").exists()
    assert (jail / "Users/admin/.zshrc").exists()
    assert (jail / "private/etc/hosts").read_text() == "changed in the jail\n"
    assert {found["path"] for found in result.values["kept"]} == {"/private/etc/hosts"}


def test_entries_go_on_top_and_nothing_is_pruned(base: Path, source: Path) -> None:
    (source / "opt").mkdir()
    (source / "opt/tool").write_text("tool\n")
    predicted = clone(base, "/opt/", check=True, source=str(source))
    assert not base.with_name("clone").exists()
    done = clone(base, "/opt/", source=str(source))
    assert paths(predicted) == paths(done)
    jail = base.with_name("clone")
    assert (jail / "opt/tool").exists()
    assert (jail / "usr/bin/git").exists()
    assert not clone(base, "/opt/", source=str(source)).changed
    (jail / "opt/tool").unlink()
    assert paths(clone(base, "/opt/", source=str(source))) == {("create", "/opt/tool")}
    assert (jail / "usr/bin/git").exists()


def test_what_is_left_out(base: Path, place: Path) -> None:
    """Mounts in the base, sockets, and what a killed run left."""
    mounted, there = base / "opt", place / "elsewhere"
    for path in (mounted, there):
        path.mkdir(exist_ok=True)
    (there / "file").write_text("of the Mac\n")
    (base / ".darwin.jail.0123456789ab").write_text("left\n")
    (base / STATE / "stage/left").write_text("left\n")
    (base / "dev").mkdir(exist_ok=True)
    subprocess.run(["mount", "--bind", there, mounted], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", base / "dev"], check=True)
    try:
        (base / "dev/null").write_text("")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(base / "usr/socket"))
        clone(base)
    finally:
        subprocess.run(["umount", mounted, base / "dev"], check=True)
    jail = base.with_name("clone")
    assert os.listdir(jail / "opt") == os.listdir(jail / STATE / "stage") == []
    assert not (jail / "usr/socket").exists()
    assert not (jail / ".darwin.jail.0123456789ab").exists()


def test_the_plain_devices_come_though_dev_is_mounted(base: Path, place: Path) -> None:
    """Whatever lies on the mount: those beneath it cannot be seen, and a jail cannot do without."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "none", base / "dev"], check=True)
    try:
        (base / "dev/null").write_text("of the jail\n")
        os.mknod(base / "dev/disk0", 0o600 | stat.S_IFBLK, os.makedev(7, 0))
        predicted = paths(clone(base, check=True))
        assert paths(clone(base)) == predicted
        copies = [base.with_name("clone"), place / "copy"]
        clone(base, jail=copies[1], allow_full_copy=True)
    finally:
        subprocess.run(["umount", base / "dev"], check=True)
    for jail in copies:
        assert stat.S_IMODE((jail / "dev").stat().st_mode) == 0o555
        assert sorted(os.listdir(jail / "dev")) == ["null", "random", "urandom", "zero"]
        for name in os.listdir(jail / "dev"):
            ours, theirs = (jail / "dev" / name).lstat(), Path("/dev", name).lstat()
            assert (ours.st_rdev, ours.st_mode, ours.st_uid) == (theirs.st_rdev, theirs.st_mode, theirs.st_uid)


def test_killed_at_any_call_the_next_run_completes_it(base: Path) -> None:
    jail, theirs = base.with_name("clone"), look(base)
    with before_call(0, die, tuple(CHANGING)) as calls:
        clone(base, workers=1)
    for number in range(1, calls.count + 1, max(1, calls.count // KILLS)):
        subprocess.run(["rm", "-rf", jail], check=True)

        def run(number: int = number) -> None:
            with before_call(number, die, tuple(CHANGING)):
                clone(base, workers=1)

        assert in_child(run) == -9
        clone(base, workers=1)
        assert look(jail) == theirs, f"call {number}"
        assert sorted(os.listdir(jail / STATE)) == ["jail.json", "record.mtree", "stage"]
        assert not clone(base).changed


def test_killed_when_it_is_just_a_jail_the_next_run_completes_it(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Base, "_fill", end)
    with pytest.raises(KeyboardInterrupt):
        clone(base)
    monkeypatch.undo()
    assert clone(base).changed
    assert look(base.with_name("clone")) == look(base)


@pytest.mark.parametrize("there", [False, True])
def test_between_volumes_it_is_refused_and_nothing_is_left(base: Path, place: Path, there: bool) -> None:
    jail = place / "clone"
    if there:
        jail.mkdir()
    with pytest.raises(InputError, match=r"cannot clone .* to .*: they do not lie on one volume .*allow_full_copy"):
        clone(base, jail=jail)
    assert not os.path.lexists(os.path.join(register.DIRECTORY, register._name(os.fsencode(jail))))
    assert jail.exists() == there
    assert not there or os.listdir(jail) == []


@pytest.mark.parametrize("there", [False, True])
def test_another_run_that_begins_where_a_refused_clone_was(
    base: Path, place: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    """What the Mac knows of its jail stays, if it could begin one."""
    jail, original = place / "clone", jails.remove_temporary
    if there:
        jail.mkdir()

    def begin(root: Root) -> None:
        original(root)
        monkeypatch.setattr(jails, "remove_temporary", original)
        with suppress(BusyError):
            create(root.path).close()

    def arm(*arguments: Any) -> bool:
        monkeypatch.setattr(jails, "remove_temporary", begin)
        return attempt(*arguments)

    attempt = Base._try_to_clone
    monkeypatch.setattr(Base, "_try_to_clone", arm)
    with pytest.raises(InputError, match="they do not lie on one volume"):
        clone(base, jail=jail)
    if jail.exists() and os.listdir(jail):
        with open_jail(str(jail)) as other:
            assert other.unknown == ""


def test_a_plain_copy_of_a_jail(base: Path, place: Path) -> None:
    """As the message says: the same, without shared blocks."""
    copy = place / "copy"
    result = clone(base, jail=copy, allow_full_copy=True)
    stats = result.values["stats"]
    assert stats["bytes"] > stats["bytes_cloned"] == 0
    assert look(copy) == look(base)
    assert (copy / STATE / "record.mtree").read_bytes() == (base / STATE / "record.mtree").read_bytes()
    assert not clone(base, jail=copy, allow_full_copy=True).changed


def test_a_sparse_file_fills_no_other_volume(base: Path, place: Path) -> None:
    """Whoever can write in the base makes one in no time, and a copy takes all of its size where holes are lost."""
    (base / "private/tmp/hollow").touch()
    os.truncate(base / "private/tmp/hollow", 1 << 40)
    assert clone(base, allow_full_copy=True).changed, "on one volume it takes nothing"
    said = rf"cannot copy {base}/private/tmp/hollow: it takes 0 bytes, and its copy could take {1 << 40} \(remove it"
    with pytest.raises(InputError, match=said):
        clone(base, jail=place / "copy", allow_full_copy=True)
    os.truncate(base / "private/tmp/hollow", 1 << 20)
    assert clone(base, jail=place / "copy", allow_full_copy=True).changed


def test_a_clone_of_a_clone(base: Path) -> None:
    """It shares its blocks with both, and outlives them."""
    clone(base)
    first, second = base.with_name("clone"), base.with_name("second")
    stats = clone(first, jail=second).values["stats"]
    assert stats["bytes_cloned"] == stats["bytes"] > 0
    assert look(second) == look(base)
    markers = [json.loads((path / STATE / "jail.json").read_text()) for path in (base, first, second)]
    assert len({marker["id"] for marker in markers}) == 3
    assert markers[2]["clone_of"] == str(first)
    subprocess.run(["rm", "-r", base, first], check=True)
    assert look(second)


def test_what_became_of_the_base_is_told(base: Path, make: Make) -> None:
    clone(base)
    jail = base.with_name("clone")

    def told() -> Any:
        with open_jail(str(jail)) as opened:
            return clone_base.report(opened)

    assert told() == {"path": str(base), "state": "same", "changed": {}, "paths": [], "message": ""}
    for name in ("private/tmp/new", "private/var/folders/zz/new", f"{STATE}/journal.1"):
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text("of no interest\n")
    assert told()["state"] == "same"
    (base / "opt/homebrew/bin").mkdir(parents=True)
    (base / "usr/share/git").unlink()
    os.utime(base / "private/etc/hosts", (5, 5))
    assert told() == {
        "path": str(base),
        "state": "changed",
        "changed": {"homebrew": 2, "system": 2, "other": 2},
        "paths": ["/opt", "/opt/homebrew", "/opt/homebrew/bin", "/private/etc/hosts", "/usr/share", "/usr/bin/git"],
        "message": f"{base} was changed after it was cloned: homebrew (2), other (2), system (2)",
    }
    subprocess.run(["rm", "-r", base], check=True)
    assert told()["message"] == f"the jail {base} that was cloned is gone"
    make("/usr/", jail=str(base))
    assert told()["state"] == "replaced"


ODD = {
    "the Mac": ("/", "belongs to the system"),
    "relative": ("x", "is not an absolute path"),
    "no more": ("/nowhere/base", None),
    "a newline": ("/no\n\x1b[31m", "control character"),
    "a link": ("{place}/link", "is a symbolic link"),
    "a file": ("{place}/file", "is not a directory"),
    "long": ("/" + "a" * 5000, "File name too long"),
    "NUL": ("/a\0b", "control character"),
}


@pytest.mark.parametrize("what", ODD)
def test_a_base_that_cannot_be_looked_at_is_told_in_one_sentence(empty_jail: Path, place: Path, what: str) -> None:
    path, why = ODD[what]
    (place / "link").symlink_to("/")
    (place / "file").touch()
    with open_jail(str(empty_jail)) as opened:
        opened.update_entry(clone_of=path.format(place=place), clone_id="x", clone_time=0.0, cloned=True)
    told = gather(str(empty_jail), ["drift"]).values["drift"]["base"]
    assert told["state"] == ("unknown" if why else "gone")
    assert (why or "that was cloned is gone") in told["message"]
    assert told["message"].isprintable()
    assert told["path"].isprintable()


def test_a_base_that_is_unknown_is_not_walked(empty_jail: Path, place: Path) -> None:
    (empty_jail / "Users/v").mkdir(parents=True)
    with open_jail(str(empty_jail)) as opened, create(os.fsencode(place / "clone")) as made:
        made.update_entry(
            clone_of=str(empty_jail), clone_id=opened.entry["id"], clone_time=0.0, cloned=True, state="complete"
        )
    report = gather(str(place / "clone"), ["drift"]).values["drift"]["base"]
    assert (report["state"], "/Users" in report["paths"]) == ("changed", True)
    register.forget(os.fsencode(empty_jail), register.known(os.fsencode(empty_jail)))
    report = gather(str(place / "clone"), ["drift"]).values["drift"]["base"]
    assert (report["state"], report["paths"]) == ("unknown", [])
    assert report["message"].endswith(" is unknown: this Mac has no entry of the jail as it is now")


def test_what_is_unknown_is_not_cloned_and_no_clone(base: Path) -> None:
    clone(base)
    register.forget(os.fsencode(base.with_name("clone")), register.known(os.fsencode(base.with_name("clone"))))
    with pytest.raises(InputError, match=f"cannot make a clone of {base} at .*/clone: .*remove it first, or leave"):
        clone(base)
    register.forget(os.fsencode(base), register.known(os.fsencode(base)))
    with pytest.raises(InputError, match=f"cannot clone {base}: .*build it again with darwin_jail_rootfs"):
        clone(base, jail=base.with_name("second"))
    assert not base.with_name("second").exists()


def test_what_cannot_be_cloned(base: Path, place: Path, make: Make) -> None:
    with pytest.raises(InputError, match=r"is a jail already and no clone of"):
        clone(base, jail=base)
    make("/usr/", jail=str(place / "other"))
    with pytest.raises(InputError, match="is a jail already and no clone of"):
        clone(base, jail=place / "other")
    with open_jail(str(base)) as opened:
        opened.update_entry(state="building")
        with pytest.raises(InputError, match="its last build did not end"):
            clone(base)
        opened.update_entry(state="complete")
    (base / STATE / "journal.0").write_text("")
    with pytest.raises(InputError, match="its last build did not end"):
        clone(base)
    assert not base.with_name("clone").exists()


@pytest.mark.parametrize("check", [False, True])
def test_a_base_that_is_being_built(base: Path, check: bool) -> None:
    with open_jail(str(base)) as held:
        held.lock()
        with pytest.raises(BusyError, match="is in use by another run"):
            clone(base, check=check)
    with open_jail(str(base)) as held:
        held.lock_for_reading()
        clone(base, check=check)
    assert base.with_name("clone").exists() != check
