# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The entry point clean of the role selftest removes what is this run's alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails


@pytest.mark.skipif(os.geteuid() != 0, reason="jails are root's")
@pytest.mark.parametrize("is_run", [True, False])
def test_jails_of_others_stay(tmp_path: Path, is_run: bool) -> None:
    """They are called as the jails of a run are, in a directory of people or of another run."""
    place = tmp_path / "jails"
    for name in ("jail", "clone"):
        jails.create(os.fsencode(place / name), enter=False).close()
        (place / name / "mine").write_text("mine")
    if is_run:
        (place / "run.json").write_text(json.dumps({"owner": "another", "began": time.time(), "before": []}))
    task = {"ansible.builtin.include_role": {"name": "darwin.jail.selftest", "tasks_from": "clean"}}
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}
    (tmp_path / "play.json").write_text(json.dumps([play]))
    settings = {"jail_selftest_directory": str(place), "ansible_python_interpreter": sys.executable}
    words = ["playbook", "-i", "localhost,", "-e", json.dumps(settings), str(tmp_path / "play.json")]
    ended = subprocess.run([sys.executable, "-m", "ansible", *words], check=False, capture_output=True, text=True)
    assert [(place / name / "mine").exists() for name in ("jail", "clone")] == [True, True], ended.stdout
    assert ended.returncode == 0, ended.stdout + ended.stderr
