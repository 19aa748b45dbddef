# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Which processor this Mac has."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos import release


@pytest.mark.parametrize(
    ("uname", "rc", "said", "means"),
    [
        ("x86_64", 0, "1\n", "arm64"),
        ("x86_64", 1, "", "x86_64"),
        ("x86_64", 0, "0\n", "x86_64"),
        ("arm64", 9, "", "arm64"),
    ],
    ids=["Apple silicon, Rosetta", "Intel", "Intel that answers", "Apple silicon"],
)
def test_rosetta_hides_the_processor_from_uname(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uname: str, rc: int, said: str, means: str
) -> None:
    program = tmp_path / "sysctl"
    program.write_text(f"#!/bin/sh\ntest \"$*\" = '-n hw.optional.arm64' || exit 9\nprintf '{said}'\nexit {rc}\n")
    program.chmod(0o755)
    monkeypatch.setattr(release, "SYSCTL", str(program))
    monkeypatch.setattr(release, "machine", lambda: uname)
    assert release.architecture() == means
    program.unlink()
    assert release.architecture() == uname
