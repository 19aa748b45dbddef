# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""The local node of the directory service: one plist per record, as below /var/db/dslocal."""

from __future__ import annotations

import os
import plistlib
from pathlib import Path

NODE = Path("/private/var/db/dslocal/nodes/Default")

# Standard attribute -> name in the plist (DirectoryService's DSAttributeDefs and the files on disk).
NATIVE = {
    "AuthenticationAuthority": "authentication_authority",
    "GeneratedUID": "generateduid",
    "GroupMembers": "groupmembers",
    "GroupMembership": "users",
    "NestedGroups": "nestedgroups",
    "NFSHomeDirectory": "home",
    "Password": "passwd",
    "Picture": "picture",
    "RealName": "realname",
    "RecordName": "name",
    "UniqueID": "uid",
    "UserShell": "shell",
}
FOLDERS = {"Users": "users", "Groups": "groups"}
Record = dict[str, list[str]]


def native_name(kind: str, attribute: str) -> str:
    if attribute == "PrimaryGroupID":
        return "gid"
    attribute = attribute.removeprefix("dsAttrTypeStandard:").removeprefix("dsAttrTypeNative:")
    return NATIVE.get(attribute, attribute)


def standard_name(kind: str, native: str) -> str:
    if native == "gid":
        return "PrimaryGroupID"
    for standard, name in NATIVE.items():
        if name == native:
            return standard
    return native if native[:1].isupper() else f"dsAttrTypeNative:{native}"


def compatibility_uuid(uid: int) -> str:
    """The UUID of a user without one of its own (Libinfo membership.subproj/membership.c 51-54)."""
    return f"FFFFEEEE-DDDD-CCCC-BBBB-AAAA{uid & 0xFFFFFFFF:08X}"


class Node:
    """All records, kept in memory and on disk."""

    def __init__(self, root: Path = NODE) -> None:
        self.root = root
        self.records: dict[str, dict[str, Record]] = {kind: {} for kind in FOLDERS}
        for kind, folder in FOLDERS.items():
            for path in sorted((root / folder).glob("*.plist")):
                self.records[kind][path.stem] = plistlib.loads(path.read_bytes())

    def find(self, kind: str, name: str) -> Record | None:
        found = self.records[kind].get(name)
        if found is not None:
            return found
        return next((r for r in self.records[kind].values() if name in r.get("name", ())), None)

    def with_value(self, kind: str, native: str, value: str) -> list[Record]:
        return [r for r in self.records[kind].values() if value in r.get(native, ())]

    def save(self, kind: str, record: Record) -> None:
        name = record["name"][0]
        self.records[kind][name] = record
        path = self.root / FOLDERS[kind] / f"{name}.plist"
        fresh = path.with_suffix(".new")
        fresh.write_bytes(plistlib.dumps(record))
        os.chmod(fresh, 0o600)
        os.replace(fresh, path)

    def delete(self, kind: str, record: Record) -> None:
        name = record["name"][0]
        del self.records[kind][name]
        (self.root / FOLDERS[kind] / f"{name}.plist").unlink(missing_ok=True)
