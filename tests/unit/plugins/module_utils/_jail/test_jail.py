# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""How a directory becomes a jail, is known as one, and is held by one run at a time."""

from __future__ import annotations

import errno
import fcntl
import itertools
import json
import os
import stat
import subprocess
import time
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail import mounted_volume
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import (
    BusyError,
    InputError,
    JailError,
    NotAJailError,
    OperationError,
    RecordError,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.marker import MARKER
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.remove import remove
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import build_lock
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.jail_lock import jail_lock_path
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from system_calls import before_call, die, in_child, refusal, start


@pytest.fixture
def path(place: Path) -> bytes:
    return os.fsencode(place / "jail")


def marker(path: bytes) -> Path:
    return Path(os.fsdecode(path), os.fsdecode(MARKER))


class TestCreating:
    def test_it_is_marked(self, path: bytes) -> None:
        with jails.create(path) as made:
            assert made.entry["state"] == "building"
        with jails.open_jail(os.fsdecode(path)) as opened:
            assert opened.entry == made.entry
            opened.lock()
            opened.update_entry(state="complete", macos_version="15.2")
        with jails.open_jail(os.fsdecode(path)) as again:
            assert again.entry.pop("stamps")[1:] == made.entry.pop("stamps")
            assert again.entry == {**made.entry, "state": "complete", "macos_version": "15.2"}
        modes = {name: stat.S_IMODE((Path(os.fsdecode(path)) / name).stat().st_mode) for name in ("", "private/var/db")}
        assert modes == {"": 0o755, "private/var/db": 0o755}
        assert stat.S_IMODE(marker(path).parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(marker(path).stat().st_mode) == 0o600

    def test_it_is_not_made_where_a_volume_should_be_mounted(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        point = place / "Volumes/jails"
        monkeypatch.setattr(mounted_volume, "VOLUMES", os.fsencode(f"{point.parent}/"))
        inside = os.fsencode(point / "first")
        with pytest.raises(
            InputError, match=r"cannot make .*/first: no volume is mounted on .*/Volumes/jails, so that"
        ):
            jails.create(inside)
        assert not point.parent.exists()
        point.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", point], check=True)
        try:
            jails.create(inside).close()
        finally:
            subprocess.run(["umount", point], check=True)

    def test_killed_at_each_system_call_it_can_be_made_again(self, path: bytes) -> None:
        """There is a whole marker, or what the next run takes away; never a directory that is nobody's."""
        number, status = 0, -9
        while status:
            number += 1

            def make(number: int = number) -> None:
                with before_call(number, die):
                    jails.create(path)

            status = in_child(make)
            if jails.is_empty(path):
                jails.create(path).close()
            with jails.open_jail(os.fsdecode(path)) as opened:
                assert set(opened.entry) == {"inode", "stamps", "id", "state", "created"}
            assert os.listdir(path) == [b"private"]
            with Root(os.path.dirname(path)) as above:
                above.remove_tree(b"jail")
        assert number > 30

    def test_runs_that_begin_at_once_make_one_jail(self, place: Path) -> None:
        """The others wait for it, or say that it is in use."""
        for number in range(20):
            path = os.fsencode(place / f"jail{number}")

            def make(path: bytes = path) -> None:
                try:
                    with jails.create(path) as made:
                        made.lock()
                        time.sleep(0.002)
                except BusyError:
                    pass

            processes = [start(make) for _run in range(4)]
            assert [os.waitpid(pid, 0)[1] for pid in processes] == [0] * 4
            assert os.listdir(path) == [b"private"]
            jails.open_jail(os.fsdecode(path)).close()

    def test_what_is_not_vacant_is_not_taken(self, path: bytes) -> None:
        os.makedirs(path + b"/mine")
        assert not jails.is_empty(path)
        with pytest.raises(NotAJailError):
            jails.create(path)
        assert os.listdir(path) == [b"mine"]


@pytest.mark.parametrize("char", ["\x01", "\n", "\x7f", "\x9b", "\udcff", "\u2028"])
def test_a_path_that_a_property_list_cannot_hold(place: Path, char: str) -> None:
    """The jobs of a jail hold its path."""
    path = f"{place}/new{char}"
    for act in (jails.jail_path, jails.open_jail):
        with pytest.raises(
            InputError, match="is not a valid path of a jail: it contains a control character or is not"
        ):
            act(path)
    with pytest.raises(InputError, match="is not a valid path of a jail"):
        build(BuildSpec(jail=path, source="/", entries=[{"src": "/usr/share/"}]), False)
    assert list(place.iterdir()) == []


class TestOpening:
    def test_nothing_there(self, path: bytes) -> None:
        with pytest.raises(NotAJailError, match="does not exist: build the jail first"):
            jails.open_jail(os.fsdecode(path))

    def test_no_jail(self, path: bytes) -> None:
        os.mkdir(path)
        with pytest.raises(NotAJailError, match="is not a jail of this collection: build it"):
            jails.open_jail(os.fsdecode(path))

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (b"", "not JSON"),
            (b"\xff", "not JSON"),
            (b"[" * 60000, "not JSON"),
            (b"[]", "format is not 1"),
            (b"{}", "format is not 1"),
            (b'{"format": 2}', "of a newer version"),
            (b"{}" + b" " * 65536, "larger than 65536 bytes"),
        ],
    )
    def test_a_marker_that_makes_no_sense(self, path: bytes, text: bytes, words: str) -> None:
        jails.create(path).close()
        marker(path).write_bytes(text)
        here = len(os.listdir("/dev/fd"))
        with pytest.raises(JailError, match=words) as caught:
            jails.open_jail(os.fsdecode(path))
        assert str(marker(path)) in str(caught.value)
        assert len(os.listdir("/dev/fd")) == here

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.binary() | st.recursive(st.integers() | st.text(), st.lists).map(lambda value: json.dumps(value).encode())
    )
    def test_whatever_a_marker_holds(self, path: bytes, text: bytes) -> None:
        if jails.is_empty(path):
            jails.create(path).close()
        marker(path).write_bytes(text)
        with pytest.raises(RecordError):
            jails.open_jail(os.fsdecode(path))

    @pytest.mark.parametrize("kind", ["link", "fifo", "directory"])
    def test_a_marker_that_is_no_file(self, place: Path, path: bytes, kind: str) -> None:
        jails.create(path).close()
        marker(path).rename(place / "marker")
        if kind == "link":
            marker(path).symlink_to(place / "marker")
        elif kind == "fifo":
            os.mkfifo(marker(path))
        else:
            marker(path).mkdir()
        with pytest.raises(JailError, match=f"cannot read {marker(path)}: "):
            jails.open_jail(os.fsdecode(path))


class TestLocking:
    def test_one_at_a_time_by_name(self, path: bytes) -> None:
        with jails.create(path) as first:
            first.lock()
            with jails.open_jail(os.fsdecode(path)) as second:
                for check in (True, False):
                    with pytest.raises(BusyError, match=rf"in use by another run \(process {os.getpid()} since .*wait"):
                        second.lock(check)
                assert not second.locked
        with jails.open_jail(os.fsdecode(path)) as third:
            third.lock()

    def test_to_ask_is_not_to_take(self, path: bytes) -> None:
        with jails.create(path) as first:
            first.lock(check=True)
            assert not first.locked
            assert not os.path.lexists(jail_lock_path(first.root))

    def test_a_process_that_was_forked_holds_it_on(self, path: bytes) -> None:
        """Workers of a killed run may still write."""
        reader, writer = os.pipe()
        with jails.create(path) as first:
            first.lock()
            pid = start(lambda: os.read(reader, 1))
        with jails.open_jail(os.fsdecode(path)) as second:
            assert isinstance(refusal(second.lock), BusyError)
            os.write(writer, b"x")
            os.waitpid(pid, 0)
            second.lock()
        os.close(reader)
        os.close(writer)

    def test_nothing_in_the_jail_is_locked(self, path: bytes) -> None:
        """Root in the jail can hold whatever is in it, for ever: the directory and all files."""
        with jails.create(path) as made:
            (marker(path).parent / "lock").write_text("process 1 since ever: it is nearly done\n")
            held = [os.open(name, os.O_RDONLY) for name in (path, marker(path), marker(path).parent / "lock")]
            for fd in held:
                fcntl.flock(fd, fcntl.LOCK_EX)
            made.lock()
            assert made.locked
        with jails.open_jail(os.fsdecode(path)) as other:
            other.lock()
        for fd in held:
            os.close(fd)
        assert remove(os.fsdecode(path), False, False).changed
        assert not os.path.lexists(path)

    def test_files_that_nobody_holds_are_removed_by_the_next_run(self, path: bytes) -> None:
        with jails.create(path) as first:
            with jails.create(path + b".other") as other:
                files = [jail_lock_path(one.root) for one in (first, other)]
                first.lock_for_reading()
                with jails.open_jail(os.fsdecode(path)) as again:
                    again.lock_for_reading()
                other.lock()
                assert all(map(os.path.exists, files))
        with jails.open_jail(os.fsdecode(path + b".other")) as other:
            other.lock()
            assert [os.path.exists(file) for file in files] == [False, True]
            assert stat.S_IMODE(os.stat(os.path.dirname(files[0])).st_mode) == 0o700

    def test_files_that_are_removed_at_any_moment_are_made_again(
        self, path: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who has the lock of a jail is the only one, whenever other runs remove what nobody holds."""
        monkeypatch.setattr(time, "sleep", lambda _seconds: None)
        names = [os.fsdecode(path) + suffix for suffix in ("", ".2", ".3")]
        for name in names:
            jails.create(os.fsencode(name)).close()
        for number in itertools.count(1):
            with jails.open_jail(names[0]) as first, jails.open_jail(names[1]) as second:

                def run_others() -> None:
                    with jails.open_jail(names[2]) as third:
                        refusal(third.lock)
                    refusal(second.lock)

                with before_call(number, run_others) as calls:
                    first.lock()
                for held in filter(lambda jail: jail.locked, (first, second)):
                    with jails.open_jail(os.fsdecode(held.path)) as again:
                        assert isinstance(refusal(again.lock), BusyError)
            if calls.count < number:
                return

    def test_on_a_full_volume_a_jail_can_be_removed(self, path: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        with jails.create(path) as made:
            made.lock()  # so that the directory of locks is there
        with jails.create(path + b".other") as other:
            other.lock()  # so that the file of the first one is not

        def full(home: Root, rel: bytes, create: bool) -> int:
            if create and not os.path.exists(os.path.join(home.path, rel)):
                raise OperationError("open the lock", rel, "No space left on device", errno.ENOSPC)
            return opened(home, rel, create)

        opened = build_lock.open_lock
        monkeypatch.setattr(build_lock, "open_lock", full)
        with jails.open_jail(os.fsdecode(path)) as first, jails.open_jail(os.fsdecode(path)) as second:
            first.lock()
            assert isinstance(refusal(second.lock), BusyError)
        assert remove(os.fsdecode(path), False, False).changed

    def test_it_stays_with_a_jail_that_is_renamed(self, path: bytes) -> None:
        with jails.create(path) as made:
            made.lock()
            os.rename(path, path + b".other")
            with jails.open_jail(os.fsdecode(path + b".other")) as other:
                assert isinstance(refusal(other.lock), BusyError)

    @pytest.mark.parametrize("kind", ["link", "fifo", "hard link"])
    def test_a_lock_that_is_something_else(self, place: Path, path: bytes, kind: str) -> None:
        with jails.create(path) as made:
            build_lock = Path(os.fsdecode(jail_lock_path(made.root)))
            build_lock.parent.mkdir(exist_ok=True)
            victim = build_lock.parent.parent / "victim"
            victim.write_text("not ours")
            build_lock.unlink(missing_ok=True)
            if kind == "link":
                build_lock.symlink_to(victim)
            elif kind == "fifo":
                os.mkfifo(build_lock)
            else:
                os.link(victim, build_lock)
            for check in (False, True):
                with pytest.raises(JailError, match=f"the lock {build_lock}: "):
                    made.lock(check)
            build_lock.unlink()
        assert victim.read_text() == "not ours"


def test_adopting_adds_only_what_the_marker_needs(path: bytes) -> None:
    os.makedirs(path + b"/private/var", 0o711)
    with jails.Jail(path, Root(path), entry={"adopted": True}) as made:
        jails.mark_adopted(made)
        assert made.just_created == [b"private/var/db"]
        assert made.entry["adopted"] is True
    assert stat.S_IMODE(os.stat(path + b"/private/var").st_mode) == 0o711
    jails.open_jail(os.fsdecode(path)).close()


def test_a_home_directory_is_no_jail() -> None:
    with pytest.raises(InputError, match="choose a directory below it"):
        jails.jail_path("/Users/admin")
    assert jails.jail_path("/Users/admin/jails/a") == b"/Users/admin/jails/a"
