# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Which files the kernel would not run in a jail."""

from __future__ import annotations

from pathlib import Path

import macho_files as make
import published_binaries
import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit import signing
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.binaries import Binaries, MachOSlice
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.tree_walk import walk
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from macho_files import Sign, thin

DEVELOPER = Sign(0x10000, "tool", "ABCDE12345", cms=b"Developer ID Certification Authority")
APPLE = Sign(0, "com.apple.tool", platform=15, cms=b"Apple Code Signing Certification Authority")
BARE = Sign(0, "tool", "ABCDE12345", cms=b"Developer ID Certification Authority")


def images(folder: Path, **files: bytes) -> list[MachOSlice]:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with Root(str(folder)) as root:
        binaries = Binaries(signatures=True)
        walk(root, set(), [binaries])
    return binaries.images()


def causes(folder: Path, data: bytes) -> set[tuple[str, str]]:
    found = signing.check(images(folder, file=data)).refused
    assert {one.cause for one in found} <= signing.CAUSES.keys()
    return {(one.cause, one.image.code.arch) for one in found}


def broken(data: bytes) -> bytes:
    return data.replace(b"/usr/lib/dyld", b"/opt/lib/dyld")


def program(arch: str, sign: Sign | None = None, kind: str = "execute") -> bytes:
    return thin(arch, kind, make.dylinker(), sign=sign)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (program("arm64", Sign()), set()),
        (program("arm64", APPLE), set()),
        (program("arm64e", APPLE), set()),
        (program("arm64", BARE), set()),
        (program("x86_64"), set()),
        (program("x86_64", Sign()), set()),
        (broken(program("x86_64", Sign())), set()),
        (program("arm64"), {("unsigned", "arm64")}),
        (program("arm64", kind="dylib"), {("unsigned", "arm64")}),
        (program("arm64", kind="object"), set()),
        (broken(program("arm64", Sign())), {("invalid", "arm64")}),
        (broken(program("arm64e", APPLE)), {("invalid", "arm64e")}),
        (broken(program("x86_64", DEVELOPER)), {("invalid", "x86_64")}),
        (program("arm64", DEVELOPER), {("hardened", "arm64")}),
        (program("x86_64", DEVELOPER), {("hardened", "x86_64")}),
        (program("arm64", Sign(0x10002)), {("hardened", "arm64")}),
        (program("arm64", DEVELOPER, "dylib"), set()),
        (program("arm64e", Sign()), {("arm64e", "arm64e")}),
        (program("arm64e", Sign(), "dylib"), set()),
        (make.universal(("arm64", program("arm64", Sign())), ("arm64e", program("arm64e", Sign()))), set()),
        (make.universal(("x86_64", program("x86_64")), ("arm64", program("arm64"))), {("unsigned", "arm64")}),
    ],
)
def test_causes(data: bytes, expected: set[tuple[str, str]], tmp_path: Path) -> None:
    assert causes(tmp_path, data) == expected


def test_signers_are_counted(tmp_path: Path) -> None:
    found = images(
        tmp_path,
        apple=program("arm64", APPLE),
        developer=program("arm64", DEVELOPER),
        linker=program("arm64", Sign()),
        none=program("arm64"),
    )
    assert signing.check(found).signers == {"apple": 1, "developer id": 1, "ad hoc": 1, "unsigned": 1}


def test_every_cause_says_why_how_sure_and_what_to_do() -> None:
    for cause in signing.CAUSES.values():
        assert all(cause)
        assert cause.certainty in ("documented", "source", "reported")


def test_the_published_node_is_the_one_that_was_reported(tmp_path: Path) -> None:
    (node,) = [path for path in published_binaries.files(published_binaries.HARDENED) if path.name == "node"]
    (found,) = signing.check(images(tmp_path, node=node.read_bytes())).refused
    assert (found.cause, found.image.path) == ("hardened", b"node")
