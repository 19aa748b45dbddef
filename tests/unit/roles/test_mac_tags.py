# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What the role mac does with tags: who leaves one part out loses no other one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from connection_place import ENVIRONMENT

PARTS = {
    "clt": "Install the Command Line Tools with Software Update",
    "sudo": "Remove the sudo rule for jail_bootstrap_sudo_users",
    "enter": "Install the command that enters a jail",
    "homebrew": "Find Homebrew",
}
ROLE = str(Path(__file__).parents[3] / "roles/mac")


@pytest.mark.skipif(os.geteuid() != 0, reason="the role refuses to look as another user")
@pytest.mark.parametrize(
    ("words", "run"),
    [
        ([], {"clt", "sudo", "enter"}),
        (["--skip-tags", "mac_homebrew"], {"clt", "sudo", "enter"}),
        (["--skip-tags", "mac_clt,mac_sudo"], {"enter"}),
        (["--tags", "mac_enter"], {"enter"}),
        (["--tags", "preflight"], set()),
        (["--skip-tags", "mac"], set()),
    ],
)
def test_each_part_can_be_left_out_alone(tmp_path: Path, words: list[str], run: set[str]) -> None:
    said = played(tmp_path, words)
    assert {part for part, task in PARTS.items() if f": {task}" in said} == run


@pytest.mark.skipif(os.geteuid() != 0, reason="the role refuses to look as another user")
@pytest.mark.parametrize(
    ("words", "reports", "prepared", "verified"),
    [
        ([], True, True, True),
        ([], False, True, False),
        ([], False, False, True),
        (["-v"], False, True, True),
        (["--tags", "verify"], False, True, True),
        (["--skip-tags", "mac_verify"], True, True, False),
    ],
)
def test_a_build_verifies_a_prepared_mac_only_when_asked(
    tmp_path: Path, words: list[str], reports: bool, prepared: bool, verified: bool
) -> None:
    said = played(tmp_path, words, __mac_reports=reports, __mac_prepared=prepared)
    assert (": Verify that the Mac has Command Line Tools" in said) is verified


def played(tmp_path: Path, words: list[str], **more: object) -> str:
    """What the role says in check mode."""
    uname = tmp_path / "uname"
    uname.write_text("#!/bin/sh\necho Darwin\n")
    uname.chmod(0o755)
    # Of all parts but the first look no task is run; it is announced, which tells that it was selected.
    given = {"ansible_connection": "local", "__mac_no_python": True, "__mac_enter_command": f"{tmp_path}/enter", **more}
    (tmp_path / "play.json").write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "roles": [ROLE]}]))
    argv = [sys.executable, "-m", "ansible", "playbook", "--check", f"{tmp_path}/play.json", "-e", json.dumps(given)]
    environment = {**ENVIRONMENT, "PATH": f"{tmp_path}:{ENVIRONMENT['PATH']}"}
    done = subprocess.run([*argv, *words], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
