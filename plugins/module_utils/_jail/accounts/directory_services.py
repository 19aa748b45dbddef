# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and groups in Directory Services.

The answers of the Mac hold in a jail, too: a process in chroot reaches the
Mac's opendirectoryd (docs/macos.md, Users).
"""

from __future__ import annotations

import grp
import pwd
import re
from typing import NamedTuple

from ..errors import InputError, NoUserError, OperationError
from ..programs.passwd_lookup import parse_id
from ..system.process import run

DSCL = "/usr/bin/dscl"

# dscl ends with the low byte of the error's number: eDSRecordNotFound is -14136.
RECORD_NOT_FOUND = 14136 % 256

# The UUID of users that have none of their own: root always, system users by convention
# (apple-oss-distributions Libinfo membership.subproj/membership.c 51-54, 522-540).
COMPATIBILITY_UUID = "FFFFEEEE-DDDD-CCCC-BBBB-AAAA{:08X}"

# dscl prints several values on one line with blanks between them, or each on its own line after a blank.
GENERATED_UID = re.compile(
    r"^(?:dsAttrTypeStandard:)?GeneratedUID:\s+([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\b", re.M
)


class Account(NamedTuple):
    """A user, as Directory Services knows it."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str
    uuid: str | None
    """GeneratedUID, the first one; None when there is none."""


def unsigned(number: int) -> int:
    """A uid or gid as the kernel has it: nobody is -2 to dscl and 4294967294 to stat(2)."""
    return number & 0xFFFFFFFF


def compatibility_uuid(uid: int) -> str:
    return COMPATIBILITY_UUID.format(unsigned(uid))


def find_account(user: str) -> Account:
    """The account of a user, given by name or number; InputError when there is none.

    All but the UUID comes from getpwnam(3), which takes one value where Directory Services have several: root has two
    homes (docs/macos.md, Users).
    """
    entry = _entry(user)
    if entry is None:
        raise no_such_user(user)
    return Account(
        name=entry.pw_name,
        uid=unsigned(entry.pw_uid),
        gid=unsigned(entry.pw_gid),
        home=entry.pw_dir or "/",
        shell=entry.pw_shell or "/bin/sh",
        uuid=generated_uid(entry.pw_name),
    )


def no_such_user(user: str) -> NoUserError:
    return NoUserError(f"there is no user {user!r} in Directory Services: create it first, or give another one")


def find_group(group: str) -> int:
    """The number of a group, given by name or number; InputError when there is no such name."""
    gid = parse_id(group)
    if gid is not None:
        return gid
    try:
        return unsigned(grp.getgrnam(group).gr_gid)
    except (KeyError, ValueError) as exc:
        raise InputError(f"there is no group {group!r} in Directory Services: create it first") from exc


def generated_uid(name: str) -> str | None:
    """The GeneratedUID of a user; None when Directory Services have none, or dscl does not exist."""
    if not name or "/" in name or "\0" in name:
        return None
    try:
        ended = run([DSCL, "/Search", "-read", f"/Users/{name}", "GeneratedUID"])
    except OperationError:
        return None
    if ended.rc not in (0, RECORD_NOT_FOUND):
        said = ended.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise OperationError("ask Directory Services about the user", name, f"dscl ended with {ended.rc}: {said}")
    found = GENERATED_UID.search(ended.stdout.decode("utf-8", "replace")) if not ended.rc else None
    return found[1] if found else None


def _entry(user: str) -> pwd.struct_passwd | None:
    uid = parse_id(user)
    try:
        return pwd.getpwnam(user) if uid is None else pwd.getpwuid(uid)
    except (KeyError, ValueError):  # ValueError: a name with a NUL in it
        return None
