# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What is entered is what was proved to be root's alone."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from ansible_collections.darwin.jail.plugins.module_utils._jail.exec.launch import launch_in_jail
from ansible_collections.darwin.jail.plugins.module_utils._jail.jail import open_jail
from ansible_collections.darwin.jail.plugins.module_utils._jail.marker import MARKER

NOBODY = pwd.getpwnam("nobody")
WHO = {"uid": 0, "gid": 0, "login": None, "groups": list[int]()}
PLAN = {"check": False, "argv": ["ls"], "env": {}, "search": "/bin", "chdir": "/", "creates": None, "removes": None}


def test_a_tree_of_somebody_that_was_taken_away_after_it_was_opened_is_not_entered(tmp_path: Path) -> None:
    """In a directory such as /tmp anybody can make one and rename it, and then nothing is on the way to it."""
    tree, marker = tmp_path / "tree", tmp_path / "tree" / os.fsdecode(MARKER)
    marker.parent.mkdir(parents=True)
    marker.write_text('{"format": 1}')
    for path in (tree, *tree.rglob("*")):
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    with open_jail(str(tree)) as jail:
        os.rename(tree, tmp_path / "away")
        report, _ended = launch_in_jail(jail.root, {**PLAN, **WHO}, b"", None)
    assert (report.event, report.path) == ("others", str(tree))
