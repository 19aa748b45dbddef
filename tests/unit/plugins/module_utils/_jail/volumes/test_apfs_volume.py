# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Volumes for jails, with a diskutil that gives published property lists and mounts file systems in memory."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.volumes import apfs_volume
from ansible_collections.darwin.jail.plugins.module_utils._jail.volumes.apfs_volume import ensure
from mac_programs import diskutil


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "state").write_text("{}")
    monkeypatch.setattr(apfs_volume, "DISKUTIL", diskutil(tmp_path))
    monkeypatch.setattr(apfs_volume, "MOUNTED_BELOW", str(tmp_path / "Volumes"))
    monkeypatch.setattr(apfs_volume, "TOP", os.fsencode(tmp_path))
    yield tmp_path
    for point in (tmp_path / "Volumes").glob("*"):
        subprocess.run(["umount", point], check=False)


NOTE = "private/var/db/darwin.jail/volumes/jails"


def changes(mac: Path) -> list[str]:
    """The calls that change something."""
    lines = (mac / "calls").read_text().splitlines()
    return [line for line in lines if not line.startswith(("info", "apfs list"))]


def test_it_is_made_once_with_owners_and_a_note(mac: Path) -> None:
    predicted = ensure("jails", "1g", "present", None, check=True)
    assert changes(mac) == []
    assert predicted.diff == ["+ volume jails (a quota of 1.0 GB)"]
    assert predicted.values == {"mount_point": f"{mac}/Volumes/jails", "device": None, "quota": 1000001536}
    result = ensure("jails", "1g", "present", None, check=False)
    assert changes(mac) == ["apfs addVolume disk3 APFS jails -quota 1g", "enableOwnership disk3s7"]
    assert result.values == {"mount_point": f"{mac}/Volumes/jails", "device": "disk3s7", "quota": 1000001536}
    assert (mac / NOTE).exists()
    for check in (True, False):
        assert not ensure("jails", "1g", "present", None, check=check).changed
    assert len(changes(mac)) == 2


def unmount(mac: Path) -> None:
    """As macOS leaves it after a restart in which it was not unlocked, for instance."""
    subprocess.run(["umount", mac / "Volumes/jails"], check=True)
    state = json.loads((mac / "state").read_text())
    state["jails"]["mounted"] = ""
    (mac / "state").write_text(json.dumps(state))


@pytest.mark.parametrize("state", ["present", "mounted"])
def test_one_that_is_not_mounted_is(mac: Path, state: str) -> None:
    ensure("jails", None, "present", None, check=False)
    unmount(mac)
    assert ensure("jails", None, state, None, check=True).diff == ["> volume jails (mounted)"]
    assert ensure("jails", None, state, None, check=False).diff == ["> volume jails (mounted)"]
    assert changes(mac)[-1] == "mount disk3s7"
    assert not ensure("jails", None, state, None, check=False).changed


def test_where_there_is_none_to_mount_none_is_made(mac: Path) -> None:
    for check in (True, False):
        assert not ensure("jails", None, "mounted", None, check=check).changed
    assert changes(mac) == []


def test_whether_one_goes_that_is_not_mounted_cannot_be_predicted(mac: Path) -> None:
    ensure("jails", None, "present", None, check=False)
    unmount(mac)
    predicted = ensure("jails", None, "absent", f"{mac}/Volumes/jails/first", check=True)
    assert predicted.warnings == ["whether the volume jails goes is known once it is mounted"]
    with pytest.raises(InputError, match="is not mounted: mount it"):
        ensure("jails", None, "absent", None, check=False)


def test_one_that_is_mounted_elsewhere_is_refused(mac: Path) -> None:
    """Its jails would lie in the directory that is in the way, and fill the Mac."""
    ensure("jails", None, "present", None, check=False)
    state = json.loads((mac / "state").read_text())
    state["jails"]["mounted"] += " 1"
    (mac / "state").write_text(json.dumps(state))
    for check in (True, False):
        with pytest.raises(
            InputError, match=r"is mounted on .*/Volumes/jails 1, not on .*/Volumes/jails, because that path"
        ):
            ensure("jails", None, "present", None, check=check)


def test_another_quota_is_refused_for_macos_changes_none(mac: Path) -> None:
    ensure("jails", None, "present", None, check=False)
    with pytest.raises(
        InputError, match=r"the volume jails has no quota, not of 1.0 GB: the quota of a volume cannot change"
    ):
        ensure("jails", "1g", "present", None, check=True)
    assert not ensure("jails", None, "present", None, check=False).changed


def test_it_is_deleted_when_nothing_is_left_in_it(mac: Path) -> None:
    ensure("jails", "1g", "present", None, check=False)
    top = mac / "Volumes/jails"
    (top / ".fseventsd").mkdir()
    (top / "first").mkdir()
    kept = ensure("jails", None, "absent", None, check=False)
    assert (kept.changed, kept.warnings) == (False, ["the volume jails stays: it holds first"])
    assert ensure("jails", None, "absent", f"{top}/first", check=True).diff == ["- volume jails"]
    (top / "first").rmdir()
    assert ensure("jails", None, "absent", f"{top}/first", check=False).diff == ["- volume jails"]
    assert changes(mac)[-1] == "apfs deleteVolume disk3s7"
    for check in (True, False):
        assert not ensure("jails", None, "absent", None, check=check).changed


def test_what_a_killed_run_left_in_it_does_not_keep_it(mac: Path) -> None:
    """What has no lock, or one that is held, does."""
    ensure("jails", None, "present", None, check=False)
    place = mac / "Volumes/jails/.darwin.jail.runs"
    (place / "0123456789ab/jail").mkdir(parents=True)
    lock, stays = place / "0123456789ab.lock", ["the volume jails stays: it holds .darwin.jail.runs"]
    assert ensure("jails", None, "absent", None, check=False).warnings == stays
    lock.touch(mode=0o600)
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert ensure("jails", None, "absent", None, check=False).warnings == stays
    for check in (True, False):
        assert ensure("jails", None, "absent", None, check=check).changed


def test_what_somebody_else_made_stays(mac: Path) -> None:
    ensure("jails", None, "present", None, check=False)
    (mac / NOTE).unlink()
    result = ensure("jails", None, "absent", None, check=False)
    assert result.warnings == ["the volume jails stays: this collection did not make it"]
    assert "deleteVolume" not in "".join(changes(mac))


def test_what_a_killed_run_made_is_ours(mac: Path) -> None:
    """Killed while diskutil makes it, which goes on by itself."""
    original = apfs_volume._diskutil

    def killed(*words: str) -> bytes:
        printed = original(*words)
        if words[1] == "addVolume":
            raise KeyboardInterrupt
        return printed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(apfs_volume, "_find", lambda _name: None)
        patched.setattr(apfs_volume, "_container", lambda: "disk3")
        patched.setattr(apfs_volume, "_diskutil", killed)
        with pytest.raises(KeyboardInterrupt):
            ensure("jails", None, "present", None, check=False)
    assert ensure("jails", None, "present", None, check=False).diff == ["~ volume jails (ownership enabled)"]
    assert ensure("jails", None, "absent", None, check=False).changed
    assert not (mac / NOTE).exists()


def test_what_diskutil_did_not_make_is_not_noted(mac: Path) -> None:
    with pytest.raises(OperationError, match="addVolume disk3 APFS jails -quota 2g"):
        ensure("jails", "2g", "present", None, check=False)
    assert not (mac / NOTE).exists()


def test_bad_input_is_told_before_anything_is_asked(mac: Path) -> None:
    for quota in ("60", "g", "0g", "1.5g", "60gb", "-1g"):
        with pytest.raises(InputError, match="is not a size: give a number and k, m, g or t"):
            ensure("jails", quota, "present", None, check=False)
    for name in ("", "-x", "a/b", "a b", ".hidden", "x" * 64):
        with pytest.raises(InputError, match="is not a valid name for a volume of jails"):
            ensure(name, None, "present", None, check=False)
    assert not (mac / "calls").exists()


def test_what_diskutil_says_is_told(mac: Path) -> None:
    (mac / "broken").touch()
    with pytest.raises(OperationError, match=r"apfs list -plist: Error: -69808: Some information was unavailable"):
        ensure("jails", None, "present", None, check=False)


def test_a_mac_without_apfs_is_told(mac: Path) -> None:
    (mac / "hfs").touch()
    with pytest.raises(InputError, match="diskutil names no APFS container for /"):
        ensure("jails", None, "present", None, check=False)


def test_what_diskutil_only_claims_to_do_is_told(mac: Path) -> None:
    (mac / "deaf").touch()
    with pytest.raises(OperationError, match="does not show it as it was to be"):
        ensure("jails", None, "present", None, check=False)


def test_two_of_one_name_are_not_chosen_from(mac: Path) -> None:
    two = {f"x{number}": {"device": f"disk3s{number}", "quota": 0, "name": "jails"} for number in (7, 8)}
    (mac / "state").write_text(json.dumps(two))
    with pytest.raises(InputError, match=r"there are 2 volumes named jails \(disk3s7, disk3s8\): choose another name"):
        ensure("jails", None, "present", None, check=False)
