# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""An image becomes a jail: ours, one that others changed, and what no image should hold."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._sys import host
from ansible_collections.darwin.jail.plugins.module_utils._sys.limits import Limit
from ansible_collections.darwin.jail.plugins.module_utils.errors import InputError, JailError
from ansible_collections.darwin.jail.plugins.module_utils.image import applying, inspection, present, unpacking, zstd
from ansible_collections.darwin.jail.plugins.module_utils.image.config import GO_NAMES, Layer, Settings, manifest
from ansible_collections.darwin.jail.plugins.module_utils.image.export import export
from ansible_collections.darwin.jail.plugins.module_utils.image.layout import (
    CONFIG_TYPE,
    MANIFEST_TYPE,
    Descriptor,
    digest_of,
    encode,
    open_layout,
)
from ansible_collections.darwin.jail.plugins.module_utils.macos import architecture
from ansible_collections.darwin.jail.plugins.module_utils.result import Result
from containers import contents
from image_jails import Make
from volumes import volume

STATE = "private/var/db/darwin.jail"
TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTIED = ("private/tmp/", "private/var/folders/", "private/var/log/", "private/var/run/", STATE)
LEFT_OUT = (*EMPTIED, "private/etc/fifo", "private/etc/socket", "Users/admin/._", "Users/admin/.DS_Store")


def unpacked(place: Path, name: str = "new", check: bool = False, image: str = "latest") -> Result:
    return present.unpack(str(place / name), str(place / "image"), image, check)


def test_what_a_jail_lacks_by_how_its_volume_is_mounted_is_said_before(image: Path, place: Path) -> None:
    with volume("tmpfs", place / "external", options="nodev,nosuid"):
        said = unpacked(place, "external/new", check=True).warnings
    assert ["nodev" in said[0], "nosuid" in said[1]] == [True, True]


def marker(jail: Path) -> dict[str, Any]:
    return dict(json.loads((jail / STATE / "jail.json").read_bytes()))


def test_the_same_tree_in_four_runs(image: Path, place: Path) -> None:
    foretold = unpacked(place, check=True)
    assert foretold.changed
    assert not (place / "new").exists()
    done = unpacked(place)
    assert (done.changed, done.diff) == (True, foretold.diff)
    assert contents(place / "new", (STATE,)) == contents(place / "jail", LEFT_OUT)
    made = marker(place / "new")
    assert (made["state"], made["image"], made["macos_version"]) == ("complete", done.values["digest"], "15.2")
    assert not unpacked(place, check=True).changed
    assert not unpacked(place).changed


def test_an_image_of_an_image(image: Path, place: Path) -> None:
    """Equal, although the jail is at another place and was made in another way."""
    first = unpacked(place)
    again = export(str(place / "new"), str(place / "second"), "latest", Settings(), False)
    assert again.values["digest"] == first.values["digest"]


@pytest.mark.parametrize("moment", [1, 5, 12, 20])
def test_a_killed_run_is_finished(image: Path, place: Path, moment: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = os.fork()
    if not pid:
        calls: list[int] = []
        original = applying.Applier._put

        def put(self: applying.Applier, *args: Any) -> None:
            calls.append(1)
            if len(calls) == moment:
                os._exit(9)
            original(self, *args)

        monkeypatch.setattr(applying.Applier, "_put", put)
        unpacked(place)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    assert marker(place / "new")["state"] == "building"
    with pytest.raises(InputError, match="is not complete"):
        export(str(place / "new"), str(place / "second"), "latest", Settings(), False)
    assert unpacked(place, check=True).changed
    assert unpacked(place).changed
    assert contents(place / "new", (STATE,)) == contents(place / "jail", LEFT_OUT)
    assert os.listdir(place / "new" / STATE / "stage") == []


def test_what_is_unpacked_goes_into_the_jail_of_that_path(image: Path, place: Path) -> None:
    """Not into another one, whose path is what is shown of the first one's."""
    one, other = "k\u00a0x", "k\\xa0x"
    for name in (one, other):
        jails.create(os.fsencode(place / name)).close()
    unpacked(place, one)
    assert (place / one / "usr").is_dir()
    assert marker(place / one)["state"] == "complete"
    assert (sorted(os.listdir(place / other)), marker(place / other)["state"]) == (["private"], "building")


def test_only_one_jail_of_another_image_or_none(image: Path, place: Path, make_jail: Make) -> None:
    unpacked(place)
    with pytest.raises(InputError, match="is there and not made of an image"):
        unpacked(place, "jail")
    (place / "jail/opt/homebrew/bin/new").touch()
    export(str(place / "jail"), str(place / "image"), "latest", Settings(), False)
    with pytest.raises(InputError, match=r"is there and of the image sha256:.* exchange the two"):
        unpacked(place)


def test_damage_is_found_before_anything_is_made(image: Path, place: Path) -> None:
    for blob in sorted((image / "blobs/sha256").iterdir()):
        data = blob.read_bytes()
        for damaged in (data[:-1], data[:-9] + bytes([data[-9] ^ 1]) + data[-8:], b""):
            blob.write_bytes(damaged)
            with pytest.raises(InputError, match=r"missing|damaged|not what its digest says|ends in the middle"):
                unpacked(place)
        blob.write_bytes(data)
    assert not (place / "new").exists()


def test_wrong_images(image: Path, place: Path) -> None:
    with pytest.raises(InputError, match=r"holds no image named v2 \(it holds latest\)"):
        unpacked(place, image="v2")
    other = {"amd64": "arm64", "arm64": "amd64"}[GO_NAMES[architecture()]]
    export(str(place / "jail"), str(place / "image"), "other", Settings(architecture=other), False)
    with pytest.raises(InputError, match=f"is for darwin/{other}, this Mac is darwin/"):
        unpacked(place, image="other")


# -- images of others -----------------------------------------------------------------

Members = list[tuple[tarfile.TarInfo, bytes]]


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", data: bytes = b"", **more: Any) -> Members:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(data)
    for key, value in more.items():
        setattr(info, key, value)
    return [(info, data)]


def archive(*members: Members) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as made:
        for info, data in (one for several in members for one in several):
            made.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def put(place: Path, *layers: bytes, pack: Callable[[bytes], bytes] = gzip.compress) -> None:
    """An image of these layers, as somebody else may make it."""
    store = open_layout(os.fsencode(place / "image"), check=False)
    found = []
    for data in layers:
        blob = store.put(TYPE, pack(data))
        found.append(Layer("theirs", digest_of(data), Descriptor(TYPE, blob.digest, blob.size)))
    config = {
        "os": "darwin",
        "architecture": GO_NAMES[architecture()],
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in found]},
    }
    described = store.put(MANIFEST_TYPE, encode(manifest(store.put(CONFIG_TYPE, encode(config)), found)))
    store.add("latest", described.as_json())
    store.close()


LOOP = [
    member("a", tarfile.SYMTYPE, "/etc"),
    member("a/b", data=b"through the link"),
]
HOSTILE = {
    "absolute": ([member("/etc/passwd", data=b"x")], "is an absolute path"),
    "dots": ([member("usr/../../etc/passwd", data=b"x")], r"holds '\.\.'"),
    "link out": ([member("usr/out", tarfile.SYMTYPE, "../../etc")], "climbs out of the jail"),
    "through a link": (LOOP, "lies below a, which is no directory"),
    "through a file": ([member("a", data=b"x"), member("a/b")], "lies below a, which is no directory"),
    "hard link out": ([member("a", tarfile.LNKTYPE, "/etc/passwd")], "no earlier file of the image"),
    "hard link up": ([member("a", tarfile.LNKTYPE, "../../etc/passwd")], "no earlier file of the image"),
    "hard link to a link": (
        [member("a", tarfile.SYMTYPE, "/etc/passwd"), member("b", tarfile.LNKTYPE, "a")],
        "no earlier file of the image",
    ),
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
    monkeypatch.setattr(unpacking, "EXPANSION_FREE", 1 << 20)
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


def test_gzip_in_pieces(place: Path) -> None:
    """As pigz and eStargz make it."""
    data = archive(member("a", data=b"a" * 3000), member("b", data=b"b" * 70000))
    put(place, data, pack=lambda plain: b"".join(gzip.compress(plain[n : n + 999]) for n in range(0, len(plain), 999)))
    unpacked(place)
    assert (place / "new/b").read_bytes() == b"b" * 70000


def test_a_device_has_the_numbers_of_the_mac(place: Path) -> None:
    put(place, archive(member("dev/null", tarfile.CHRTYPE, devmajor=99, devminor=99, mode=0o666)))
    unpacked(place)
    status = (place / "new/dev/null").lstat()
    assert stat.S_ISCHR(status.st_mode)
    assert status.st_rdev == os.stat("/dev/null").st_rdev


def test_a_link_swapped_in_does_not_lead_out(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody in the jail exchanges a directory while it is unpacked."""
    (place / "host").mkdir()
    put(place, archive(member("d", tarfile.DIRTYPE, mode=0o777), member("d/file", data=b"x")))
    original = applying.Applier._put

    def swap(self: applying.Applier, entry: Any, stream: Any) -> None:
        if entry.path == b"d/file":
            subprocess.run(["rm", "-rf", place / "new/d"], check=True)
            (place / "new/d").symlink_to(place / "host")
        original(self, entry, stream)

    monkeypatch.setattr(applying.Applier, "_put", swap)
    with pytest.raises(JailError, match=r"cannot open directory|a symbolic link or a file is in the way"):
        unpacked(place)
    assert list((place / "host").iterdir()) == []


# -- zstd ---------------------------------------------------------------------------


@pytest.fixture
def by_zstd(make_jail: Make, place: Path) -> Path:
    if not shutil.which("zstd"):
        pytest.skip("zstd is not here")
    export(str(make_jail("jail")), str(place / "image"), "latest", Settings(compression="zstd"), False)
    return place / "image"


def test_layers_packed_by_zstd(by_zstd: Path, place: Path) -> None:
    again = export(str(place / "jail"), str(by_zstd), "latest", Settings(compression="zstd"), False)
    assert not again.changed
    plain = export(str(place / "jail"), str(place / "plain"), "latest", Settings(), False)
    ids = [[layer["diff_id"] for layer in result.values["layers"]] for result in (again, plain)]
    assert ids[0] == ids[1]
    assert not {layer["digest"] for layer in again.values["layers"]} & {row["digest"] for row in plain.values["layers"]}
    assert unpacked(place).changed
    assert contents(place / "new", (STATE,)) == contents(place / "jail", LEFT_OUT)


def test_zstd_packs_it_as_its_program_would(by_zstd: Path) -> None:
    plain = subprocess.run(["zstd", "-dc", packed_by_zstd(by_zstd)], check=True, capture_output=True).stdout
    assert tarfile.open(fileobj=io.BytesIO(plain)).getmembers()


def packed_by_zstd(image: Path) -> Path:
    """The largest layer."""
    found = [path for path in (image / "blobs/sha256").iterdir() if path.read_bytes()[:4] == b"\x28\xb5\x2f\xfd"]
    return max(found, key=lambda path: path.stat().st_size)


@pytest.mark.parametrize("damage", ["cut", "changed", "longer", "another"])
def test_a_damaged_layer_of_zstd(by_zstd: Path, place: Path, damage: str) -> None:
    blob = packed_by_zstd(by_zstd)
    data = blob.read_bytes()
    half = len(data) // 2
    blob.write_bytes(
        {
            "cut": data[:half] + bytes(len(data) - half),
            "changed": data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :],
            "longer": data[:-4] + b"none",
            "another": gzip.compress(data)[: len(data)].ljust(len(data), b"x"),
        }[damage]
    )
    with pytest.raises(InputError, match=r"damaged|is not what its digest says"):
        unpacked(place)
    assert not (place / "new").exists()


def test_a_mac_without_zstd(make_jail: Make, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_jail("jail")
    monkeypatch.setattr(zstd, "PLACES", (str(place),))
    with pytest.raises(InputError, match=r"there is no zstd in .*brew install zstd"):
        export(str(place / "jail"), str(place / "image"), "latest", Settings(compression="zstd"), False)


def test_a_bomb_of_zstd(by_zstd: Path, place: Path) -> None:
    zeros = subprocess.run(["zstd", "-c", "-19"], input=bytes(200 << 20), check=True, capture_output=True).stdout
    with (
        pytest.raises(InputError, match="it expands to more than 120 times its size"),
        closing(zstd.UnpackedZstd(io.BytesIO(zeros), len(zeros), "the layer")) as stream,
    ):
        stream.digests()


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
