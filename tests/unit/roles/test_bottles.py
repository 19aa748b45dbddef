# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The role homebrew tells before it begins that packages will be compiled, where there are no bottles for the Mac."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from connections import QUIET, TOP

WILL_COMPILE = "Homebrew no longer provides bottles (precompiled packages) for macOS 14.5 on arm64"


def preflight(tmp_path: Path, bottles: bool, *options: str, **variables: object) -> str:
    """What it says of a Mac that the role base has looked at before."""
    seen = {
        "macos": {"version": "14.5"},
        "architecture": "arm64",
        "users": {"admin": {"home": "/Users/admin"}},
        "homebrew": {"prefix": "/opt/homebrew", "installed": True, "bottles": bottles},
    }
    role = {"name": "darwin.jail.homebrew", "tasks_from": "preflight"}
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"jail_path": str(tmp_path / "jail"), "jail_user": "admin", **variables},
        "tasks": [
            {"ansible.builtin.set_fact": {"__jail_mac_info": seen}, "tags": "always"},
            {"ansible.builtin.import_role": role},
        ],
    }
    (tmp_path / "play.json").write_text(json.dumps([play]))
    environment = {**os.environ, **QUIET, "ANSIBLE_COLLECTIONS_PATH": str(TOP / ".cache/collections")}
    argv = [sys.executable, "-m", "ansible", "playbook", *options, str(tmp_path / "play.json")]
    ended = subprocess.run(argv, check=False, capture_output=True, text=True, env=environment)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return " ".join(ended.stdout.split())


@pytest.mark.parametrize("options", [(), ("--check",), ("--tags", "preflight")], ids=["run", "check", "preflight"])
def test_it_is_told_with_what_to_do(tmp_path: Path, options: tuple[str, ...]) -> None:
    said = preflight(tmp_path, False, *options, jail_packages=["tree"], jail_homebrew_timeout=77)
    assert WILL_COMPILE in said
    assert "jail_homebrew_timeout, now 77 seconds" in said


@pytest.mark.parametrize(
    ("bottles", "variables"), [(True, {"jail_packages": ["tree"]}), (False, {"jail_homebrew": True})], ids=str
)
def test_it_is_not_told_where_nothing_will_be(tmp_path: Path, bottles: bool, variables: dict[str, object]) -> None:
    assert "bottles" not in preflight(tmp_path, bottles, **variables)
