# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A small macOS-shaped source tree, and jails that are built from it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build


@pytest.fixture
def source(place: Path) -> Path:
    """A source with system files, configuration and the links of macOS."""
    root = place / "source"
    for name in ("usr/bin/git", "usr/bin/cc", "usr/share/dict/words", "private/etc/hosts", "private/etc/pam.d/sudo"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"this is {name}\n")
    (root / "etc").symlink_to("private/etc")
    (root / "usr/bin/git").chmod(0o755)
    return root


Make = Callable[..., Result]


@pytest.fixture
def make(place: Path, source: Path) -> Make:
    """Build the jail `place/jail` from entries, given as paths of the source or as dicts."""

    def run(*entries: str | dict[str, Any], check: bool = False, **options: Any) -> Result:
        listed = [{"src": entry} if isinstance(entry, str) else entry for entry in entries]
        options = {"jail": str(place / "jail"), "source": str(source), **options}
        return build(BuildSpec(entries=listed, **options), check)

    return run


def snapshot(root: Path) -> dict[str, Any]:
    """All that is observable of a tree, by path: what must be equal when nothing was changed."""
    found: dict[str, Any] = {}
    for directory, dirs, files in os.walk(root):
        for name in ["", *dirs, *files]:
            path = Path(directory, name)
            status = path.lstat()
            contents: Any = None
            if path.is_symlink():
                contents = os.readlink(path)
            elif path.is_file():
                contents = path.read_bytes()
            found[str(path.relative_to(root))] = (
                status.st_mode,
                status.st_uid,
                status.st_gid,
                status.st_mtime_ns,
                status.st_ino,
                contents,
            )
    return found


def paths(result: Result) -> set[tuple[str, str]]:
    """What was done where."""
    return {(found["action"], found["path"]) for found in result.values["operations"]}
