# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""djail list. No tree is read: a jail costs its marker, its passwd and the names of its homes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from .. import mounted_volume, register, service_jobs
from ..errors import JailError
from ..jail import Jail, open_at
from ..macos import launchd
from ..macos.release import Release, release
from ..programs import passwd_lookup
from ..record.record import journals
from ..sizes import size
from ..system.jail_lock import jail_lock_holder
from ..system.rooted import Root
from .answers import Answer, age
from .request import Request

HOMES = b"Users"
NO_USERS = (b"Shared", b".localized")
GOOD = "complete"
HEAD = ("name", "macos", "size", "users", "services", "health", "age", "path")


def list_jails(request: Request) -> Answer:
    """The jails that the register of this Mac has."""
    mac, warnings = _mac_release()
    labels = launchd.labels("darwin.jail.")
    jails = [_row(path, entries, mac, labels) for path, entries in sorted(register.all_known().items())]
    rows = [
        [
            (jail["name"], "head"),
            (jail["macos_version"] or "-", ""),
            (size(jail["bytes"]) if jail["bytes"] is not None else "-", ""),
            (", ".join(jail["users"]) or "-", ""),
            _services_cell(jail["services"]),
            (jail["health"], "good" if jail["health"] == GOOD else "bad"),
            (age(jail["created"]), ""),
            (jail["path"], ""),
        ]
        for jail in jails
    ]
    lines = request.style.table(HEAD, rows) if rows else ["this Mac has no jail: djail create NAME builds one"]
    return Answer({"jails": jails}, lines, warnings)


def _mac_release() -> tuple[Release | None, list[str]]:
    try:
        with Root("/") as root:
            return release(root), []
    except JailError as exc:
        return None, [f"the macOS of jails is not compared: {exc}"]


def _row(path: bytes, entries: list[register.Entry], mac: Release | None, labels: Sequence[str]) -> dict[str, Any]:
    """One jail. The entry decides; of the jail itself only names of users are read."""
    entry, users, services, health = entries[0] if entries else {}, [], [], ""
    try:
        if mounted_volume.missing_mount(path):
            health = "not mounted"
        elif not os.path.lexists(path):
            health = "gone"
        else:
            with open_at(path) as jail:
                entry = jail.entry or entry
                users, health = _users(jail), _health(jail, mac)
                services = [_service(path, label) for label in labels if label.startswith(service_jobs.prefix(path))]
    except JailError as exc:
        health = f"unusable: {exc}"
    return {
        "name": os.fsdecode(os.path.basename(path)),
        "path": os.fsdecode(path),
        "id": entry.get("id"),
        "macos_version": entry.get("macos_version"),
        "macos_build": entry.get("macos_build"),
        "bytes": entry.get("bytes"),
        "users": users,
        "services": services,
        "health": health,
        "created": entry.get("created"),
        "built": entry.get("built"),
    }


def _services_cell(services: Sequence[dict[str, str]]) -> tuple[str, str]:
    """The names of the services; those that have a problem are marked."""
    names = [one["name"] + ("!" if one["problem"] else "") for one in services]
    return ", ".join(names) or "-", "bad" if any(one["problem"] for one in services) else ""


def _service(path: bytes, label: str) -> dict[str, str]:
    one = service_jobs.find(path, label[len(service_jobs.prefix(path)) :])
    return {"name": one.name, "state": one.status, "problem": one.problem}


def _health(jail: Jail, mac: Release | None) -> str:
    if holder := jail_lock_holder(jail.root):
        return f"in work: {holder}"
    if jail.unknown:
        return "unknown to this Mac"
    state = str(jail.entry.get("state", "unknown"))
    if state == GOOD and journals(jail.root):
        return "interrupted"
    build = jail.entry.get("macos_build")
    if state == GOOD and mac and build and build != mac.build:
        return "outdated"
    return state


def _users(jail: Jail) -> list[str]:
    """Who has a home in the jail, and its own users."""
    own = [entry.pw_name for entry in map(passwd_lookup.parse_entry, _passwd(jail)) if entry]
    homes = []
    if jail.root.lstat(HOMES) is not None:
        homes = [os.fsdecode(name) for name in jail.root.names(HOMES) if name not in NO_USERS]
    return sorted({*own, *homes})


def _passwd(jail: Jail) -> list[list[str]]:
    return passwd_lookup.read_fields(jail.root.fd, passwd_lookup.PASSWD)
