# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What a Mac has installed, by files alone."""

from __future__ import annotations

import plistlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos.installed import (
    RECEIPTS,
    TOOLS,
    command_line_tools,
    software,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    with Root(str(tmp_path)) as root:
        yield root


def put(root: Root, *paths: str) -> None:
    for path in paths:
        (Path(root.path.decode()) / path).parent.mkdir(parents=True, exist_ok=True)
        (Path(root.path.decode()) / path).touch()


def receipt(root: Root, data: bytes, place: bytes = RECEIPTS[0]) -> None:
    put(root, place.decode())
    (Path(root.path.decode()) / place.decode()).write_bytes(data)


def test_an_empty_mac(root: Root) -> None:
    found = software(root, "arm64", 15)
    assert found["command_line_tools"] is None
    assert found["homebrew"] == {"prefix": "/opt/homebrew", "installed": False, "bottles": True}
    assert found["fuse"] == []


@pytest.mark.parametrize(("arch", "prefix"), [("arm64", "/opt/homebrew"), ("x86_64", "/usr/local")])
def test_homebrew_of_the_architecture(root: Root, arch: str, prefix: str) -> None:
    put(root, f"{prefix[1:]}/bin/brew")
    found = software(root, arch, 15)["homebrew"]
    assert (found["prefix"], found["installed"]) == (prefix, True)


@pytest.mark.parametrize(
    ("arch", "major", "made"),
    [("arm64", 14, False), ("arm64", 15, True), ("arm64", 27, True), ("x86_64", 12, False), ("x86_64", 26, False)],
)
def test_what_homebrew_makes_bottles_for(root: Root, arch: str, major: int, made: bool) -> None:
    assert software(root, arch, major)["homebrew"]["bottles"] is made


def test_fuse(root: Root) -> None:
    put(root, "Library/Application Support/fuse-t/uninstall.sh", "Library/Filesystems/macfuse.fs/Contents/Info.plist")
    assert software(root, "arm64", 15)["fuse"] == ["macfuse", "fuse-t"]


def test_the_version_of_the_tools(root: Root) -> None:
    receipt(root, plistlib.dumps({"PackageVersion": "16.2.0.0.1.1733547573"}))
    assert command_line_tools(root) is None, "a receipt outlives the tools"
    put(root, f"{TOOLS.decode()}/usr/bin/clang", f"{TOOLS.decode()}/usr/bin/git")
    assert command_line_tools(root) == "16.2.0.0.1.1733547573"


@pytest.mark.parametrize("data", [b"", b"<plist>", b"bplist00\xff", plistlib.dumps(["x"]), plistlib.dumps({})])
def test_tools_without_a_receipt(root: Root, data: bytes) -> None:
    put(root, f"{TOOLS.decode()}/usr/bin/clang", f"{TOOLS.decode()}/usr/bin/git")
    receipt(root, data)
    assert command_line_tools(root) == "unknown"


@pytest.mark.parametrize(
    "place", [b"Library/Apple/System/Library/Receipts", b"private/var/db/receipts"], ids=["13 and later", "12"]
)
def test_the_receipt_is_in_one_of_two_places(root: Root, place: bytes) -> None:
    put(root, f"{TOOLS.decode()}/usr/bin/clang", f"{TOOLS.decode()}/usr/bin/git")
    receipt(root, plistlib.dumps({"PackageVersion": "14.2"}), place + b"/com.apple.pkg.CLTools_Executables.plist")
    assert command_line_tools(root) == "14.2"


def test_what_an_update_of_macos_left_is_passed_over(root: Root) -> None:
    put(root, f"{TOOLS.decode()}/usr/bin/clang", f"{TOOLS.decode()}/usr/bin/git")
    receipt(root, plistlib.dumps({"PackageVersion": "16.2"}), RECEIPTS[0])
    receipt(root, plistlib.dumps({"PackageVersion": "14.2"}), RECEIPTS[1])
    assert command_line_tools(root) == "16.2"


def test_a_link_on_the_way(root: Root, tmp_path: Path) -> None:
    put(root, "elsewhere/bin/brew")
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt/homebrew").symlink_to("../elsewhere")
    assert not software(root, "arm64", 15)["homebrew"]["installed"]
