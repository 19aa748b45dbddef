# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A jail becomes an image: what is in it, and what is not; by the judgement of skopeo, umoci and tarfile."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import tarfile
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, JailError
from ansible_collections.darwin.jail.plugins.module_utils._jail.image import packing
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.config import Settings
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.export import export
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from containers import contents, run
from image_jails import FILES, OLD, Make

NAMES = ["shared cache", "system", "Command Line Tools", "Homebrew", "rest"]
LEFT_OUT = (
    "private/var/db/darwin.jail",
    "private/tmp/",
    "private/var/folders/",
    "private/var/log/",
    "private/var/run/",
    "private/etc/fifo",
    "private/etc/socket",
    "Users/admin/._",
    "Users/admin/.DS_Store",
)


def made(jail: Path, layout: Path, check: bool = False, **settings: Any) -> Result:
    return export(str(jail), str(layout), "latest", Settings(**{"architecture": "arm64", **settings}), check)


def blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs/sha256" / digest.partition(":")[2]).read_bytes()


def layers(layout: Path, result: Result) -> dict[str, bytes]:
    """The tar archives of an image, by name."""
    return {layer["name"]: zlib.decompress(blob(layout, layer["digest"]), 31) for layer in result.values["layers"]}


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: member for member in archive}


def times(top: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in top.rglob("*") if path.is_file()}


def test_others_unpack_the_same_tree(make_jail: Make, place: Path) -> None:
    jail = make_jail("jail")
    made(jail, place / "image")
    said = json.loads(run("skopeo", "inspect", "--config", f"oci:{place}/image:latest"))
    assert (said["os"], said["architecture"], said["os.version"]) == ("darwin", "arm64", "15.2")
    run("skopeo", "--insecure-policy", "copy", f"oci:{place}/image:latest", f"oci:{place}/copy:latest")
    run("umoci", "raw", "unpack", "--image", f"{place}/copy:latest", place / "tree")
    assert contents(place / "tree") == contents(jail, LEFT_OUT)


def test_layers_and_what_is_in_them(make_jail: Make, place: Path) -> None:
    found = layers(place / "image", made(make_jail("jail"), place / "image"))
    assert list(found) == NAMES
    files = {name: [m.name for m in members(data).values() if not m.isdir()] for name, data in found.items()}
    assert files["shared cache"] == ["System/Library/dyld/dyld_shared_cache_arm64e"]
    assert files["Command Line Tools"] == ["Library/Developer/CommandLineTools/usr/bin/git"]
    assert files["Homebrew"] == ["opt/homebrew/bin/brew"]
    assert sorted(files["rest"]) == [
        "Users/admin/.zprofile", "Users/admin/mine", "dev/null", "private/etc/hosts", "var"
    ]  # fmt: skip
    true = members(found["rest"])["Users/admin/mine"]
    assert (true.islnk(), true.linkname) == (True, "usr/bin/true")
    cache = members(found["shared cache"])
    assert [name for name, member in cache.items() if member.isdir()] == [
        ".", "System", "System/Library", "System/Library/dyld"
    ]  # fmt: skip


def test_nothing_of_this_mac(make_jail: Make, place: Path) -> None:
    jail = make_jail("a-name-of-this-mac")
    everything = b"".join(layers(place / "image", made(jail, place / "image")).values())
    marker = json.loads((jail / "private/var/db/darwin.jail/jail.json").read_bytes())
    for secret in (b"a-name-of-this-mac", marker["id"].encode(), b"of this Mac", b"of a run"):
        assert secret not in everything
    index = (place / "image/index.json").read_bytes()
    assert b"a-name-of-this-mac" not in index


def test_equal_jails_give_equal_images(make_jail: Make, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = made(make_jail("redo"), place / "first")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    time.sleep(1.1)
    two = made(make_jail("other"), place / "second")
    assert [layer["diff_id"] for layer in one.values["layers"]] == [layer["diff_id"] for layer in two.values["layers"]]
    assert one.values["digest"] == two.values["digest"]
    assert (place / "first/index.json").read_bytes() == (place / "second/index.json").read_bytes()


def test_four_runs(make_jail: Make, place: Path) -> None:
    jail = make_jail("jail")
    predicted = made(jail, place / "image", check=True)
    assert predicted.changed
    assert not (place / "image").exists()
    assert not (place / "mac").exists()
    done = made(jail, place / "image")
    assert (done.changed, done.diff, done.values["digest"]) == (True, predicted.diff, predicted.values["digest"])
    before = times(place / "image")
    assert not made(jail, place / "image", check=True).changed
    assert not made(jail, place / "image").changed
    assert times(place / "image") == before


def test_a_jail_that_is_only_predicted(place: Path) -> None:
    predicted = made(place / "none", place / "image", check=True)
    assert (predicted.changed, predicted.diff) == (True, ["+ image latest"])
    with pytest.raises(JailError, match="build the jail first"):
        made(place / "none", place / "image")


def test_an_unchanged_layer_is_not_read(make_jail: Make, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jail = make_jail("jail")
    time.sleep(0.2)
    made(jail, place / "image")
    (jail / "opt/homebrew/bin/tmux").write_bytes(b"tmux")
    time.sleep(0.2)
    written: list[int] = []
    monkeypatch.setattr(packing.Gzip, "__init__", _counted(packing.Gzip.__init__, written))
    again = made(jail, place / "image")
    assert [layer["name"] for layer in again.values["layers"] if layer["new"]] == ["Homebrew"]
    assert len(written) == 1
    assert [line.split()[2] for line in again.diff] == ["Homebrew", "latest"]
    made(jail, place / "image")
    assert len(written) == 1


def _counted(original: Any, calls: list[int]) -> Any:
    def init(self: packing.Gzip, write: packing.Write) -> None:
        calls.append(1)
        original(self, write)

    return init


@pytest.mark.parametrize("what", ["contents", "mode", "xattr", "parent", "blob"])
def test_every_change_shows(make_jail: Make, place: Path, what: str) -> None:
    jail = make_jail("jail")
    time.sleep(0.2)
    first = made(jail, place / "image")
    time.sleep(0.05)
    file = jail / "opt/homebrew/bin/brew"
    if what == "contents":
        status = file.stat()
        file.write_bytes(b"weer")  # as long, and as old
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif what == "mode":
        file.chmod(0o4755)
    elif what == "xattr":
        os.setxattr(file, "user.new", b"1")
    elif what == "parent":
        (jail / "opt").chmod(0o700)
    else:
        digest = next(layer["digest"] for layer in first.values["layers"] if layer["name"] == "Homebrew")
        (place / "image/blobs/sha256" / digest.partition(":")[2]).unlink()
    again = made(jail, place / "image")
    assert again.changed
    assert "Homebrew" in [layer["name"] for layer in again.values["layers"] if layer["new"]]


def test_what_the_mac_remembers_may_be_lost_or_damaged(make_jail: Make, place: Path, mac: Path) -> None:
    jail = make_jail("jail")
    time.sleep(0.2)
    first = made(jail, place / "image")
    (remembered,) = mac.iterdir()
    assert remembered.stat().st_mode & 0o777 == 0o600
    for damage in (b"", b"[]", b'{"x": [1]}', b"{", b'{"x": ["a","b","c","../../etc/passwd",5]}'):
        remembered.write_bytes(damage)
        again = made(jail, place / "image")
        assert (again.changed, again.values["digest"]) == (False, first.values["digest"])


def test_source_date_epoch(make_jail: Make, place: Path) -> None:
    result = made(make_jail("jail"), place / "image", epoch=OLD - 5)
    files = members(layers(place / "image", result)["system"])
    assert files["usr/bin/sudo"].mtime == OLD - 5
    manifest = json.loads(blob(place / "image", result.values["digest"]))
    config = json.loads(blob(place / "image", manifest["config"]["digest"]))
    assert config["created"] == "2023-11-14T22:13:15Z"
    without = made(place / "jail", place / "image")
    assert members(layers(place / "image", without)["system"])["usr/bin/sudo"].mtime == OLD


def test_mounts_are_empty_directories(make_jail: Make, place: Path) -> None:
    jail = make_jail("jail")
    (jail / "mnt").mkdir(mode=0o755)
    unmounted = made(jail, place / "image").values["digest"]
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", jail / "mnt"], check=True)
    try:
        (jail / "mnt/file").write_bytes(b"mounted")
        result = made(jail, place / "image")
    finally:
        subprocess.run(["umount", jail / "mnt"], check=True)
    assert result.values["digest"] == unmounted


def test_the_plain_devices_are_in_it_though_dev_is_mounted(make_jail: Make, place: Path) -> None:
    """The same as without the mount, whatever lies on that."""
    jail = make_jail("jail")
    (jail / "dev").chmod(0o555)
    for name in ("null", "random", "urandom", "zero"):
        status = os.stat(f"/dev/{name}")
        (jail / "dev" / name).unlink(missing_ok=True)
        os.mknod(jail / "dev" / name, status.st_mode, status.st_rdev)
        (jail / "dev" / name).chmod(stat.S_IMODE(status.st_mode))
    unmounted = made(jail, place / "image").values["digest"]
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", jail / "dev"], check=True)
    try:
        (jail / "dev/disk0").write_bytes(b"mounted")
        result = made(jail, place / "image")
    finally:
        subprocess.run(["umount", jail / "dev"], check=True)
    assert result.values["digest"] == unmounted
    found = {
        name: member for data in layers(place / "image", result).values() for name, member in members(data).items()
    }
    devices = {name for name, member in found.items() if member.ischr()}
    assert devices == {"dev/null", "dev/random", "dev/urandom", "dev/zero"}
    assert found["dev"].mode == 0o555


def test_how_it_is_run(make_jail: Make, place: Path) -> None:
    options = {
        "architecture": None, "entrypoint": ["/bin/zsh", "-l"], "command": [], "user": "admin", "env": {"A": 1},
        "working_dir": "/Users/admin", "labels": {"b": "2"}, "source_date_epoch": None,
        "compression": "gzip",
    }  # fmt: skip
    jail = make_jail("jail")
    settings = Settings.of({**options, "architecture": "amd64"})
    digest = export(str(jail), str(place / "image"), "v1", settings, False).values["digest"]
    manifest = json.loads(blob(place / "image", digest))
    config = json.loads(blob(place / "image", manifest["config"]["digest"]))
    assert config["architecture"] == "amd64"
    assert config["config"] == {
        "Entrypoint": ["/bin/zsh", "-l"],
        "User": "admin",
        "Env": ["A=1", "PATH=/usr/bin:/bin:/usr/sbin:/sbin"],
        "WorkingDir": "/Users/admin",
        "Labels": {"b": "2"},
    }
    assert config["rootfs"]["diff_ids"]
    assert "created" not in config


def test_other_images_of_the_layout_stay(make_jail: Make, place: Path) -> None:
    jail = make_jail("jail")
    run("umoci", "init", "--layout", place / "image")
    run("umoci", "new", "--image", f"{place}/image:theirs")
    made(jail, place / "image")
    made(jail, place / "image", user="admin")
    assert run("umoci", "ls", "--layout", place / "image").split() == ["theirs", "latest"]


def test_what_nothing_needs_any_more_is_removed(make_jail: Make, place: Path) -> None:
    jail = make_jail("jail")
    first = made(jail, place / "image")
    run("skopeo", "--insecure-policy", "copy", f"oci:{place}/image:latest", f"oci:{place}/image:kept")
    for content in (b"one", b"two", b"three"):
        (jail / "opt/homebrew/bin/brew").write_bytes(content)
        last = made(jail, place / "image")
    (jail / "opt/homebrew/bin/tmux").write_bytes(b"four")
    there = {f"sha256:{path.name}" for path in (place / "image/blobs/sha256").iterdir()}
    of_first, of_last = ({layer["digest"] for layer in image.values["layers"]} for image in (first, last))
    assert {first.values["digest"], last.values["digest"], *of_first, *of_last} <= there
    assert len(there) == len(of_first | of_last) + 4  # a manifest and a configuration for each
    run("umoci", "raw", "unpack", "--image", f"{place}/image:kept", place / "tree")


@pytest.mark.parametrize("link", ["usr/bin", "opt/homebrew/bin/brew", "System"])
def test_links_are_not_followed(make_jail: Make, place: Path, link: str) -> None:
    """What the links lead to is on the Mac, and no secret of it may get into an image."""
    jail = make_jail("jail")
    (place / "host").mkdir()
    (place / "host/secret").write_bytes(b"secret of the Mac")
    subprocess.run(["rm", "-rf", jail / link], check=True)
    (jail / link).symlink_to(place / "host")
    if link == "System":
        with pytest.raises(JailError, match="a symbolic link or a file is in the way"):
            made(jail, place / "image")
        return
    everything = b"".join(layers(place / "image", made(jail, place / "image")).values())
    assert b"secret of the Mac" not in everything


def test_refusals(make_jail: Make, place: Path) -> None:
    jail = make_jail("jail")
    (place / "full").mkdir()
    (place / "full/file").touch()
    (place / "file").touch()
    cases = {
        place / "full": "contains file, but not an OCI image layout",
        place / "file": "is not a directory",
        jail / "image": "lies in the jail",
    }
    for layout, message in cases.items():
        for check in (True, False):
            with pytest.raises(InputError, match=message):
                made(jail, layout, check)
    with pytest.raises(InputError, match="is not a valid name for a variable"):
        made(jail, place / "image", env={"A=B": "1"})
    (jail / "System/Library/CoreServices/SystemVersion.plist").unlink()
    with pytest.raises(InputError, match="contains no macOS"):
        made(jail, place / "image")
    assert not (place / "image").exists()


def test_all_files_are_where_they_belong(make_jail: Make, place: Path) -> None:
    """Those that stay at home, by name."""
    found = layers(place / "image", made(make_jail("jail"), place / "image"))
    names = {name for data in found.values() for name in members(data)}
    assert set(FILES) - names == {
        "Users/admin/._.zprofile",
        "Users/admin/.DS_Store",
        "private/tmp/secret",
        "private/var/folders/zz/x/T/temporary",
        "private/var/log/system.log",
        "private/var/run/some.pid",
    }


def test_a_sparse_file_of_terabytes_is_left_out_with_all_its_names(make_jail: Make, place: Path) -> None:
    """It stays where it is, and the rest is exported; whoever unpacked it would have a full volume."""
    jail = make_jail("jail")
    (jail / "Users/admin/large").touch()
    os.truncate(jail / "Users/admin/large", 1 << 42)
    os.link(jail / "Users/admin/large", jail / "Users/admin/other")
    result = made(jail, place / "image")
    names = [text.partition(" ")[0] for text in result.warnings if "would take 4398046511104 in" in text]
    assert names == ["/Users/admin/large", "/Users/admin/other"]
    rest = members(layers(place / "image", result)["rest"])
    assert "Users/admin/.zprofile" in rest
    assert not {"Users/admin/large", "Users/admin/other"} & rest.keys()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_run_that_is_killed_while_it_removes_what_no_image_needs(make_jail: Make, place: Path, number: int) -> None:
    """The next one does it, also when the image is made already."""
    jail, blobs = make_jail("jail"), place / "image/blobs/sha256"
    made(jail, place / "image")
    (jail / "Users/admin/more").write_text("more")

    def die(path: bytes, *arguments: Any, **options: Any) -> None:
        if len(path) == 64:  # a digest
            removed.append(path)
            if len(removed) > number:
                raise KeyboardInterrupt
        unlink(path, *arguments, **options)

    removed: list[bytes] = []
    unlink = os.unlink
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "unlink", die)
        with pytest.raises(KeyboardInterrupt):
            made(jail, place / "image")
    result = made(jail, place / "image")
    assert not result.changed
    manifest = json.loads(blob(place / "image", result.values["digest"]))
    needed = [result.values["digest"], manifest["config"]["digest"], *(one["digest"] for one in manifest["layers"])]
    assert sorted(f"sha256:{path.name}" for path in blobs.iterdir()) == sorted(set(needed))
    assert sorted(path.name for path in (place / "image").iterdir()) == ["blobs", "index.json", "oci-layout"]


def test_blobs_that_an_image_needs_are_not_removed_whatever_is_named(make_jail: Make, place: Path) -> None:
    """As by a run that was killed before the index was another one, or by who made the layout."""
    jail = make_jail("jail")
    first = made(jail, place / "image")
    before = sorted((place / "image").rglob("*"))
    named = [first.values["digest"], "sha256:../../index.json", 5, *(one["digest"] for one in first.values["layers"])]
    for text in (json.dumps({"blobs": named}), json.dumps({"blobs": 5}), "[]", "{", ""):
        (place / "image/.darwin.jail.left").write_text(text)
        assert not made(jail, place / "image").changed
        assert sorted((place / "image").rglob("*")) == before
