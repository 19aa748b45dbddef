# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What a run of Ansible is asked for its calls of modules."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

CALLBACK = Path(__file__).resolve().parents[2] / "bench/callback"


def test_modules_are_counted_and_not_tasks(tmp_path: Path) -> None:
    tasks = [
        {"ansible.builtin.ping": None},
        {"ansible.builtin.ping": None, "when": False},
        {"ansible.builtin.debug": {"msg": "no module"}},
        {"ansible.builtin.copy": {"content": "several modules", "dest": str(tmp_path / "copy")}},
    ]
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (tmp_path / "play.yml").write_text(
        json.dumps([{"hosts": "localhost", "gather_facts": False, "vars": local, "tasks": tasks}])
    )
    task_times = {"ANSIBLE_CALLBACK_PLUGINS": str(CALLBACK), "TASK_TIMES": str(tmp_path / "task_times")}
    playbook = Path(sys.executable).with_name("ansible-playbook")
    words = [str(playbook), "-i", "localhost,", str(tmp_path / "play.yml")]
    subprocess.run(words, check=True, capture_output=True, env={**os.environ, **task_times})
    lines = [json.loads(line) for line in (tmp_path / "task_times").read_text().splitlines()]
    modules = [line["module"].rpartition(".")[2] for line in lines if "module" in line]
    assert modules == ["ping", "stat", "copy"]
    seconds = {line["action"]: line["seconds"] for line in lines if "seconds" in line}
    assert seconds.keys() == {f"ansible.builtin.{name}" for name in ("ping", "debug", "copy")}
    assert min(seconds.values()) > 0
