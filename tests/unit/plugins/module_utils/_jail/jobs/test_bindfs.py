# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Which bindfs is taken, and what it loads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.jobs import bindfs
from macho_files import need, thin


@pytest.fixture(autouse=True)
def fuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bindfs, "installed_fuses", lambda root: ["fuse-t"])


def test_the_first_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = [tmp_path / name for name in ("a", "b")]
    monkeypatch.setattr(bindfs, "USUAL_PATHS", tuple(map(str, places)))
    with pytest.raises(InputError, match=f"there is no bindfs in {tmp_path}/a or {tmp_path}/b: install it"):
        bindfs.find_bindfs()
    places[1].write_bytes(b"b")
    assert bindfs.find_bindfs() == (str(places[1]), b"b", [])
    places[0].write_bytes(b"a")
    assert bindfs.find_bindfs().contents == b"a"
    assert bindfs.find_bindfs(str(places[1])).contents == b"b"
    with pytest.raises(InputError, match=f"there is no bindfs in {tmp_path}/c"):
        bindfs.find_bindfs(str(tmp_path / "c"))


def test_a_library_that_others_can_replace_is_told(tmp_path: Path) -> None:
    """As libfuse is on a Mac with Intel, where /usr/local belongs to who installed Homebrew."""
    if os.geteuid():
        pytest.skip("only root can give a directory away")
    library = tmp_path / "lib/libfuse.2.dylib"
    library.parent.mkdir()
    library.touch()
    program = tmp_path / "bindfs"
    program.write_bytes(thin("arm64", "execute", need(str(library)), need("/usr/lib/libSystem.B.dylib")))
    assert bindfs.libraries(program.read_bytes()) == {os.fsencode(library), b"/usr/lib/libSystem.B.dylib"}
    library.parent.chmod(0o777)
    (warning,) = bindfs.find_bindfs(str(program)).warnings
    assert warning.startswith(f"root runs bindfs with {library}, which others can replace")


def test_one_that_others_can_replace_is_refused(tmp_path: Path) -> None:
    """Homebrew's belongs to a person; a copy that root makes by itself would be that person's program all the same."""
    if os.geteuid():
        pytest.skip("only root can give a directory away")
    program = tmp_path / "homebrew/bindfs"
    program.parent.mkdir()
    program.touch(0o755)
    os.chown(program.parent, 501, 20)
    with pytest.raises(InputError) as caught:
        bindfs.find_bindfs(str(program))
    assert f"others than root can write to {program.parent}; to trust it as it is, make a copy" in str(caught.value)


@pytest.mark.parametrize("contents", [b"", b"#!/bin/sh\n", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe" + b"\xff" * 40])
def test_what_is_no_mach_o_names_no_libraries(contents: bytes) -> None:
    assert bindfs.libraries(contents) == set()
