# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""An image becomes a jail: one of an export, one that others changed, and what no image should hold."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.image import unpack, zstd
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.config import GO_NAMES, Settings
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.export import export
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos.release import architecture
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from containers import contents
from foreign_images import archive, member
from image_jails import Make
from killed_imports import DIED, IN_FULL, KillAt, Spy
from system_calls import in_child, refusal
from volumes import volume

STATE = "private/var/db/darwin.jail"
TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTIED = ("private/tmp/", "private/var/folders/", "private/var/log/", "private/var/run/", STATE)
LEFT_OUT = (*EMPTIED, "private/etc/fifo", "private/etc/socket", "Users/admin/._", "Users/admin/.DS_Store")


def unpacked(place: Path, name: str = "new", check: bool = False, image: str = "latest") -> Result:
    return unpack.unpack(str(place / name), str(place / "image"), image, check)


def test_what_a_jail_lacks_by_how_its_volume_is_mounted_is_said_before(image: Path, place: Path) -> None:
    with volume("tmpfs", place / "external", options="nodev,nosuid"):
        said = unpacked(place, "external/new", check=True).warnings
    assert ["nodev" in said[0], "nosuid" in said[1]] == [True, True]


def marker(jail: Path) -> dict[str, Any]:
    return dict(json.loads((jail / STATE / "jail.json").read_bytes()))


def test_the_same_tree_in_four_runs(image: Path, place: Path) -> None:
    predicted = unpacked(place, check=True)
    assert predicted.changed
    assert not (place / "new").exists()
    done = unpacked(place)
    assert (done.changed, done.diff) == (True, predicted.diff)
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
@pytest.mark.parametrize("process", [os.getpid, os.getppid], ids=["the one that writes", "the one that reads"])
def test_a_killed_run_is_finished(
    image: Path, place: Path, moment: int, process: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        KillAt(patch, moment, process)
        said = Path(place / "said")
        status = in_child(lambda: said.write_text(str(refusal(lambda: unpacked(place)))))
    if process is os.getpid:
        assert (status, bool(re.match(DIED, said.read_text()))) == (0, True)
    else:
        assert status == -signal.SIGKILL
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
    with pytest.raises(InputError, match="is there and not created from an image"):
        unpacked(place, "jail")
    (place / "jail/opt/homebrew/bin/new").touch()
    export(str(place / "jail"), str(place / "image"), "latest", Settings(), False)
    with pytest.raises(InputError, match=r"is there and of the image sha256:.* swap the two"):
        unpacked(place)


def test_damage_is_found_before_anything_is_made(image: Path, place: Path) -> None:
    for blob in sorted((image / "blobs/sha256").iterdir()):
        data = blob.read_bytes()
        for damaged in (data[:-1], data[:-9] + bytes([data[-9] ^ 1]) + data[-8:], b""):
            blob.write_bytes(damaged)
            with pytest.raises(InputError, match=r"missing|damaged|does not match its digest|ends in the middle"):
                unpacked(place)
        blob.write_bytes(data)
    assert not (place / "new").exists()


def test_wrong_images(image: Path, place: Path) -> None:
    with pytest.raises(InputError, match=r"contains no image named v2 \(it contains latest\)"):
        unpacked(place, image="v2")
    other = {"amd64": "arm64", "arm64": "amd64"}[GO_NAMES[architecture()]]
    export(str(place / "jail"), str(place / "image"), "other", Settings(architecture=other), False)
    with pytest.raises(InputError, match=f"is for darwin/{other}, this Mac is darwin/"):
        unpacked(place, image="other")


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
    with pytest.raises(InputError, match=r"damaged|does not match its digest"):
        unpacked(place)
    assert not (place / "new").exists()


def test_a_mac_without_zstd(make_jail: Make, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_jail("jail")
    monkeypatch.setattr(zstd, "PLACES", (str(place),))
    with pytest.raises(InputError, match=r"there is no zstd in .*brew install zstd"):
        export(str(place / "jail"), str(place / "image"), "latest", Settings(compression="zstd"), False)


@pytest.mark.parametrize(("size", "takes"), [(0, 0), (4 << 20, 0), (4 << 20, 1), (10, 100)])
def test_a_program_that_cannot_pack(
    make_jail: Make, place: Path, monkeypatch: pytest.MonkeyPatch, size: int, takes: int
) -> None:
    """Such as one that misses a library, or is killed; the jail has nothing to do with it."""
    jail, tools = make_jail("jail"), place / "tools"
    (jail / "System/Library/dyld/dyld_shared_cache_arm64e").write_bytes(os.urandom(size))
    tools.mkdir()
    for directory in (place, tools):
        directory.chmod(0o755)
    (tools / "zstd").write_text(f'#!/bin/sh\n[ "$1" = --version ] || head -c {takes << 20} > /dev/null\nexit 3\n')
    (tools / "zstd").chmod(0o755)
    monkeypatch.setattr(zstd, "PLACES", (str(tools),))
    with pytest.raises(OperationError, match=rf"cannot run {tools}/zstd: it ended with 3, and not all was packed"):
        export(str(jail), str(place / "image"), "latest", Settings(compression="zstd"), False)
    assert not [path for path in (place / "image").rglob("*") if path.is_file()]


def test_a_bomb_of_zstd(by_zstd: Path, place: Path) -> None:
    zeros = subprocess.run(["zstd", "-c", "-19"], input=bytes(200 << 20), check=True, capture_output=True).stdout
    with (
        pytest.raises(InputError, match="it expands to more than 120 times its size"),
        closing(zstd.ZstdReader(io.BytesIO(zeros), len(zeros), "the layer")) as stream,
    ):
        stream.digests()


def test_a_program_that_gives_something_else_the_second_time(
    by_zstd: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a setuid program, in a jail that is there and so is inspected first. Nobody could have run it."""
    tools = place / "tools"
    tools.mkdir()
    for directory in (place, tools):
        directory.chmod(0o777)
    (tools / "evil").write_bytes(archive(member("evil", mode=0o4755), member("large", data=bytes(IN_FULL))))
    (tools / "zstd").write_text(
        f"#!/bin/sh\ncd {tools}\necho >> count\n"
        f'[ $(wc -l < count) -gt $(cat layers) ] || exec {shutil.which("zstd")} "$@"\n'
        "cat evil\nexec cat > /dev/null\n"
    )
    (tools / "zstd").chmod(0o755)
    (tools / "layers").write_text(str(len(unpacked(place, check=True).values["layers"])))
    monkeypatch.setattr(zstd, "PLACES", (str(tools),))
    (place / "new").mkdir()
    seen = Spy(monkeypatch, place / "new")
    with pytest.raises(InputError, match="does not match its digest"):
        unpacked(place)
    assert seen.modes == {0o700}
    assert not (place / "new").exists()
