# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What build_jail puts into a jail beside a profile, with the defaults of its variables.

The roles base and clt have the same in their vars; a test compares them.
"""

from __future__ import annotations

from typing import Any

from ..accounts.directory_services import Account
from ..programs.passwd_lookup import FIRST_UID

TOOLS_DIRECTORY = "/Library/Developer/CommandLineTools"
TOOLS: list[dict[str, Any]] = [
    {"src": TOOLS_DIRECTORY, "optional": False},
    {"src": "/System/Library/Sandbox/Profiles/", "optional": True},
    {"src": "/usr/share/sandbox/", "optional": True},
]
EXCLUDED = ("/usr/bin/sandbox-exec",)
SHELLS = ("/bin/", "/usr/bin/")
"""Where shells are that a jail must have; one of Homebrew comes later."""
RESERVED = ("next.", "ephemeral.")
"""The beginnings of names that playbooks give to jails beside another one."""
DEFAULTS: dict[str, Any] = {
    "state": "file", "content": None, "block": None, "name": "darwin.jail", "target": None, "mode": None,
    "owner": "root", "group": None,
}  # fmt: skip
"""Those of the option `files` of darwin_jail_files."""
PROMPTS = {
    "/etc/zshrc_darwin.jail": '[ -n "$JAIL_NAME" ] && PS1="(${JAIL_NAME//\\%/%%}) $PS1"\n',
    "/etc/bashrc_darwin.jail": '[ -n "$JAIL_NAME" ] && PS1=\'($JAIL_NAME) \'"$PS1"\n',
}
TOOL_LINKS: list[dict[str, Any]] = [
    {**DEFAULTS, "path": path, "state": "link", "target": TOOLS_DIRECTORY}
    for path in ("/var/select/developer_dir", "/var/db/xcode_select_link")
]


def of_base(account: Account) -> list[dict[str, Any]]:
    """Items of the option `files`: the home of the user, and the prompts."""
    home = {**DEFAULTS, "path": account.home, "state": "directory", "owner": account.name, "mode": "0750"}
    homes = [home] if account.uid >= FIRST_UID else []
    absent = [{**DEFAULTS, "path": path, "state": "absent"} for path in EXCLUDED]
    return [*homes, *absent, *({**DEFAULTS, "path": path, "content": text} for path, text in PROMPTS.items())]
