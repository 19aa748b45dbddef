# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Files of which Ansible takes nothing, and says little. What a playbook says: playbooks/test_nothing_to_do.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.sources import read_error

VAULT = "$ANSIBLE_VAULT;1.1;AES256\n6162\n"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("more.yml", "macs:\n - name: a\n jails: [", "it is not YAML: .* in line 3: "),
        ("more.yaml", "\udcff", "it is not YAML: "),
        ("more.yml", "\0", "it is not YAML: "),
        ("more.yml", "", "it is empty"),
        ("more.yml", "# nothing yet\n---\n", "it is empty"),
        ("more.yml", "- name: studio\n", "it contains a list"),
        ("more.json", '"words"', "it contains text"),
        ("more.yml", "plugn: darwin.jail.jails\nmacs: []\n", "it names no plugin .*did you mean 'plugin'"),
    ],
)
def test_an_inventory_of_which_nothing_is_taken(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content, errors="surrogateescape")
    assert re.match(said, read_error(str(tmp_path / name), True))


@pytest.mark.parametrize(("name", "content"), [("all.yml", "a: [\n"), ("all", "a: [\n"), ("all.yml", "- a\n")])
def test_variables_of_which_nothing_is_taken(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert read_error(str(tmp_path / name), False)


@pytest.mark.parametrize(
    ("name", "content", "is_inventory"),
    [
        ("hosts", "[others]\nhost\n", True),
        ("run.yml", "#!/bin/sh\necho '{}'\n", True),
        ("groups.yml", "macs:\nall: {hosts: {a: }}\nx: 1\n", True),
        ("fleet.yml", "plugin: of.another.collection\n", True),
        ("all.yml", "", False),
        ("all.yml", "--- ~\n", False),
        ("all.yml", VAULT, False),
        ("all.yml", "secret: !vault |\n  " + VAULT.replace("\n", "\n  "), False),
        ("all.cfg", "- x", False),
    ],
)
def test_other_files_are_fine(tmp_path: Path, name: str, content: str, is_inventory: bool) -> None:
    (tmp_path / name).write_text(content)
    assert read_error(str(tmp_path / name), is_inventory) == ""
