# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""An image as one file, which others read, and what others write."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, JailError
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.config import GO_NAMES
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.layout import INDEX_TYPES, digest_of
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.transfer import transfer
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos.release import architecture
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from containers import contents, run
from image_jails import OLD, Make

STATE = "private/var/db/darwin.jail"
LEFT_OUT = ("private/tmp/", "private/var/folders/", "private/var/log/", "private/var/run/", STATE, "private/etc/fifo",
            "private/etc/socket", "Users/admin/._", "Users/admin/.DS_Store")  # fmt: skip
OPTIONS: dict[str, Any] = {
    "name": "latest", "architecture": None, "entrypoint": [], "command": [], "user": None, "env": {},
    "working_dir": None, "labels": {}, "source_date_epoch": None, "compression": "gzip", "reference": None,
    "auth_file": None, "username": None, "password": None, "plain_http": False, "retries": 0, "staging_path": None,
}  # fmt: skip


def work(place: Path, state: str, jail: str, layout: str, archive: str, check: bool = False) -> Result:
    places = {"jail": str(place / jail), "layout": str(place / layout), "archive": str(place / archive)}
    return transfer({**OPTIONS, **places, "state": state}, check)


def test_there_and_back(make_jail: Make, place: Path) -> None:
    jail = make_jail("jail")
    wrote = [work(place, "exported", "jail", "image", "deep/file.tar", check) for check in (True, False, True, False)]
    assert [one.changed for one in wrote] == [True, True, False, False]
    assert wrote[0].diff == wrote[1].diff
    work(place, "exported", "jail", "other", "again.tar")
    assert (place / "again.tar").read_bytes() == (place / "deep/file.tar").read_bytes()
    back = [work(place, "present", "new", "second", "deep/file.tar", check) for check in (True, False, True, False)]
    assert [one.changed for one in back] == [True, True, False, False]
    assert {one.values["digest"] for one in [*wrote, *back]} == {wrote[0].values["digest"]}
    assert contents(place / "new", (STATE,)) == contents(jail, LEFT_OUT)
    (jail / "opt/homebrew/bin/tmux").write_text("new")
    assert work(place, "exported", "jail", "image", "deep/file.tar").changed


def test_skopeo_reads_it_and_we_read_what_skopeo_writes(make_jail: Make, place: Path) -> None:
    jail = make_jail("jail")
    digest = work(place, "exported", "jail", "image", "file.tar").values["digest"]
    run("skopeo", "--insecure-policy", "copy", f"oci-archive:{place}/file.tar:latest", f"oci:{place}/theirs:latest")
    run("skopeo", "--insecure-policy", "copy", f"oci:{place}/theirs:latest", f"oci-archive:{place}/theirs.tar")
    assert work(place, "present", "new", "second", "theirs.tar").values["digest"] == digest
    assert contents(place / "new", (STATE,)) == contents(jail, LEFT_OUT)


@pytest.mark.parametrize("damage", ["cut", "exchanged", "text", "missing"])
def test_a_damaged_archive_makes_no_jail(make_jail: Make, place: Path, damage: str) -> None:
    make_jail("jail")
    work(place, "exported", "jail", "image", "file.tar")
    file = place / "file.tar"
    data = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        layer = max((place / "image/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size).read_bytes()
        changed = layer[:100] + b"x" + layer[101:]
        file.write_bytes(
            {"cut": data[: len(data) // 2], "exchanged": data.replace(layer, changed), "text": b"x" * 2000}[damage]
        )
    with pytest.raises(Exception, match=r"file.tar|is missing") as caught:
        work(place, "present", "new", "second", "file.tar")
    assert type(caught.value).__name__ in ("InputError", "FormatError", "OperationError")
    assert not (place / "new").exists()


def test_names_that_lead_elsewhere_are_not_followed(make_jail: Make, place: Path) -> None:
    make_jail("jail")
    work(place, "exported", "jail", "image", "file.tar")
    with tarfile.open(place / "file.tar", "a") as archive:
        for name in ("../outside", "/outside", "blobs/sha256/../../outside", "blobs/sha256/" + "0" * 63):
            member = tarfile.TarInfo(name)
            member.size = 1
            archive.addfile(member, io.BytesIO(b"x"))
    try:
        work(place, "present", "new", "second", "file.tar")
    except InputError:
        pass
    assert not list(place.rglob("outside"))
    assert not list(place.rglob("0" * 63))


def test_a_damaged_blob_of_the_layout_is_replaced(make_jail: Make, place: Path) -> None:
    """From an archive, and by an export that makes it again; none gets into an archive."""
    jail = make_jail("jail")
    time.sleep(0.1)  # so that the Mac remembers the layers
    layers = work(place, "exported", "jail", "image", "file.tar").values["layers"]
    blob = place / "image/blobs/sha256" / layers[-1]["digest"].partition(":")[2]
    sound = blob.read_bytes()
    blob.write_bytes(sound[:50] + bytes([sound[50] ^ 1]) + sound[51:])
    with pytest.raises(InputError, match=f"{blob} does not match its digest: remove it, and run again"):
        work(place, "exported", "jail", "image", "other.tar")
    assert not (place / "other.tar").exists()
    assert work(place, "present", "new", "image", "file.tar").changed
    assert blob.read_bytes() == sound
    blob.write_bytes(bytes(len(sound)))
    (jail / "private/etc/hosts").touch()  # the layer is made again, and is the same but for the time of this file
    os.utime(jail / "private/etc/hosts", (OLD, OLD))
    assert [layer["new"] for layer in work(place, "exported", "jail", "image", "file.tar").values["layers"]][-1]
    assert blob.read_bytes() == sound


def of_several_platforms(place: Path, nested: bool, kind: str = INDEX_TYPES[0]) -> tuple[str, set[str]]:
    """Makes file.tar of images for two processors; returns the digest of the one for this Mac, and the others' blobs.

    They are in an index of their own, as skopeo and docker have them, or side by side in the archive's.
    """
    entries, blobs = [], []
    for name in ("arm64", "amd64"):
        options = {**OPTIONS, "name": name, "architecture": name, "labels": {"for": name}, "archive": None}
        transfer({**options, "jail": str(place / "jail"), "layout": str(place / name), "state": "exported"}, False)
        index = json.loads((place / name / "index.json").read_bytes())["manifests"]
        entries.append({**index[0], "platform": {"os": "darwin", "architecture": name}, "annotations": {}})
        blobs.append(set(os.listdir(place / name / "blobs/sha256")))
        shutil.copytree(place / name, place / "both", dirs_exist_ok=True)
    if nested:
        data = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": entries}).encode()
        digest = digest_of(data)
        (place / "both/blobs/sha256" / digest.partition(":")[2]).write_bytes(data)
        tops = [{"mediaType": kind, "digest": digest, "size": len(data)}]
    else:
        tops = entries
    (place / "both/index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": tops}))
    with tarfile.open(place / "file.tar", "w") as made:
        for path in sorted((place / "both").rglob("*"), reverse=True):
            made.add(path, path.relative_to(place / "both"), recursive=False)
    ours = 0 if GO_NAMES[architecture()] == "arm64" else 1
    return entries[ours]["digest"], blobs[1 - ours] - blobs[ours]


@pytest.mark.parametrize(("nested", "kind"), [(False, ""), (True, INDEX_TYPES[0]), (True, INDEX_TYPES[1])])
def test_images_for_several_platforms(make_jail: Make, place: Path, nested: bool, kind: str) -> None:
    """A run and its check say the same, twice, and nothing of the others comes into the layout."""
    make_jail("jail")
    digest, others = of_several_platforms(place, nested, kind)
    runs = [work(place, "present", "new", "second", "file.tar", check) for check in (True, False, True, False)]
    assert [one.changed for one in runs] == [True, True, False, False]
    assert {one.values["digest"] for one in runs} == {digest}
    assert others
    assert not others & set(os.listdir(place / "second/blobs/sha256"))
    shutil.rmtree(place / "both/blobs")
    with tarfile.open(place / "file.tar", "w") as made:
        made.add(place / "both/index.json", "index.json")
    with pytest.raises(InputError, match=r"sha256:.* in .*/file.tar is missing or does not match its digest"):
        work(place, "present", "other", "third", "file.tar")
    assert not (place / "other").exists()


@pytest.mark.parametrize("kind", ["FIFO", "directory", "link", "device"])
def test_an_archive_that_is_no_file(make_jail: Make, place: Path, kind: str) -> None:
    make_jail("jail")
    path = place / "odd.tar"
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "device":
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    elif kind == "directory":
        path.mkdir()
    else:
        work(place, "exported", "jail", "image", "file.tar")
        path.symlink_to("file.tar")
    read, wrote = {
        "FIFO": ("cannot read .*odd.tar: not a regular file", "not a file"),
        "device": ("cannot read .*odd.tar: not a regular file", "not a file"),
        "directory": ("cannot read .*odd.tar: Is a directory", "not a file"),
        "link": ("odd.tar is a symbolic link: give the path that it leads to",) * 2,
    }[kind]
    before = path.lstat()
    for check in (True, False):
        with pytest.raises(JailError, match=read):
            work(place, "present", "new", "second", "odd.tar", check)
        with pytest.raises(JailError, match=wrote):
            work(place, "exported", "jail", "other", "odd.tar", check)
    assert not (place / "new").exists()
    assert not (place / "other").exists()
    assert path.lstat() == before
