# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Universal files thinned to the slice that the jail runs: real ones, and written ones for what is rare."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit import signing
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.binaries import Binaries
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.jail_info import gather
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.tree_walk import Directory
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec import thinning
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import at
from built_jails import Make, paths
from macho_files import Sign, build_version, universal
from macho_files import thin as slice_of
from published_binaries import WHEELS, files

UNIVERSAL = [name for name, platform in WHEELS.items() if "universal2" in platform]
OPTIONS: dict[str, Any] = {"architectures": ["arm64"]}

ARM = slice_of("arm64e", "execute", build_version(1, 0xF0000), sign=Sign(identifier="tool"))
INTEL = slice_of("x86_64", "execute", build_version(1, 0xF0000), sign=Sign(identifier="tool"), filler=9000)
BOTH = universal(("x86_64", INTEL), ("arm64e", ARM))


@pytest.fixture(autouse=True)
def on_apple_silicon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thinning, "architecture", lambda: "arm64")


def put(path: Path, data: bytes, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("name", UNIVERSAL)
def test_real_files(make: Make, place: Path, source: Path, name: str) -> None:
    """The slice is what macholib takes for it, byte for byte, and signed as before."""
    macholib = pytest.importorskip("macholib.MachO")
    libraries = {}
    for number, library in enumerate(files(name)):
        target = source / f"usr/lib/{number}-{library.name}"
        target.parent.mkdir(exist_ok=True)
        shutil.copy(library, target)
        target.chmod(0o755)
        headers = {header.header.cputype: header for header in macholib.MachO(str(library)).headers}
        assert len(headers) == 2
        part = headers[0x0100000C]
        libraries[target.name] = library.read_bytes()[part.offset : part.offset + part.size]
    assert libraries
    predicted = make("/usr/", check=True, **OPTIONS)
    built = make("/usr/", **OPTIONS)
    for library_name, data in libraries.items():
        copied = place / "jail/usr/lib" / library_name
        assert copied.read_bytes() == data
        assert copied.stat().st_mtime_ns == (source / "usr/lib" / library_name).stat().st_mtime_ns
    sizes = gather(str(place / "jail"), {"sizes"}).values["sizes"]
    assert predicted.values["sizes"] == built.values["sizes"] == sizes
    assert refusals(place / "jail/usr/lib") == refusals(source / "usr/lib")
    for verify in ("quick", "full"):
        assert not make("/usr/", verify=verify, **OPTIONS).changed
    assert gather(str(place / "jail"), {"drift"}).values["drift"]["clean"]


def refusals(folder: Path) -> set[tuple[bytes, str]]:
    """Which arm64 code the kernel would not run, and why."""
    found = Binaries(signatures=True)
    fd = os.open(folder, os.O_RDONLY)
    found.visit(Directory(b"", fd, {os.fsencode(path.name): path.lstat() for path in folder.iterdir()}))
    os.close(fd)
    images = [image for image in found.images() if image.code.arch == "arm64"]
    assert len(images) == len(list(folder.iterdir()))
    return {(image.path, cause) for image, cause, _detail in signing.check(images).refused}


def test_the_slice_of_this_mac(make: Make, place: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = put(source / "usr/bin/tool", BOTH, 0o4755)
    os.chown(tool, 501, 20)
    tool.chmod(0o4755)
    os.setxattr(tool, "user.note", b"kept")
    make("/usr/", **OPTIONS)
    copied = place / "jail/usr/bin/tool"
    assert copied.read_bytes() == ARM
    status = copied.stat()
    assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o4755, 501, 20)
    assert status.st_mtime_ns == tool.stat().st_mtime_ns
    assert os.getxattr(copied, "user.note") == b"kept"
    monkeypatch.setattr(thinning, "architecture", lambda: "x86_64")
    make("/usr/", architectures=["x86_64"])
    assert copied.read_bytes() == INTEL


LEFT_WHOLE = {
    "two slices for it": universal(("arm64", slice_of("arm64", "dylib")), ("arm64e", ARM)),
    "none for it": universal(("x86_64", INTEL), ("i386", slice_of("i386", "execute"))),
    "thin already": ARM,
    "a static library": universal(("x86_64", b"!<arch>\n" + b"x" * 5000), ("arm64", b"!<arch>\n" + b"x" * 5000)),
    "object files": universal(("x86_64", slice_of("x86_64", "object")), ("arm64", slice_of("arm64", "object"))),
    "for the iPhone": universal(("x86_64", INTEL), ("arm64", slice_of("arm64", "execute", build_version(2, 0)))),
    "cut off": BOTH[: len(BOTH) - 100],
    "a Java class": b"\xca\xfe\xba\xbe\x00\x00\x00\x34" + b"x" * 5000,
    "damaged": BOTH[:0x4000] + b"\xff" * (len(BOTH) - 0x4000),
    "a script": b"#!/bin/sh\n" + b"#" * 5000,
}


@pytest.mark.parametrize("what", LEFT_WHOLE)
def test_what_is_left_whole(make: Make, place: Path, source: Path, what: str) -> None:
    put(source / "usr/bin/tool", LEFT_WHOLE[what])
    make("/usr/", **OPTIONS)
    assert (place / "jail/usr/bin/tool").read_bytes() == LEFT_WHOLE[what]
    assert not make("/usr/", verify="full", **OPTIONS).changed


@pytest.mark.parametrize("architectures", [[], ["arm64", "x86_64"]])
def test_without_it_nothing_is_thinned(make: Make, place: Path, source: Path, architectures: list[str]) -> None:
    put(source / "usr/bin/tool", BOTH)
    make("/usr/", architectures=architectures)
    assert (place / "jail/usr/bin/tool").read_bytes() == BOTH


def test_a_jail_that_is_thinned_later_and_whole_again(make: Make, place: Path, source: Path) -> None:
    put(source / "usr/bin/tool", BOTH)
    make("/usr/")
    assert paths(make("/usr/", **OPTIONS)) == {("replace", "/usr/bin/tool")}
    assert (place / "jail/usr/bin/tool").read_bytes() == ARM
    assert paths(make("/usr/")) == {("replace", "/usr/bin/tool")}
    assert (place / "jail/usr/bin/tool").read_bytes() == BOTH


def test_damage_is_found_and_repaired(make: Make, place: Path, source: Path) -> None:
    put(source / "usr/bin/tool", BOTH)
    make("/usr/", **OPTIONS)
    tool = place / "jail/usr/bin/tool"
    time = tool.stat().st_mtime_ns
    tool.write_bytes(b"y" * len(ARM))
    os.utime(tool, ns=(time, time))
    assert not make("/usr/", check=True, **OPTIONS).changed
    assert paths(make("/usr/", verify="full", **OPTIONS)) == {("replace", "/usr/bin/tool")}
    assert tool.read_bytes() == ARM


def test_all_names_of_a_file(make: Make, place: Path, source: Path) -> None:
    """As the shims of the developer tools have: one file, dozens of names."""
    put(source / "usr/bin/shim", BOTH)
    for name in ("clang", "make"):
        os.link(source / "usr/bin/shim", source / "usr/bin" / name)
    make("/usr/", **OPTIONS)
    found = {(place / "jail/usr/bin" / name).stat().st_ino for name in ("shim", "clang", "make")}
    assert len(found) == 1
    assert (place / "jail/usr/bin/make").read_bytes() == ARM
    assert not make("/usr/", verify="full", **OPTIONS).changed


def test_configuration_is_left_alone(make: Make, place: Path, source: Path) -> None:
    put(source / "private/etc/tool", BOTH)
    make("/etc/", **OPTIONS)
    assert (place / "jail/private/etc/tool").read_bytes() == BOTH
    assert not make("/etc/", **OPTIONS).changed


def test_a_file_that_changes_meanwhile(make: Make, place: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = put(source / "usr/bin/tool", BOTH)
    copy_part = at.copy_part

    def change(*arguments: Any) -> None:
        copy_part(*arguments)
        tool.write_bytes(b"new")

    monkeypatch.setattr(at, "copy_part", change)
    result = make("/usr/", **OPTIONS, workers=1)
    assert "usr/bin/tool changed while it was copied to /usr/bin/tool: run again" in result.warnings[0]
    assert not (place / "jail/usr/bin/tool").exists()
    monkeypatch.undo()
    monkeypatch.setattr(thinning, "architecture", lambda: "arm64")
    make("/usr/", **OPTIONS)
    assert (place / "jail/usr/bin/tool").read_bytes() == b"new"


def test_what_is_refused(make: Make, place: Path) -> None:
    with pytest.raises(InputError, match="this Mac is arm64, and no program could start"):
        make("/usr/", architectures=["x86_64"])
    with pytest.raises(InputError, match="with rosetta a jail runs x86_64, too"):
        thinning.thinner(["arm64"], rosetta=True)
    assert not (place / "jail").exists()
