# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Files on a Mac by the model of libSystem."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.platform import darwin
from libsystem import LibSystem


@pytest.fixture
def lib(place: Path, monkeypatch: pytest.MonkeyPatch) -> LibSystem:
    return LibSystem(monkeypatch)


@pytest.fixture
def macos(lib: LibSystem) -> darwin.Darwin:
    return darwin.Darwin(lib)


@pytest.fixture
def folder(place: Path, lib: LibSystem) -> Iterator[int]:
    fd = os.open(place, os.O_RDONLY)
    yield fd
    os.close(fd)


@pytest.fixture
def original(place: Path, lib: LibSystem) -> Path:
    """A setuid file of somebody's, with an extended attribute and an ACL."""
    path = place / "original"
    path.write_bytes(b"contents")
    os.setxattr(path, "user.note", b"\0x")
    lib.acls[path.stat().st_ino] = b"!#acl 1\nuser:admin allow read\n"
    os.chown(path, 501, 20)
    path.chmod(0o6755)
    os.utime(path, ns=(1, 1_234_567_890_123_456_789))
    lib.calls.clear()
    return path


@pytest.fixture
def copy(macos: darwin.Darwin, original: Path, folder: int) -> Callable[[], bool]:
    """Copy `original` to the name `copy`; says whether it was cloned."""

    def run() -> bool:
        fd = os.open(original, os.O_RDONLY)
        try:
            return macos.copy(fd, os.fstat(fd), folder, b"copy")
        finally:
            os.close(fd)

    return run
