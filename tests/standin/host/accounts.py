# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""The records of a fresh directory: system users and groups, the people of a stand-in.

Numbers: DefaultLocalDB of apple-oss files, a part of it. The people: id(1) of an administrator as
published (Darwin 22, 16 groups) with two share groups more, since CI accounts have 18.
"""

from __future__ import annotations

import os
import plistlib
import uuid
from pathlib import Path

NODE = "private/var/db/dslocal/nodes/Default"
SYSTEM_USERS = {
    "nobody": -2,
    "root": 0,
    "daemon": 1,
    "_uucp": 4,
    "_taskgated": 13,
    "_networkd": 24,
    "_lp": 26,
    "_postfix": 27,
    "_scsd": 31,
    "_appstore": 33,
    "_appleevents": 55,
    "_geod": 56,
    "_sandbox": 60,
    "_mdnsresponder": 65,
    "_www": 70,
    "_cvs": 72,
    "_svn": 73,
    "_mysql": 74,
    "_sshd": 75,
    "_appserver": 79,
    "_windowserver": 88,
    "_spotlight": 89,
    "_tokend": 91,
    "_securityagent": 92,
    "_installer": 96,
    "_ftp": 98,
    "_unknown": 99,
    "_softwareupdate": 200,
    "_coreaudiod": 202,
    "_locationd": 205,
    "_timezone": 210,
    "_usbmuxd": 213,
    "_nsurlsessiond": 242,
    "_analyticsd": 263,
    "_oahd": 441,
}
SYSTEM_GROUPS = {
    "nobody": -2,
    "wheel": 0,
    "daemon": 1,
    "kmem": 2,
    "sys": 3,
    "tty": 4,
    "operator": 5,
    "mail": 6,
    "bin": 7,
    "procview": 8,
    "procmod": 9,
    "owner": 10,
    "everyone": 12,
    "group": 16,
    "staff": 20,
    "_networkd": 24,
    "_lp": 26,
    "certusers": 29,
    "_appstore": 33,
    "localaccounts": 61,
    "netaccounts": 62,
    "_mdnsresponder": 65,
    "_www": 70,
    "_sshd": 75,
    "_appserverusr": 79,
    "admin": 80,
    "_appserveradm": 81,
    "_windowserver": 88,
    "_spotlight": 89,
    "_lpadmin": 98,
    "_lpoperator": 100,
    "_developer": 204,
    "_analyticsusers": 250,
    "com.apple.access_ftp": 395,
    "com.apple.access_screensharing": 398,
    "com.apple.access_ssh": 399,
    "com.apple.access_remote_ae": 400,
    "_oahd": 441,
    "com.apple.sharepoint.group.1": 701,
    "com.apple.sharepoint.group.2": 702,
    "com.apple.sharepoint.group.3": 703,
}
ADMIN_GROUPS = (
    "_appserverusr",
    "admin",
    "_appserveradm",
    "_lpadmin",
    "com.apple.sharepoint.group.1",
    "_appstore",
    "_lpoperator",
    "_developer",
    "_analyticsusers",
    "com.apple.access_ftp",
    "com.apple.access_screensharing",
    "com.apple.access_ssh",
    "com.apple.access_remote_ae",
    "com.apple.sharepoint.group.2",
    "com.apple.sharepoint.group.3",
)
USER_GROUPS = (
    "com.apple.sharepoint.group.1",
    "com.apple.sharepoint.group.2",
    "_lpoperator",
    "com.apple.sharepoint.group.3",
)
# admin needs no password for sudo, operator does; user1 is no administrator. All have the password "admin".
PEOPLE = {
    "admin": (501, "Admin User", "/bin/zsh", ADMIN_GROUPS),
    "operator": (502, "Operator", "/bin/zsh", ADMIN_GROUPS),
    "user1": (503, "User One", "/bin/zsh", USER_GROUPS),
}
# Of "admin", by crypt(3).
PASSWORD_HASH = "$6$standin$.qISGfvhEqAYNGOX1EXt7fOZcssZDsVlNYPDaZXkD0Yswdt5Pp5x4TS0OyE.sr67eE6futmLBKYSWE9b6rmKj/"  # noqa: S105


def user_uuid(host: str, name: str) -> str:
    """A GeneratedUID that stays the same for a host of this name."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.{host}.standin")).upper()


def write(root: Path, host: str) -> None:
    members: dict[str, list[str]] = {"wheel": ["root"], "admin": ["root"], "daemon": ["root"], "operator": ["root"]}
    for name, uid in SYSTEM_USERS.items():
        _write_user(root, name, uid)
    for name, (uid, full, shell, groups) in PEOPLE.items():
        _save(
            root,
            "users",
            {
                "name": [name],
                "uid": [str(uid)],
                "gid": ["20"],
                "realname": [full],
                "shell": [shell],
                "home": [f"/Users/{name}"],
                "generateduid": [user_uuid(host, name)],
                "passwd": ["********"],
                "standin_hash": [PASSWORD_HASH],
            },
        )
        for group in groups:
            members.setdefault(group, []).append(name)
    for name, gid in SYSTEM_GROUPS.items():
        record = {"name": [name], "gid": [str(gid)], "passwd": ["*"], "generateduid": [group_uuid(gid)]}
        if name in members:
            record["users"] = members[name]
        _save(root, "groups", record)


def group_uuid(gid: int) -> str:
    """Libinfo membership.subproj/membership.c 51-54."""
    return f"ABCDEFAB-CDEF-ABCD-EFAB-CDEF{gid & 0xFFFFFFFF:08X}"


def _write_user(root: Path, name: str, uid: int) -> None:
    # Two recorded outputs of dscl (fleetdm/fleet, the test of its parser): root has two homes.
    homes, shell = (
        (["/var/root", "/private/var/root"], "/bin/sh") if name == "root" else (["/var/empty"], "/usr/bin/false")
    )
    names = ["root", "BUILTIN\\Local System"] if name == "root" else [name]
    full = "System Administrator" if name == "root" else name.lstrip("_").title()
    gid = uid if name.lstrip("_") == "nobody" or uid in SYSTEM_GROUPS.values() else -2
    _save(
        root,
        "users",
        {
            "name": names,
            "uid": [str(uid)],
            "gid": [str(gid)],
            "realname": [full],
            "home": homes,
            "shell": [shell],
            "generateduid": [f"FFFFEEEE-DDDD-CCCC-BBBB-AAAA{uid & 0xFFFFFFFF:08X}"],
            "passwd": ["*"],
        },
    )


def _save(root: Path, folder: str, record: dict[str, list[str]]) -> None:
    path = root / NODE / folder / f"{record['name'][0]}.plist"
    path.write_bytes(plistlib.dumps(record))
    os.chmod(path, 0o600)
