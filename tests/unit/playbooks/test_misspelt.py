# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Typing errors are refused before roles validate their arguments, which would say it at length."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]


@pytest.mark.parametrize("playbook", ["build_jail", "configure_jail"])
def test_a_misspelt_key_takes_a_line(tmp_path: Path, playbook: str) -> None:
    hosts = {"jails": {"hosts": {"one": {"ansible_connection": "local", "jail_entries": [{"sorce": "/bin/ls"}]}}}}
    (tmp_path / "hosts.json").write_text(json.dumps(hosts))
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(CHECKOUT / "docs/examples/ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache/collections"),
        "DARWIN_JAIL_SUMMARY_DIRECTORY": str(tmp_path),
        "ANSIBLE_NOCOLOR": "1",
    }
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    words = [program, "-i", f"{tmp_path}/hosts.json", f"darwin.jail.{playbook}", "-e", "ansible_become=false"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "    jail_entries[0] has the unknown key sorce: did you mean src?\n" in done.stdout
    assert len(done.stdout.splitlines()) < 20
