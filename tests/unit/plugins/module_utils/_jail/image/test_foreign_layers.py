# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Images of others become jails: what no image should hold, and what theirs hold that an export never writes."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import stat
import subprocess
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, JailError
from ansible_collections.darwin.jail.plugins.module_utils._jail.image import inspection, layer_reader, unpack
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.layer_reader import Entry
from ansible_collections.darwin.jail.plugins.module_utils._jail.limits import Limit
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import host
from containers import contents
from foreign_images import archive, member, put
from killed_imports import DIED, Spy, before_each_put

from .test_unpack import STATE, marker, unpacked

LOOP = [
    member("a", tarfile.SYMTYPE, "/etc"),
    member("a/b", data=b"through the link"),
]
HOSTILE = {
    "absolute": ([member("/etc/passwd", data=b"x")], "is an absolute path"),
    "dots": ([member("usr/../../etc/passwd", data=b"x")], r"contains '\.\.'"),
    "link out": ([member("usr/out", tarfile.SYMTYPE, "../../etc")], "climbs out of the jail"),
    "through a link": (LOOP, "lies below a, which is not a directory"),
    "through a file": ([member("a", data=b"x"), member("a/b")], "lies below a, which is not a directory"),
    "hard link out": ([member("a", tarfile.LNKTYPE, "/etc/passwd")], "not an earlier file of the image"),
    "hard link up": ([member("a", tarfile.LNKTYPE, "../../etc/passwd")], "not an earlier file of the image"),
    "hard link to a directory": ([member("b", tarfile.LNKTYPE, "usr/bin")], "not an earlier file of the image"),
    "hard link to itself": (
        [member("usr/bin/fine", tarfile.LNKTYPE, "usr/bin/fine")],
        "not an earlier file of the image",
    ),
    "hard link to what is hidden": (
        [member("b", tarfile.LNKTYPE, "usr/bin/fine"), member("usr/bin/.wh.fine")],
        "is a hard link to usr/bin/fine, which is not an earlier file of the image, or is hidden",
    ),
    "hidden below a file": ([member("usr/bin/fine/.wh.x")], "lies below usr/bin/fine, which is not a directory"),
    "emptied file": ([member("usr/bin/fine/.wh..wh..opq")], "lies below usr/bin/fine, which is not a directory"),
    "below a replaced directory": (
        [member("usr/bin", data=b"x"), member("usr/bin/x")],
        "lies below usr/bin, which is not a directory",
    ),
    "long name": ([member("d/" + "x" * 256)], "has a name of more than 255 bytes"),
    "long target": ([member("a", tarfile.SYMTYPE, "x" * 1024)], "longer than a path can be"),
    "attribute": ([member("a", pax_headers={"SCHILY.xattr." + "x" * 128: "1"})], "attribute without a proper name"),
    "disk": ([member("dev/disk0", tarfile.BLKTYPE, devmajor=8)], "neither file, directory nor link"),
    "memory": ([member("dev/mem", tarfile.CHRTYPE, devmajor=1, devminor=1)], "a device that a jail has no use for"),
    "fifo": ([member("a", tarfile.FIFOTYPE)], "neither file, directory nor link"),
    "marker": ([member(f"{STATE}/jail.json", data=b"{}")], "where the collection keeps its own files"),
    "marker hidden": ([member("private/var/.wh.db")], "cannot be replaced or hidden"),
    "all hidden": ([member(".wh..wh..opq")], "cannot be replaced or hidden"),
    "marker's parent": ([member("private", tarfile.SYMTYPE, "/var")], "cannot be replaced or hidden"),
    "owner": ([member("a", uid=2**70)], "an owner that is not possible"),
    "long": ([member("d/" * 900)], "longer than a path can be"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_archives(place: Path, what: str) -> None:
    members, message = HOSTILE[what]
    put(place, archive(member("usr/bin/fine", data=b"fine")), archive(*members))
    for check in (True, False):
        with pytest.raises(InputError, match=f"refusing the layer sha256:.* in it .*{message}"):
            unpacked(place, check=check)
    assert not (place / "new").exists()


@pytest.mark.parametrize("hostile", ["zeros", "header", "inside", "time", "negative", "no tar", "no gzip", "nothing"])
def test_bombs_and_rubbish(place: Path, hostile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_reader, "EXPANSION_FREE", 1 << 20)
    header = tarfile.TarInfo("a")
    header.type, header.size = b"x", 1 << 40
    data = {
        "zeros": archive(member("zeros", data=bytes(1 << 26))),
        "header": header.tobuf(tarfile.USTAR_FORMAT if header.size < 1 << 33 else tarfile.GNU_FORMAT) + bytes(4096),
        "inside": archive(member("a", data=os.urandom(4096)))[:2048],
        "time": archive(member("a", pax_headers={"mtime": "inf"})),
        "negative": archive(member("a", pax_headers={"size": "-512"})),
        "no tar": b"not a tar archive" * 100,
        "no gzip": archive(member("a")),
        "nothing": b"",
    }[hostile]
    put(place, data, pack=(lambda plain: plain) if hostile == "no gzip" else gzip.compress)
    with pytest.raises(JailError, match=r"^[a-z]"):
        unpacked(place)
    assert not (place / "new").exists()


def test_entries_without_end(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of all layers count together, whatever they are."""
    monkeypatch.setattr(inspection, "IMAGE_ENTRIES", Limit(3, "entries", "of a test"))
    put(place, archive(member("a"), member(".wh.b")), archive(member("d", tarfile.DIRTYPE), member("a")))
    with pytest.raises(InputError, match="it has more than 3 entries, which is the limit: of a test"):
        unpacked(place)
    assert not (place / "new").exists()


@pytest.mark.parametrize("volume", ["exact", "folding"])
def test_directories_without_end_that_entries_only_imply(
    place: Path, request: pytest.FixtureRequest, volume: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "IMAGE_ENTRIES", Limit(30, "entries", "of a test"))
    put(place, archive(member("a/b/c/d"), member("a/b/c/e"), *(member(f"a/b/{name}") for name in "cdefg")))
    unpacked(place, check=True)
    put(place, archive(*(member(f"{number}/" + "x/" * 9) for number in range(4))))
    where = (request.getfixturevalue("folded") if volume == "folding" else place) / "new"
    with pytest.raises(InputError, match="it has more than 30 entries, which is the limit: of a test"):
        unpack.unpack(str(where), str(place / "image"), "latest", False)
    assert not where.exists()


def test_long_names_of_whiteouts_are_not_kept(place: Path) -> None:
    """A name of 1 MB that says ./ again and again takes 1 kB in a layer."""
    longest = [member("./" * (1 << 19) + f"d/.wh.{number}") for number in range(40)]
    put(
        place,
        archive(member("d", tarfile.DIRTYPE), *(member(f"d/{number}") for number in range(40))),
        archive(*longest),
    )
    tracemalloc.start()
    try:
        unpacked(place)
        assert tracemalloc.get_traced_memory()[1] < 30 << 20
    finally:
        tracemalloc.stop()
    assert not any((place / "new/d").iterdir())


def test_no_room(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(place, archive(member("a", data=os.urandom(5000))))
    monkeypatch.setattr(host, "free_bytes", lambda path: 4000)
    with pytest.raises(JailError, match=r"needs more than 5.0 kB, 4.0 kB free"):
        unpacked(place)
    assert not (place / "new").exists()


def test_whiteouts(place: Path) -> None:
    lower = archive(
        member("usr", tarfile.DIRTYPE, mode=0o755),
        *(member(f"usr/{name}", data=b"low") for name in ("gone", "kept", "d/one", "d/two", "e/one")),
        member("link", tarfile.SYMTYPE, "usr"),
    )
    upper = archive(
        member("usr/new", data=b"up"),
        member("usr/d/three", data=b"up"),
        member("usr/d/.wh..wh..opq"),
        member("usr/.wh.gone"),
        member("usr/.wh.e"),
        member("link", tarfile.DIRTYPE, mode=0o700),
        member("link/file", data=b"no link any more"),
    )
    put(place, lower, upper)
    unpacked(place)
    found = {path for path in contents(place / "new", ("private",)) if path != "."}
    assert found == {"usr", "usr/kept", "usr/new", "usr/d", "usr/d/three", "link", "link/file"}


def test_whiteouts_hide_what_is_below_alone(place: Path) -> None:
    """Wherever they are: what is of their own layer stays, what takes the place of a file needs no whiteout."""
    lower = archive(
        member("a", data=b"low"), member("d", tarfile.DIRTYPE, mode=0o700), member("d/low"), member("f", data=b"low")
    )
    upper = archive(
        member("a/new"),  # before the whiteout that makes room for it
        member(".wh.a"),
        member("d/new"),
        member(".wh.d"),
        member("f", tarfile.DIRTYPE, mode=0o755),
        member("f/.wh..wh..opq"),  # as Docker writes what takes the place of something else
        member("f/new"),
        member("gone/.wh.nothing"),
        member("own"),
        member(".wh.own"),
    )
    put(place, lower, upper)
    unpacked(place)
    found = {path for path in contents(place / "new", ("private",)) if path != "."}
    assert found == {"a", "a/new", "d", "d/new", "f", "f/new", "own"}
    assert stat.S_IMODE((place / "new/d").stat().st_mode) == 0o755
    assert not unpacked(place).changed


def test_a_hard_link_to_a_symbolic_one_is_another_name_of_the_link(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = archive(
        member("a", tarfile.SYMTYPE, "/etc/passwd", uid=501),
        member("b", tarfile.LNKTYPE, "a"),
        member("c", tarfile.LNKTYPE, "b"),
        member("c", tarfile.LNKTYPE, "b"),
    )
    put(place, layer)
    unpacked(place, "linked")
    assert (place / "linked/a").lstat().st_ino == (place / "linked/c").lstat().st_ino
    assert os.listdir(place / "linked" / STATE / "stage") == []
    link = os.link

    def refusing(source: bytes, target: bytes, **more: Any) -> None:
        if stat.S_ISLNK(os.stat(source, dir_fd=more["src_dir_fd"], follow_symlinks=False).st_mode):
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
        link(source, target, **more)

    monkeypatch.setattr(os, "link", refusing)  # as on HFS+
    unpacked(place, "equal")
    for name in "abc":
        assert os.readlink(place / "equal" / name) == "/etc/passwd"
        assert (place / "equal" / name).lstat().st_uid == 501
        assert (place / "equal" / name).lstat().st_nlink == 1


def test_a_directory_that_comes_again_has_the_attributes_of_the_last_entry(place: Path) -> None:
    lower = member(
        "d", tarfile.DIRTYPE, mode=0o755, pax_headers={"SCHILY.xattr.user.a": "1", "SCHILY.xattr.user.b": "1"}
    )
    upper = member("d", tarfile.DIRTYPE, mode=0o700, pax_headers={"SCHILY.xattr.user.b": "2"})
    put(place, archive(lower, member("d/f")), archive(upper))
    unpacked(place)
    assert {key: os.getxattr(place / "new/d", key) for key in os.listxattr(place / "new/d")} == {"user.b": b"2"}
    assert stat.S_IMODE((place / "new/d").stat().st_mode) == 0o700
    assert (place / "new/d/f").exists()


UNREPEATABLE = {
    "a directory": [member("d/new"), member("d", data=b"file")],
    "what is linked to": [member("new", tarfile.LNKTYPE, "d/low"), member("d/low", data=b"other")],
    "where it lies": [member("new", tarfile.LNKTYPE, "d/low"), member("d", tarfile.SYMTYPE, "new")],
}


@pytest.mark.parametrize("what", UNREPEATABLE)
def test_a_killed_run_of_a_layer_that_replaces_what_it_needs(
    place: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(place, archive(member("d/low", data=b"low"), member("low")), archive(*UNREPEATABLE[what], member("last")))
    unpacked(place)
    with monkeypatch.context() as patch:
        Spy(patch, place / "killed", stop="last")
        with pytest.raises(JailError, match=DIED):
            unpacked(place, "killed")
    assert (place / "killed/low").exists()
    assert unpacked(place, "killed").changed
    assert contents(place / "killed", (STATE,)) == contents(place / "new", (STATE,))
    assert marker(place / "killed")["state"] == "complete"


@pytest.mark.parametrize("vendor", ["oci.image.layer.v1", "docker.image.rootfs.diff"])
def test_layers_that_are_not_packed(place: Path, vendor: str) -> None:
    data = archive(member("a", data=os.urandom(700_000)), member("b", data=bytes(1 << 20)))
    put(place, data, pack=lambda plain: plain, kind=f"application/vnd.{vendor}.tar")
    assert unpacked(place).changed
    assert (place / "new/b").read_bytes() == bytes(1 << 20)
    shutil.rmtree(place / "image")
    put(place, data, kind=f"application/vnd.{vendor}.tar")
    with pytest.raises(InputError, match="not a tar archive, or is damaged"):
        unpacked(place, "other")
    put(place, data, kind="application/vnd.oci.image.layer.v1.tar+lz4")
    with pytest.raises(InputError, match=r"type application/.*lz4: only tar, plain or packed by gzip or zstd, is read"):
        unpacked(place, "other")


def test_gzip_in_pieces(place: Path) -> None:
    """As pigz and eStargz make it."""
    data = archive(member("a", data=b"a" * 3000), member("b", data=b"b" * 70000))
    put(place, data, pack=lambda plain: b"".join(gzip.compress(plain[n : n + 999]) for n in range(0, len(plain), 999)))
    unpacked(place)
    assert (place / "new/b").read_bytes() == b"b" * 70000


def test_a_device_has_the_number_error(place: Path) -> None:
    put(place, archive(member("dev/null", tarfile.CHRTYPE, devmajor=99, devminor=99, mode=0o666)))
    unpacked(place)
    status = (place / "new/dev/null").lstat()
    assert stat.S_ISCHR(status.st_mode)
    assert status.st_rdev == os.stat("/dev/null").st_rdev


def test_a_link_swapped_in_does_not_lead_out(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody in the jail exchanges a directory while it is unpacked."""
    (place / "host").mkdir()
    put(place, archive(member("d", tarfile.DIRTYPE, mode=0o777), member("d/file", data=b"x")))

    def swap(entry: Entry) -> None:
        if entry.path == b"d/file":
            subprocess.run(["rm", "-rf", place / "new/d"], check=True)
            (place / "new/d").symlink_to(place / "host")

    before_each_put(monkeypatch, swap)
    with pytest.raises(JailError, match=r"cannot open directory|a symbolic link or a file is in the way"):
        unpacked(place)
    assert list((place / "host").iterdir()) == []


@pytest.mark.parametrize("name", ["./", "private/", "private/var/", "private/var/db/"])
@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o2775])
def test_what_protects_the_state_stays_roots(place: Path, name: str, mode: int) -> None:
    """Whatever an image says of it: nobody else can put another directory in its place."""
    layer = archive(member(name, tarfile.DIRTYPE, mode=mode, uid=501, gid=20), member("usr/", tarfile.DIRTYPE, uid=501))
    put(place, layer)
    unpacked(place)
    status = (place / "new" / name).stat()
    assert (status.st_uid, status.st_gid) == (0, 20)
    assert not status.st_mode & 0o022 or status.st_mode & stat.S_ISVTX
    assert (place / "new/usr").stat().st_uid == 501
    assert marker(place / "new")["state"] == "complete"
    mover = ["setpriv", "--reuid", "501", "--regid", "20", "--clear-groups", "mv"]
    ended = subprocess.run([*mover, place / "new" / STATE, place / "new/x"], check=False, capture_output=True)
    assert ended.returncode
    assert not unpacked(place).changed


@pytest.mark.parametrize("said", [{"os": "", "architecture": ""}, {"os": None, "architecture": None}, {"os": ""}])
def test_an_image_that_does_not_say_for_what_it_is(place: Path, said: dict[str, str | None]) -> None:
    """As crane append makes one without a base; what is said must be right."""
    put(place, archive(member("a")), says=said)
    assert "does not state its system and processor" in unpacked(place, check=True).warnings[0]
    assert unpacked(place).changed
    put(place, archive(member("a")), says={**said, "architecture": "s390x"})
    with pytest.raises(InputError, match=r"is for (unknown|darwin)/s390x, this Mac is darwin/"):
        unpacked(place, "other")
