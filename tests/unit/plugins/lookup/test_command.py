# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A command needs no quotes of its own on the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from connections import QUIET, TOP

PLAY = """
- hosts: localhost
  gather_facts: false
  vars: {__base_command: "{{ lookup('darwin.jail.command') }}"}
  tasks: [{ansible.builtin.copy: {content: "{{ __base_command | to_json }}", dest: said}}]
"""


@pytest.mark.parametrize(
    ("option", "command"),
    [
        ("jail_command=true", "true"),
        ("jail_command=gcc --version", "gcc --version"),
        ("jail_command=make CC=clang test", "make CC=clang test"),
        ("jail_command=make CC=clang", "make CC=clang"),
        ("jail_command=sh -c 'echo \"a b\"'", "sh -c 'echo \"a b\"'"),
        ("jail_command=true jail_user=admin", "true"),
        ("jail_command='make test' jail_user=admin", "make test"),
        ('jail_command="sw_vers -productVersion"', "sw_vers -productVersion"),
        ('{"jail_command": "make test"}', "make test"),
        ('{"jail_command": ["make", "a b"]}', ["make", "a b"]),
    ],
)
def test_the_command_is_the_one_that_was_given(tmp_path: Path, option: str, command: object) -> None:
    (tmp_path / "play.yml").write_text(PLAY.replace("dest: said", f"dest: {tmp_path}/said"))
    environment = {**os.environ, **QUIET, "ANSIBLE_COLLECTIONS_PATH": str(TOP / ".cache/collections")}
    argv = [sys.executable, "-m", "ansible", "playbook", str(tmp_path / "play.yml"), "-e", option]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert yaml.safe_load((tmp_path / "said").read_text()) == command


def test_the_role_base_runs_that() -> None:
    variables = yaml.safe_load((TOP / "roles/base/vars/main.yml").read_text())
    assert variables["__base_command"] == yaml.safe_load(PLAY)[0]["vars"]["__base_command"]
    text = (TOP / "roles/base/tasks/run.yml").read_text()
    assert "__base_command" in text
    assert "jail_command" not in text.replace("__base_command", "")
