# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about a Mac that are needed before a jail is built on it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ..accounts.directory_services import find_account
from ..errors import JailError
from ..macos import launchd, sip
from ..macos.installed import software
from ..macos.release import architecture, release
from ..result import Result
from ..service_jobs import PURPOSE
from ..system.rooted import Root


def gather(users: Sequence[str]) -> Result:
    """Facts about this Mac; InputError when it does not run macOS, or when one of the users does not exist."""
    processor = architecture()
    with Root("/") as root:
        system = release(root)
        installed = software(root, processor, system.major)
    protection = sip.status()
    return Result(
        False,
        {
            "macos": {"version": system.version, "build": system.build},
            "architecture": processor,
            "root": os.geteuid() == 0,
            "sip": protection.status,
            "can_enter": not protection.protects_files,
            "has_services": _has_services(),
            "users": {user: _user(user) for user in users},
            **installed,
        },
    )


def _has_services() -> bool:
    """Whether some jail of this Mac has a service; True when that cannot be read."""
    try:
        return any(f".{PURPOSE}" in label for label in launchd.labels("darwin.jail."))
    except JailError:
        return True


def _user(name: str) -> dict[str, Any]:
    account = find_account(name)
    return {"uid": account.uid, "gid": account.gid, "home": account.home, "shell": account.shell}
