# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Whoever can write in a jail must not reach what is outside of it, whatever he puts there and whenever."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, JailError
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.remove import remove
from built_jails import Make
from system_calls import before_call
from tree_snapshots import tree_snapshot


@pytest.fixture
def outside(place: Path) -> Iterator[Path]:
    """A tree of the Mac shaped like what the jail has; it must be the same after each test."""
    root = place / "outside"
    for name in ("bin/git", "bin/cc", "share/dict/words", "hosts", "pam.d/sudo", "usr/bin/git", "etc/hosts"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("of the Mac")
        (root / name).chmod(0o600)
    before = tree_snapshot(root)
    yield root
    assert tree_snapshot(root) == before


LEVELS = ["usr", "usr/bin", "usr/share", "usr/share/dict", "private/etc", "private/etc/pam.d", "private/var/run"]


@pytest.mark.parametrize("target", ["absolute", "relative"])
@pytest.mark.parametrize("level", LEVELS)
def test_links_at_every_level(make: Make, place: Path, outside: Path, level: str, target: str) -> None:
    make("/usr/", "/etc/")
    jail = place / "jail"
    subprocess.run(["rm", "-rf", str(jail / level)], check=True)
    leads = str(outside) if target == "absolute" else os.path.relpath(outside, (jail / level).parent)
    (jail / level).symlink_to(leads)
    with contextlib.suppress(JailError):
        make("/usr/", "/etc/")
    with contextlib.suppress(JailError):
        make("/etc/")  # /usr is to be removed now
    with contextlib.suppress(JailError):
        make("/usr/", "/etc/", verify="full")


@pytest.mark.parametrize("level", ["private", "private/var", "private/var/db", "private/var/db/darwin.jail"])
def test_links_in_the_place_of_the_collections_own_directory(
    make: Make, place: Path, outside: Path, level: str
) -> None:
    make("/usr/")
    jail = place / "jail"
    (jail / level).rename(place / "moved")
    (jail / level).symlink_to(place / "moved")
    with pytest.raises(JailError):
        make("/usr/")
    before = tree_snapshot(place / "moved")
    remove(str(jail), False, False)
    assert not jail.exists()
    assert tree_snapshot(place / "moved") == before
    assert (outside / "hosts").exists()


def test_hard_links_to_files_of_the_mac_are_replaced_not_repaired(make: Make, place: Path) -> None:
    make("/usr/")
    theirs, same = place / "theirs", place / "same"
    theirs.write_text("of the Mac")
    shutil.copy2(place / "source/usr/share/dict/words", same)
    same.chmod(0o600)  # only the mode is not as wanted
    before = [(path.stat().st_mode, path.read_bytes()) for path in (theirs, same)]
    git, words = place / "jail/usr/bin/git", place / "jail/usr/share/dict/words"
    for inside, path in ((git, theirs), (words, same)):
        inside.unlink()
        os.link(path, inside)
    make("/usr/")
    assert [(path.stat().st_mode, path.read_bytes()) for path in (theirs, same)] == before
    assert git.read_text() == "this is usr/bin/git\n"
    assert git.stat().st_nlink == words.stat().st_nlink == 1


@pytest.mark.parametrize("kind", ["fifo", "device", "socket-like directory"])
def test_something_else_in_the_place_of_a_file(make: Make, place: Path, outside: Path, kind: str) -> None:
    make("/usr/", "/etc/")
    for name in ("usr/bin/git", "private/etc/hosts"):
        path = place / "jail" / name
        path.unlink()
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "device":
            os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))
        else:
            path.mkdir()
    make("/usr/", "/etc/")
    assert (place / "jail/usr/bin/git").read_text() == "this is usr/bin/git\n"
    assert (outside / "hosts").exists()


class TestRemoving:
    def test_links_in_the_tree_lead_nowhere(self, make: Make, place: Path, outside: Path) -> None:
        make("/usr/")
        (place / "jail/usr/to").symlink_to(outside)
        (place / "jail/opt/up").symlink_to("../../outside")
        assert remove(str(place / "jail"), False, False).changed
        assert not (place / "jail").exists()
        assert (outside / "hosts").exists()

    def test_a_mount_stops_it_before_anything_is_removed(self, make: Make, place: Path, outside: Path) -> None:
        make("/usr/")
        subprocess.run(["mount", "--bind", str(outside), str(place / "jail/opt")], check=True)
        try:
            before = tree_snapshot(place / "jail/usr")
            for check in (True, False):
                with pytest.raises(InputError, match=r"mounted below it: .*/jail/opt: unmount"):
                    remove(str(place / "jail"), False, check)
            assert tree_snapshot(place / "jail/usr") == before
        finally:
            subprocess.run(["umount", str(place / "jail/opt")], check=True)
        remove(str(place / "jail"), False, False)

    def test_what_is_no_jail_is_refused(self, place: Path) -> None:
        (place / "mine/tree").mkdir(parents=True)
        with pytest.raises(InputError, match="is not a jail"):
            remove(str(place / "mine"), False, False)
        assert (place / "mine/tree").exists()

    def test_twice_is_once(self, make: Make, place: Path) -> None:
        make("/usr/")
        assert remove(str(place / "jail"), False, True).changed
        assert (place / "jail/usr").exists()
        assert remove(str(place / "jail"), False, False).changed
        assert not remove(str(place / "jail"), False, False).changed


def test_a_hard_link_that_is_made_while_a_file_is_repaired(make: Make, place: Path) -> None:
    """What has another name by then may be somebody else's: its mode is left alone."""
    make("/usr/")
    words, theirs = place / "jail/usr/share/dict/words", place / "theirs"
    found: list[int] = []

    def link() -> None:
        found.append(words.stat().st_mode)
        os.link(words, theirs)

    words.chmod(0o600)
    with before_call(0, link, ("open",)) as calls:
        make("/usr/")
    for number in range(1, calls.count + 1):
        words.chmod(0o600)
        theirs.unlink(missing_ok=True)
        with contextlib.suppress(JailError), before_call(number, link, ("open",)):
            make("/usr/")
        assert theirs.stat().st_mode == found[-1], f"call {number}"
        make("/usr/")
        assert words.stat().st_mode & 0o777 == 0o644
    assert len({stat.S_IMODE(mode) for mode in found}) == 2, "before and after it was repaired"


CHAIN = ("", "private", "private/var", "private/var/db")


def expose(top: Path) -> None:
    """As a source or a jail may have it, whose root nobody could trust."""
    for rel in CHAIN:
        (top / rel).mkdir(parents=True, exist_ok=True)
        (top / rel).chmod(0o777)
        os.chown(top / rel, 501, 20)


def is_exposed(jail: Path) -> list[str]:
    statuses = {rel: (jail / rel).stat() for rel in CHAIN}
    loose = {rel: status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX for rel, status in statuses.items()}
    return [rel for rel, status in statuses.items() if status.st_uid or loose[rel]]


def test_what_leads_to_the_state_is_roots_whatever_the_source_has(make: Make, place: Path, source: Path) -> None:
    expose(source)
    (source / "private/var/db/theirs").mkdir()
    os.chown(source / "private/var/db/theirs", 501, 20)
    for entries in (["/"], ["/private/"], ["/private/var/db/", "/usr/"]):
        make(*entries)
        assert is_exposed(place / "jail") == []
        assert (place / "jail/private/var/db/theirs").stat().st_uid == 501
        for check in (True, False):
            assert not make(*entries, check=check).changed
        shutil.rmtree(place / "jail")


def test_a_clone_of_a_jail_that_is_exposed_is_not(make: Make, place: Path) -> None:
    make("/usr/")
    expose(place / "jail")
    spec = BuildSpec(str(place / "clone"), clone_of=str(place / "jail"), allow_full_copy=True)
    build(spec, False)
    assert is_exposed(place / "clone") == []
    assert not build(spec, False).changed
