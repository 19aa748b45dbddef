# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""An image is inspected and unpacked in one pass: nobody sees what is not inspected, and a refusal leaves nothing."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import tarfile
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any, cast

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, JailError, OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.image import inspection, unpack
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.layer_reader import LayerReader
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.layout import blob_path, digest_of
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.one_pass import OnePassInspection
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs import remove
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import host
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.platform.linux import Linux
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.shared_stream import SLOT
from containers import contents
from foreign_images import archive, member, put
from killed_imports import DIED, IN_FULL, Spy, before_each_put
from volumes import volume

from .test_unpack import STATE, marker, unpacked

PLAIN = "application/vnd.oci.image.layer.v1.tar"
FINE = archive(member("bin/sh", data=b"x" * 1000, mode=0o4755), member("bin/ls"))


def killed(_self: Any) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The layers that are unpacked, each time."""
    found: list[str] = []
    for module in (inspection, unpack):
        original = module.open_layer

        def count(file: Any, blob: Any, where: str, original: Any = original) -> Any:
            found.append(blob.digest)
            return original(file, blob, where)

        monkeypatch.setattr(module, "open_layer", count)
    return found


def test_each_layer_is_read_once(place: Path, reads: list[str]) -> None:
    put(place, FINE, archive(member("bin/.wh.ls"), member("bin/cat")))
    unpacked(place)
    assert len(reads) == 2
    assert sorted(os.listdir(place / "new/bin")) == ["cat", "sh"]


@pytest.mark.parametrize("top", [[], [member("./", tarfile.DIRTYPE, mode=0o711)]])
def test_only_root_can_enter_what_is_not_inspected(
    place: Path, top: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(place, archive(*top, member("bin/sh", mode=0o4755)), FINE)
    seen = Spy(monkeypatch, place / "new")
    unpacked(place)
    assert seen.modes == {0o700}
    assert stat.S_IMODE((place / "new").stat().st_mode) == (0o711 if top else 0o755)


@pytest.mark.parametrize("last", [member("bin/x", tarfile.FIFOTYPE), member("a", data=bytes(5_000_000))])
def test_a_refusal_leaves_nothing(place: Path, last: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the directories that lead to the jail, however late it comes."""
    before = set(threading.enumerate())
    put(place, FINE, archive(member("bin/cat"), last))
    monkeypatch.setattr(host, "free_bytes", lambda path: 4_000_000)
    seen = Spy(monkeypatch, place / "some/where/new")
    with pytest.raises(Exception, match=r"neither file|needs more than"):
        unpack.unpack(str(place / "some/where/new"), str(place / "image"), "latest", False)
    assert seen.modes <= {0o700}
    assert not (place / "some").exists()
    assert set(threading.enumerate()) <= before


def test_what_a_killed_run_made_of_a_refused_image_goes(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(place, FINE, archive(member("bin/cat", data=bytes(IN_FULL)), member("bin/x", tarfile.FIFOTYPE)))
    with monkeypatch.context() as patch:
        Spy(patch, place / "new", stop="bin/cat")
        with pytest.raises(JailError, match=DIED):
            unpacked(place)
    assert (marker(place / "new")["closed"], stat.S_IMODE((place / "new").stat().st_mode)) == (True, 0o700)
    with pytest.raises(InputError, match="neither file"):
        unpacked(place, check=True)
    assert (place / "new").exists()
    with pytest.raises(InputError, match="neither file"):
        unpacked(place)
    assert not (place / "new").exists()


def test_a_killed_run_is_opened_by_the_next(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(place, archive(member("./", tarfile.DIRTYPE, mode=0o711), member("bin/sh")), FINE, archive(member("last")))
    unpacked(place, "other")
    with monkeypatch.context() as patch:
        Spy(patch, place / "new", stop="last")
        with pytest.raises(JailError, match=DIED):
            unpacked(place)
    unpacked(place)
    assert "closed" not in marker(place / "new")
    assert contents(place / "new", (STATE,)) == contents(place / "other", (STATE,))
    assert stat.S_IMODE((place / "new").stat().st_mode) == 0o711


@pytest.mark.parametrize("why", ["a whiteout that comes late", "little room"])
def test_what_cannot_be_done_in_one_pass_is_done_in_two(
    place: Path, reads: list[str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = [member("bin/new"), member(".wh.bin")]
    put(place, FINE, archive(*late))
    if why == "little room":
        put(place, FINE)
        monkeypatch.setattr(host, "free_bytes", lambda path: 1500)
    unpacked(place)
    assert len(reads) == (3 if why == "little room" else 6)
    assert sorted(os.listdir(place / "new/bin")) == (["ls", "sh"] if why == "little room" else ["new"])
    assert stat.S_IMODE((place / "new").stat().st_mode) == 0o755


def test_nothing_stays_of_what_no_digest_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when the run that put it there was killed and the layer is whole by now."""
    last = member("large", data=bytes(IN_FULL))
    good, bad = (archive(member("bin/sh"), member(name, mode=0o4755), last) for name in ("fine", "evil"))
    put(place, good, pack=lambda data: data, kind=PLAIN)
    blob = place / "image" / os.fsdecode(blob_path(digest_of(good)))
    blob.write_bytes(bad)
    with monkeypatch.context() as patch:
        patch.setattr(LayerReader, "digests", killed)
        with pytest.raises(KeyboardInterrupt):
            unpacked(place)
    assert (place / "new/evil").exists()
    blob.write_bytes(good)
    unpacked(place)
    assert sorted(os.listdir(place / "new")) == ["bin", "fine", "large", "private"]


@pytest.mark.parametrize("filled", ["some/where/else", "some/else"])
def test_directories_that_somebody_uses_meanwhile_stay(
    place: Path, filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(place, archive(member("bin/cat", data=bytes(IN_FULL)), member("bin/x", tarfile.FIFOTYPE)))
    before_each_put(monkeypatch, lambda _entry: (place / filled).mkdir(exist_ok=True))
    with pytest.raises(InputError, match="neither file"):
        unpack.unpack(str(place / "some/where/new"), str(place / "image"), "latest", False)
    assert (place / filled).exists()
    assert not (place / "some/where/new").exists()
    assert (place / "some/where").exists() == (filled == "some/where/else")


@pytest.mark.parametrize("check", [True, False])
def test_no_build_opens_what_is_not_inspected(place: Path, check: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    put(place, archive(member("bin/sh", mode=0o4755), member("bin/ls")))
    with monkeypatch.context() as patch:
        Spy(patch, place / "new", stop="bin/ls")
        with pytest.raises(JailError, match=DIED):
            unpacked(place)
    with pytest.raises(InputError, match="complete it with darwin_jail_image"):
        build(spec(place), check)
    assert stat.S_IMODE((place / "new").stat().st_mode) == 0o700


def test_a_jail_that_a_build_finished_is_no_image(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not said to be the image when that comes again."""
    put(place, archive(member("bin/sh"), member("bin/ls")))
    (place / "new").mkdir()
    with monkeypatch.context() as patch:
        Spy(patch, place / "new", stop="bin/ls")
        with pytest.raises(JailError, match=DIED):
            unpacked(place)
    build(spec(place), False)
    with pytest.raises(InputError, match="is there and not created from an image"):
        unpacked(place)
    assert not {"image", "layers"} & marker(place / "new").keys()


def test_a_directory_that_a_killed_removal_left_is_open_afterwards(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(place, archive(member("bin/x", tarfile.FIFOTYPE)))
    with monkeypatch.context() as patch:
        patch.setattr(remove, "locked_directory", killed)
        with pytest.raises(KeyboardInterrupt):
            unpacked(place)
    assert (place / "new").exists()
    shutil.rmtree(place / "image")
    put(place, FINE)
    unpacked(place)
    assert stat.S_IMODE((place / "new").stat().st_mode) == 0o755


def test_another_run_that_begins_when_the_place_is_free(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the Mac knows of its jail stays."""
    put(place, archive(member("bin/x", tarfile.FIFOTYPE)))
    original = host.remove_empty

    def begin(path: bytes) -> None:
        original(path)
        jails.create(path).close()

    monkeypatch.setattr(host, "remove_empty", begin)
    with pytest.raises(InputError, match="neither file"):
        unpacked(place)
    with jails.open_jail(str(place / "new")) as other:
        assert other.unknown == ""


def test_deep_paths_take_no_more_memory_than_names(place: Path) -> None:
    """A short archive can imply millions of directories with paths of a kilobyte."""
    found = OnePassInspection(cast("Any", None), os.fsencode(place), cast("Any", None))
    tracemalloc.start()
    try:
        for number in range(100):
            found._touch(b"%d" % number + b"/a" * 500)
        assert tracemalloc.get_traced_memory()[0] < 100 * 500 * 200
    finally:
        tracemalloc.stop()


def spec(place: Path) -> BuildSpec:
    (place / "source/bin").mkdir(parents=True)
    (place / "source/bin/tool").touch()
    return BuildSpec(str(place / "new"), str(place / "source"), entries=[{"src": "/bin/tool"}])


def test_a_whiteout_behind_files_of_its_directory_hides_none_of_them(place: Path) -> None:
    """The last entry of the layer below is in the same directory."""
    lower = archive(member("d/old")), archive(member("d/older"))
    put(place, *lower, archive(member("d/new"), member("d/.wh..wh..opq")))
    unpacked(place)
    assert os.listdir(place / "new/d") == ["new"]


# -- two processes -------------------------------------------------------------------------------


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The processes that were forked, with how many threads ran then."""
    found: list[tuple[int, int]] = []
    original = os.fork

    def fork() -> int:
        pid = original()
        found.append((pid, threading.active_count()))
        return pid

    monkeypatch.setattr(os, "fork", fork)
    return found


def see_ended(forks: list[tuple[int, int]]) -> None:
    for pid, _threads in forks:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


@pytest.mark.parametrize("in_two", [False, True])
def test_a_process_is_forked_while_no_thread_runs(
    place: Path, forks: list[tuple[int, int]], in_two: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the image was read before: one that is refused late, in one pass, is read again."""
    here, threads = set(os.listdir("/dev/fd")), threading.active_count()
    monkeypatch.setattr(host, "free_bytes", lambda path: 1500 if in_two else 1 << 40)
    put(place, FINE, archive(member("bin/cat")))
    unpacked(place)
    assert [count for _pid, count in forks] == [threads] * (1 + in_two)
    assert set(os.listdir("/dev/fd")) == here
    see_ended(forks)


def test_without_another_process_the_same_is_made(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(place, archive(member("./", tarfile.DIRTYPE, mode=0o711), member("bin/ls")), archive(member("bin/.wh.ls")))
    unpacked(place, "other")

    def fork() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    unpacked(place)
    assert contents(place / "new", (STATE,)) == contents(place / "other", (STATE,))


@pytest.mark.parametrize("in_two", [False, True])
def test_a_layer_counts_when_all_of_it_is_there(place: Path, in_two: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when it is on its way to the process that writes: the next run would not apply it again."""
    put(place, *(archive(member("bin/sh"), member(f"last{number}")) for number in (1, 2)))
    if in_two:
        (place / "new").mkdir()
    before_each_put(monkeypatch, lambda _entry: time.sleep(0.02))
    there: list[bool] = []
    original = jails.Jail.update_entry

    def update(self: jails.Jail, **values: Any) -> None:
        if values.get("layers"):
            there.append((place / f"new/last{values['layers']}").exists())
        original(self, **values)

    monkeypatch.setattr(jails.Jail, "update_entry", update)
    unpacked(place)
    assert there == [True, True]


def test_the_process_that_writes_has_ended_before_a_refused_jail_is_removed(
    place: Path, forks: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(place, archive(*(member(f"{n}", data=bytes(SLOT)) for n in range(9)), member("x", tarfile.FIFOTYPE)))
    original = remove.undo_create

    def undo(jail: jails.Jail) -> None:
        see_ended(forks)
        original(jail)

    monkeypatch.setattr(unpack, "undo_create", undo)
    with pytest.raises(InputError, match="neither file"):
        unpacked(place)
    assert (len(forks), (place / "new").exists()) == (1, False)


def test_attributes_that_the_volume_refuses_are_said(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Linux, "set_xattr", lambda *_args: "no room")
    put(place, archive(member("a", pax_headers={"SCHILY.xattr.user.x": "y"})))
    assert unpacked(place).warnings[-1].endswith("is refused on this volume, user.x (no room)")


def test_a_volume_that_fills_up_is_said_and_the_next_run_finishes(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others took the space that was free when it began."""
    data = os.urandom(5_000_000)
    put(place, archive(member("bin/sh"), member("large", data=data), member("last")))
    with volume("tmpfs", place / "small", megabytes=3) as point:
        monkeypatch.setattr(host, "free_bytes", lambda path: 1 << 40)
        with pytest.raises(OperationError, match=r"^cannot create .*/new/large: No space left on device$"):
            unpacked(place, "small/new")
        subprocess.run(["mount", "-o", "remount,size=30m", point], check=True)
        unpacked(place, "small/new")
        assert (point / "new/large").read_bytes() == data
        assert (point / "new/last").exists()
