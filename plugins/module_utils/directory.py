# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directory Services: who is this user, which group is that.

The host's answers hold in a jail too, for a chrooted process reaches the
host's opendirectoryd (docs/macos.md, Users).
"""

from __future__ import annotations

import grp
import pwd
import re
from typing import NamedTuple

from ._sys.process import run
from ._sys.who import as_number
from .errors import InputError, OperationError

DSCL = "/usr/bin/dscl"
KEYS = ("GeneratedUID", "UniqueID", "PrimaryGroupID", "NFSHomeDirectory", "UserShell")

# dscl ends with the low byte of the error's number: eDSRecordNotFound is -14136.
RECORD_NOT_FOUND = 14136 % 256

# The UUID of users that have none of their own: root always, system users by convention
# (apple-oss-distributions Libinfo membership.subproj/membership.c 51-54, 522-540).
COMPATIBILITY = "FFFFEEEE-DDDD-CCCC-BBBB-AAAA{:08X}"

LINE = re.compile(r"(?:dsAttrTypeStandard:)?(\w+):(?: (.*))?")


class Account(NamedTuple):
    """A user, as Directory Services knows it."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str
    uuid: str | None
    """GeneratedUID; None when there is none."""


def unsigned(number: int) -> int:
    """A uid or gid as the kernel has it: nobody is -2 to dscl and 4294967294 to stat(2)."""
    return number & 0xFFFFFFFF


def compatibility_uuid(uid: int) -> str:
    return COMPATIBILITY.format(unsigned(uid))


def find_account(user: str) -> Account:
    """The account of a user, given by name or number; InputError when there is none."""
    entry = _entry(user)
    name = entry.pw_name if entry else user
    record = {} if as_number(user) is not None and not entry else read_record(name)
    if not entry and not record:
        raise no_such_user(user)
    known = {
        "UniqueID": entry and str(entry.pw_uid),
        "PrimaryGroupID": entry and str(entry.pw_gid),
        "NFSHomeDirectory": entry and entry.pw_dir,
        "UserShell": entry and entry.pw_shell,
        **record,
    }
    return Account(
        name=name,
        uid=_number(name, "UniqueID", known["UniqueID"]),
        gid=_number(name, "PrimaryGroupID", known["PrimaryGroupID"]),
        home=known["NFSHomeDirectory"] or "/",
        shell=known["UserShell"] or "/bin/sh",
        uuid=known.get("GeneratedUID"),
    )


def no_such_user(user: str) -> InputError:
    return InputError(f"there is no user {user!r} in Directory Services: create it first, or give another one")


def find_group(group: str) -> int:
    """The number of a group, given by name or number; InputError when there is no such name."""
    gid = as_number(group)
    if gid is not None:
        return gid
    try:
        return unsigned(grp.getgrnam(group).gr_gid)
    except (KeyError, ValueError) as exc:
        raise InputError(f"there is no group {group!r} in Directory Services: create it first") from exc


def read_record(name: str) -> dict[str, str]:
    """What Directory Services says about a user; nothing when it does not know the name, or is not there to ask."""
    if not name or "/" in name or "\0" in name:
        return {}
    try:
        ended = run([DSCL, "/Search", "-read", f"/Users/{name}", *KEYS])
    except OperationError:
        return {}
    if ended.rc not in (0, RECORD_NOT_FOUND):
        said = ended.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise OperationError("ask Directory Services about the user", name, f"dscl ended with {ended.rc}: {said}")
    return {} if ended.rc else parse_record(ended.stdout.decode("utf-8", "replace"))


def parse_record(text: str) -> dict[str, str]:
    """The output of `dscl -read`: keys come sorted, and a value that holds a space on the next line, behind a space."""
    record: dict[str, str] = {}
    key = ""
    for line in text.split("\n"):
        match = LINE.fullmatch(line)
        if match:
            key = match[1]
            if match[2]:
                record[key] = match[2]
        elif line.startswith(" ") and key and key not in record:
            record[key] = line[1:]
    return record


def _entry(user: str) -> pwd.struct_passwd | None:
    uid = as_number(user)
    try:
        return pwd.getpwnam(user) if uid is None else pwd.getpwuid(uid)
    except (KeyError, ValueError):  # ValueError: a name with a NUL in it
        return None


def _number(name: str, key: str, text: str | None) -> int:
    try:
        return unsigned(int(text or ""))
    except ValueError as exc:
        raise InputError(f"Directory Services gives no {key} for the user {name!r}: give it as an option") from exc
