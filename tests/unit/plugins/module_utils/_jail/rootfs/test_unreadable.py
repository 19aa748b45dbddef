# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A file of the source that macOS protects from whoever reads it is named by its own path, also in check mode."""

from __future__ import annotations

import errno
import os
import re
import subprocess
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import at
from built_jails import Make
from tree_snapshots import tree_snapshot

ENTRY = "/usr/share"


@pytest.fixture
def protected(source: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As privacy protection does: to open it is refused, its status is not."""
    path = source / "usr/share/dict/TCC.db"
    path.write_text("protected")
    refuse(monkeypatch, by=None)
    return path


def refuse(monkeypatch: pytest.MonkeyPatch, by: os.stat_result | None) -> None:
    """Refuse to open it: in the directory `by`, or in any."""
    real = at.open_file

    def open_file(name: bytes, dir_fd: int) -> int:
        if name == b"TCC.db" and (by is None or os.path.samestat(by, os.fstat(dir_fd))):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        return real(name, dir_fd)

    monkeypatch.setattr(at, "open_file", open_file)


def refusal(path: Path) -> str:
    hint = (
        "grant Full Disk Access to the program that runs Ansible on this Mac, or leave it out with the option exclude"
    )
    reason = f"Operation not permitted ({hint})"
    return f"^{re.escape(f'cannot read {path}: {reason}')}$"


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("workers", [1, 2])
def test_in_a_new_directory(make: Make, place: Path, protected: Path, check: bool, workers: int) -> None:
    with pytest.raises(OperationError, match=refusal(protected)):
        make(ENTRY, check=check, workers=workers)
    if check:
        assert not (place / "jail").exists()
    assert make(ENTRY, check=check, exclude=["TCC.db"]).changed


@pytest.mark.parametrize("check", [True, False])
def test_in_a_directory_that_is_there(make: Make, place: Path, protected: Path, check: bool) -> None:
    protected.rename(place / "kept")
    make(ENTRY)
    (place / "kept").rename(protected)
    before = tree_snapshot(place / "jail/usr")
    with pytest.raises(OperationError, match=refusal(protected)):
        make(ENTRY, check=check)
    if check:
        assert tree_snapshot(place / "jail/usr") == before
    assert not (place / "jail/usr/share/dict/TCC.db").exists()


@pytest.mark.parametrize("check", [True, False])
def test_with_several_names(make: Make, protected: Path, check: bool) -> None:
    os.link(protected, protected.with_name("TCC.zdb"))
    with pytest.raises(OperationError, match=refusal(protected)):
        make(ENTRY, check=check)


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("names", [1, 2])
@pytest.mark.parametrize("folder", ["usr/share/dict", "private/etc"])
def test_where_contents_are_compared(
    make: Make, source: Path, monkeypatch: pytest.MonkeyPatch, check: bool, names: int, folder: str
) -> None:
    """A file that is in the jail already, and was protected since; configuration, too."""
    path = source / folder / "TCC.db"
    path.write_text("protected")
    if names > 1:
        os.link(path, path.with_name("TCC.zdb"))
    make(ENTRY, "/private/etc")
    refuse(monkeypatch, by=os.stat(path.parent))
    with pytest.raises(OperationError, match=refusal(path)):
        make(ENTRY, "/private/etc", check=check, verify="full")
    assert not make(ENTRY, "/private/etc", check=check).changed


def test_what_is_not_copied_is_not_opened(make: Make, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check of a jail that is as wanted costs no more than before."""
    make(ENTRY)
    opened: list[bytes] = []
    real = at.open_file
    monkeypatch.setattr(at, "open_file", lambda name, dir_fd: opened.append(name) or real(name, dir_fd))  # type: ignore[func-returns-value]
    assert not make(ENTRY, check=True, workers=1).changed
    assert opened == []
    (source / "usr/share/dict/more").write_text("more")
    subprocess.run(["touch", source / "usr/share/dict"], check=True)
    assert make(ENTRY, check=True, workers=1).changed
    assert opened == [b"more"]
