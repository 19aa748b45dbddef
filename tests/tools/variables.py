# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Write docs/variables.md: all jail_* variables by what people want to do.

Their order and headings are those of roles/jail/defaults/main.yml. Text, type and default come from the specifications
of the roles, and for variables that only the connection reads from its documentation.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).parents[2]
PAGE = CHECKOUT / "docs/variables.md"
HEAD = """# Variables

All variables of roles and playbooks. Set them in the inventory or with `-e`. Variables of Macs and of virtual machines
are for hosts that are Macs. `ansible-doc -t role darwin.jail.base` has the same for one role. This page is made by
`tests/tools/variables.py`.
"""
TABLE = "| variable | type and default | | roles |\n|---|---|---|---|\n"
SECTION = re.compile(r"^# -- (.+)|^(jail_\w+):", re.MULTILINE)
MARKUP = re.compile(r"\b[A-Z]\(((?:[^()]|\([^()]*\))*)\)")
PLAYBOOKS = {
    "jail_targets": "The hosts that a playbook for jails runs on. Set it with `-e` only. The group `jails` when not set, "
    "or this Mac without an inventory. `deploy_jail` leaves out the group `builders` when it is not set.",
    "jail_mac_targets": "The hosts that a playbook for Macs runs on. Set it with `-e` only. The group `macs` when not "
    "set, or this Mac without an inventory.",
    "jail_serial": "How many jails `update_jail` and `deploy_jail` work on at a time, or a list of batches such as "
    '`[1, "25%", "100%"]`. 1 when not set. The value of the first jail counts for all.',
    "jail_max_fail_percentage": "How many jails of a batch may fail before `deploy_jail` ends, in percent. 0 when not "
    "set. The value of the first jail counts for all.",
}
"""Variables that only playbooks read, for keywords of plays, which no specification can have."""


def options() -> dict[str, dict[str, Any]]:
    """The specification of each variable, and the roles that read it."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(CHECKOUT.glob("roles/*/meta/argument_specs.yml")):
        role = path.parts[-3]
        for spec in yaml.safe_load(path.read_text())["argument_specs"].values():
            for name, option in spec.get("options", {}).items():
                found.setdefault(name, {**option, "roles": []})["roles"].append(role)
    return found


def of_the_connection() -> dict[str, str]:
    """What the connection says of variables that no role reads."""
    text = (CHECKOUT / "plugins/connection/chroot.py").read_text()
    documentation = yaml.safe_load(text.partition('DOCUMENTATION = r"""')[2].partition('"""')[0])
    return {
        variable["name"]: _plain(option["description"])
        for option in documentation["options"].values()
        for variable in option.get("vars", [])
        if variable["name"].startswith("jail_") and variable["name"] not in options()
    }


def _plain(description: Any) -> str:
    """Sentences without the markup of Ansible's documentation, for a cell of a table."""
    text = " ".join([description] if isinstance(description, str) else description)
    return MARKUP.sub(lambda found: f"`{_reference(found[1])}`", text).replace("|", "\\|")


def _reference(text: str) -> str:
    return text.removeprefix("darwin.jail.").replace("#module:", " ")


def _kind(option: dict[str, Any]) -> str:
    text = "list of " + option["elements"] if "elements" in option else str(option["type"])
    if "choices" in option:
        text += ": " + ", ".join(f"`{choice}`" for choice in option["choices"])
    if option.get("required"):
        return f"{text}; required"
    default = option.get("default")
    if default in (None, "", [], {}):
        return text
    return f"{text}; `{yaml.safe_dump(default, default_flow_style=True, width=200).splitlines()[0]}`"


def _row(name: str, option: dict[str, Any]) -> str:
    text = _plain(option["description"])
    if "options" in option:
        keys = (f"`{key}`{' (required)' if inner.get('required') else ''}" for key, inner in option["options"].items())
        text += f" Keys: {', '.join(keys)}."
    return f"| `{name}` | {_kind(option)} | {text} | {', '.join(dict.fromkeys(option['roles']))} |\n"


def page() -> str:
    known = options()
    text = HEAD
    for section, name in SECTION.findall((CHECKOUT / "roles/jail/defaults/main.yml").read_text()):
        if section:
            text += f"\n## {section[0].upper()}{section[1:]}\n\n{TABLE}"
        else:
            text += _row(name, known[name])
    text += "\n## Inventories and playbooks\n\n| variable | |\n|---|---|\n"
    for name, description in sorted({**of_the_connection(), **PLAYBOOKS}.items()):
        text += f"| `{name}` | {description} |\n"
    return text


if __name__ == "__main__":
    PAGE.write_text(page())
