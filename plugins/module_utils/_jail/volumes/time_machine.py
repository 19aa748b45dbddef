# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time Machine: exclude a jail from the Mac's backups.

tmutil(8) marks the directory itself, so the mark stays with it when it is
renamed and is gone when it is removed. It says `[Excluded]    PATH`, and
so it does for what lies below an excluded directory (docs/macos.md).
"""

from __future__ import annotations

import os

from ..errors import OperationError, show
from ..predicted import open_predicted
from ..result import Result
from ..system.process import run

TMUTIL = "/usr/bin/tmutil"


def ensure(jail: str, state: str, check: bool) -> Result:
    """Exclude a jail from the backups, or remove the exclusion."""
    excluded = state == "present"
    with open_predicted(jail, check) as opened:
        path = opened.path
        if not opened.root.exists:  # a new directory is included
            diff = [f"- {show(path)} in Time Machine's backups"] if excluded else []
            return Result(bool(diff), None, diff, opened.prediction_warnings)
    if is_excluded(path) == excluded:
        return Result(False)
    if not check:
        _tmutil("addexclusion" if excluded else "removeexclusion", path)
        if is_excluded(path) != excluded:
            return _had_no_effect(path, excluded)
    sign = "-" if excluded else "+"
    return Result(True, diff=[f"{sign} {show(path)} in Time Machine's backups"], warnings=opened.prediction_warnings)


def _had_no_effect(path: bytes, excluded: bool) -> Result:
    if excluded:
        raise OperationError("exclude", path, "tmutil accepted it, but Time Machine still includes it")
    above = f"{show(path)} stays excluded from Time Machine: a directory above it, or the Mac's settings, exclude it"
    return Result(False, warnings=[above])


def is_excluded(path: bytes) -> bool:
    """Whether Time Machine excludes a path; OperationError when tmutil reports neither."""
    said = _tmutil("isexcluded", path).split(None, 1)[:1]
    if said not in (["[Excluded]"], ["[Included]"]):
        raise OperationError("tell whether Time Machine excludes", path, "tmutil did not report either state")
    return said == ["[Excluded]"]


def _tmutil(verb: str, path: bytes) -> str:
    ended = run([TMUTIL, verb, os.fsdecode(path)])
    said = (ended.stdout + ended.stderr).decode("utf-8", "replace").strip()
    if ended.rc:
        raise OperationError(f"run tmutil {verb} on", path, said.rpartition("\n")[2] or f"it ended with {ended.rc}")
    return said
