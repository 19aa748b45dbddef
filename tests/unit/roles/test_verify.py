# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What the checks of the role base say of what programs of a jail said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml
from connections import QUIET, TOP

BASE = TOP / "roles/base"
CONTROL = "\x1b]0;new title\x07\x1b[2J"
SAID = dict.fromkeys(("macos", "uid", "named", "temporary", "cache", "certificates"), CONTROL)
TRIED = {"stdout": json.dumps(SAID), "stderr_lines": [CONTROL], "rc": 0, "msg": "it ran"}


def test_nothing_that_programs_of_a_jail_say_moves_the_cursor_of_a_terminal(tmp_path: Path) -> None:
    """Ansible prints the message of an assertion that failed as it is."""
    files = [BASE / f"tasks/{name}.yml" for name in ("verify", "verify_answers")]
    tasks = [task.get("ansible.builtin.assert", {}) for file in files for task in yaml.safe_load(file.read_text())]
    messages = [task[name] for task in tasks if task for name in ("fail_msg", "success_msg")]
    variables = {**yaml.safe_load((BASE / "vars/main.yml").read_text()), "__jail_path": "/jail", "jail_user": "admin"}
    variables.update(__jail_tried=TRIED, __base_account={"uid": 501}, messages=messages)
    task = {"ansible.builtin.copy": {"content": "{{ messages | to_json }}", "dest": str(tmp_path / "said")}}
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables, "tasks": [task]}
    (tmp_path / "play.json").write_text(json.dumps([play]))
    argv = [sys.executable, "-m", "ansible", "playbook", str(tmp_path / "play.json")]
    environment = {**os.environ, **QUIET, "ANSIBLE_COLLECTIONS_PATH": str(TOP / ".cache/collections")}
    subprocess.run(argv, check=True, capture_output=True, text=True, env=environment)
    found = json.loads((tmp_path / "said").read_text())
    assert sum("new title" in text for text in found) > 4
    assert [text for text in found if not text.isprintable()] == []
