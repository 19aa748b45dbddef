# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""Records as the lines that libc knows: passwd, group and shadow entries, group lists."""

from __future__ import annotations

from standin.records import Node, Record, compatibility_uuid

EVERYONE, LOCALACCOUNTS = 12, 61


def unsigned(text: str) -> int:
    """An id as the kernel sees it: -2 is 4294967294."""
    return int(text) & 0xFFFFFFFF


def first(record: Record, native: str, default: str = "") -> str:
    values = record.get(native) or [default]
    return values[0]


def passwd_line(record: Record) -> str:
    uid, gid = (unsigned(first(record, key, "-2")) for key in ("uid", "gid"))
    fields = [first(record, "name"), "x", str(uid), str(gid), first(record, "realname")]
    return ":".join([*fields, first(record, "home", "/var/empty"), first(record, "shell", "/usr/bin/false")])


def group_line(record: Record) -> str:
    members = ",".join(record.get("users", ()))
    return f"{first(record, 'name')}:*:{unsigned(first(record, 'gid', '-2'))}:{members}"


def shadow_line(record: Record) -> str:
    return f"{first(record, 'name')}:{first(record, 'standin_hash', '*')}"


def group_ids(node: Node, user: str) -> list[int] | None:
    """The primary group, the two computed ones, then every group that lists the user."""
    record = node.find("Users", user)
    if record is None:
        return None
    name = first(record, "name")
    found = [unsigned(first(record, "gid", "-2")), EVERYONE]
    if "generateduid" in record and not name.startswith("_"):
        found.append(LOCALACCOUNTS)
    members = (g for g in node.records["Groups"].values() if name in g.get("users", ()))
    found.extend(sorted(unsigned(first(group, "gid")) for group in members))
    return list(dict.fromkeys(found))


def uuid_of(node: Node, uid: int) -> str | None:
    """mbr_uid_to_uuid(3): uid 0 has the compatibility UUID without anybody being asked."""
    if uid == 0:
        return compatibility_uuid(0)
    for record in node.records["Users"].values():
        if unsigned(first(record, "uid", "-2")) == uid:
            return first(record, "generateduid") or compatibility_uuid(uid)
    return None
