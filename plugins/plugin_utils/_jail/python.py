# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python modules run on in a jail: its own, whatever Ansible knows of the Mac's."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible_collections.darwin.jail.plugins.module_utils._jail.exec.session import PYTHONS

# Ansible looks in none of these by default, so a Python that it found on the Mac differs from one of a jail.
# /usr/bin/python3 only ever starts one of the first two.
JAIL_PYTHONS = (*PYTHONS, "/opt/homebrew/bin/python3", "/usr/local/bin/python3")

ASKED = re.compile(r"command -v '([^']*)'")
FOLDERS = ("/usr/bin", "/bin", "/usr/sbin", "/sbin")
"""Where a name alone is looked for in a jail."""


def use_jail_python(variables: MutableMapping[str, Any]) -> None:
    """Forget the Python of the Mac, and have one looked for where jails have theirs."""
    places = variables.setdefault("ansible_interpreter_python_fallback", list(JAIL_PYTHONS))
    facts = variables.get("ansible_facts") or {}
    if facts.get("discovered_interpreter_python", places[0]) not in places:
        known = {name: fact for name, fact in facts.items() if name != "discovered_interpreter_python"}
        variables["ansible_facts"] = known
    implicit = variables.get("inventory_hostname") in constants.LOCALHOST
    if implicit and variables.get("ansible_python_interpreter") == variables.get("ansible_playbook_python"):
        variables.pop("ansible_python_interpreter", None)


def refuse_search(text: str, stdout: bytes, jail: str) -> None:
    """AnsibleError when a command was Ansible's search for a Python, and found none or one that it did not look for."""
    if python_search_failed(text, stdout):
        raise AnsibleError(
            f"there is no Python in {jail}: looked for {', '.join(JAIL_PYTHONS)}; install the Command Line Tools or "
            f"another Python in the jail, or set ansible_python_interpreter to its path (raw and script need none)"
        )
    if strange := found_elsewhere(text, stdout):
        raise AnsibleError(
            f"cannot take {strange} for the Python of {jail}: it is none of those that were looked for (set "
            "ansible_python_interpreter to where it is)"
        )


def found_elsewhere(text: str, stdout: bytes) -> str | None:
    """What a jail names that Ansible did not look for. It is kept as a fact, and may be run where no jail is."""
    asked = ASKED.findall(text) if text.startswith("echo FOUND;") else []
    for line in stdout.decode(errors="replace").splitlines() if asked else []:
        folder, _slash, name = line.strip().rpartition("/")
        if line.startswith("/") and line.strip() not in asked and not (name in asked and folder in FOLDERS):
            return repr(line.strip())
    return None


def python_search_failed(text: str, stdout: bytes) -> bool:
    """Whether this was Ansible's search for a Python, and there is none."""
    searched = all(f"command -v '{place}'" in text for place in JAIL_PYTHONS)
    return searched and not any(line.startswith(b"/") for line in stdout.splitlines())
