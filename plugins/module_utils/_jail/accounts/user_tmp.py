# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directories that confstr(3) answers for DARWIN_USER_TEMP_DIR and its siblings.

Their name encodes who the user is (apple-oss-distributions Libc at tag
Libc-997.90.3, darwin/_dirhelper.c 49-137; see docs/macos.md). A process that
is not root cannot make its own in a jail: the daemon that would lives on the
host and makes them there.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from ..errors import InputError, show
from ..jail import Jail
from ..predicted import open_predicted
from ..result import Result
from ..system import at
from ..system.rooted import Root
from ..system.volume_names import names_of
from .directory_services import Account, compatibility_uuid, unsigned
from .jail_accounts import find_user

ALPHABET = "0123456789_bcdfghjklmnpqrstvwxyz"
FOLDERS = b"private/var/folders"

FIRST_PERSON = 500
NOBODY = 0xFFFFFFFE

UUID = re.compile(r"[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}", re.IGNORECASE)


class Owner(NamedTuple):
    """The owner of the directories."""

    uid: int
    gid: int
    uuid: str

    @property
    def path(self) -> str:
        """The user's directory as seen in the jail."""
        name = encode(self.uuid, self.uid)
        return f"/var/folders/{name[:2]}/{name[2:]}"

    @property
    def rel(self) -> bytes:
        """The same below the jail's root."""
        return b"private" + self.path.encode()


class Directory(NamedTuple):
    """An expected directory."""

    rel: bytes
    mode: int
    uid: int = 0
    gid: int = 0


class Change(NamedTuple):
    """A change to a directory that is missing or wrong."""

    directory: Directory
    why: str = ""
    """What is wrong with an existing directory."""

    def describe(self) -> str:
        """For --diff."""
        rel, mode, uid, gid = self.directory
        return f"~ /{show(rel)} ({self.why})" if self.why else f"+ /{show(rel)} dir {mode:04o} {uid}:{gid}"


def encode(uuid: str, uid: int) -> str:
    """20 bytes, the UUID and the uid (big-endian), as 32 digits of 5 bits."""
    if not UUID.fullmatch(uuid):
        raise InputError(f"{uuid!r} is not a UUID: give 8-4-4-4-12 hexadecimal digits, as dscl prints GeneratedUID")
    number = int(uuid.replace("-", ""), 16) << 32 | unsigned(uid)
    return "".join(ALPHABET[number >> shift & 31] for shift in range(155, -1, -5))


def uuid_of(account: Account) -> str | None:
    """The UUID that macOS takes for this user; None when only Directory Services could tell and it does not."""
    if account.uid == 0:
        return compatibility_uuid(0)  # whatever the directory says: for root nobody is asked
    if account.uuid:
        return account.uuid
    return compatibility_uuid(account.uid) if account.uid < FIRST_PERSON or account.uid == NOBODY else None


def find_owner(root: Root, user: str, uid: int | None, gid: int | None, uuid: str | None) -> Owner:
    """The user's numbers and UUID: the arguments, and the rest from the Mac or the jail."""
    for name, number in (("uid", uid), ("gid", gid)):
        if (number is not None and not -2 <= number <= NOBODY) or number == -1:
            raise InputError(f"{name} {number} is not possible: give a number from 0 to {NOBODY}, or -2 for nobody")
    if uid is None or gid is None or uuid is None:
        account = find_user(root, user)
        uid = account.uid if uid is None else uid
        gid = account.gid if gid is None else gid
        uuid = uuid_of(account._replace(uid=unsigned(uid))) if uuid is None else uuid
    if uuid is None:
        raise InputError(
            f"Directory Services gives no GeneratedUID for the user {user!r}: give it as uuid (dscl /Search -read "
            f"/Users/{user} GeneratedUID shows it)"
        )
    return Owner(unsigned(uid), unsigned(gid), uuid)


def directories_of(owner: Owner) -> list[Directory]:
    """All directories of a user, from the top down (Libc darwin/_dirhelper.c 222-449)."""
    path, uid, gid = owner.rel, owner.uid, owner.gid
    return [
        Directory(FOLDERS, 0o755),
        Directory(path[: path.rindex(b"/")], 0o755),
        Directory(path, 0o755, uid, gid),
        Directory(path + b"/0", 0o755, uid, gid),
        Directory(path + b"/T", 0o700, uid, gid),
        Directory(path + b"/C", 0o700, uid, gid),
    ]


def plan(root: Root, directories: list[Directory]) -> list[Change]:
    """What is missing or wrong; InputError when something else has the name of a directory."""
    changes = []
    for directory in directories:
        status = root.lstat(directory.rel)
        if status is None:
            changes.append(Change(directory))
            continue
        _refuse_other_type(root, directory.rel, status.st_mode)
        why = []
        if stat.S_IMODE(status.st_mode) != directory.mode:
            why.append(f"mode {stat.S_IMODE(status.st_mode):04o} -> {directory.mode:04o}")
        if (status.st_uid, status.st_gid) != (directory.uid, directory.gid):
            why.append(f"owner {status.st_uid}:{status.st_gid} -> {directory.uid}:{directory.gid}")
        if why:
            changes.append(Change(directory, ", ".join(why)))
    return changes


def owner_of(root: Root, user: str) -> Owner:
    """Who a user is that the Mac or the jail knows."""
    return find_owner(root, user, None, None, None)


def plan_changes(jail: Jail, owners: Sequence[Owner]) -> list[Change]:
    """The changes that the directories of users need, each once; InputError when one is not possible."""
    if owners:
        _require_var_link(jail.root)
    changes = plan(jail.root, list(dict.fromkeys(directory for owner in owners for directory in directories_of(owner))))
    for one in changes:
        _refuse_mounts(jail, one.directory.rel)
    return changes


def apply(jail: Jail, changes: Sequence[Change]) -> None:
    for one in changes:
        jail.root.make_dir(*one.directory)


def present(jail: Jail, owner: Owner, check: bool) -> list[str]:
    """Make and correct the directories of a user; returns what was done."""
    changes = plan_changes(jail, [owner])
    if not check:
        apply(jail, changes)
    return [one.describe() for one in changes]


def absent(jail: Jail, owner: Owner, check: bool) -> list[str]:
    """Remove the directory of a user with all in it, and its parent when that is empty; returns what was done."""
    _require_var_link(jail.root)
    shared, name = os.path.split(owner.rel)
    for rel in (FOLDERS, shared, owner.rel):
        status = jail.root.lstat(rel)
        if status is not None:
            _refuse_other_type(jail.root, rel, status.st_mode)
        elif rel != owner.rel:
            return []
    _refuse_mounts(jail, owner.rel, below=True)
    with jail.root.directory(shared) as fd:
        names = at.names(fd)
    gone = [owner.rel] if name in names else []
    gone += [] if set(names) - {name} else [shared]
    if gone and not check:
        jail.root.remove_tree(owner.rel)
        with jail.root.directory(FOLDERS) as fd, suppress(OSError):  # not empty: it is of others too
            at.remove(os.path.basename(shared), fd, directory=True)
    return [f"- /{show(rel)}" for rel in gone]


def _refuse_other_type(root: Root, rel: bytes, mode: int) -> None:
    if not stat.S_ISDIR(mode):
        kind = "a symbolic link" if stat.S_ISLNK(mode) else "a file"
        raise InputError(f"{show(root.host_path(rel))} is {kind} where a directory should be: remove it first")


def _refuse_mounts(jail: Jail, rel: bytes, below: bool = False) -> None:
    """What lies on a mount is not the jail's to change; with `below`, nor is what has one in it."""
    names = names_of(jail.root)
    for point in sorted(jail.mounts()):
        if names.is_below(rel, point) or (below and names.is_below(point, rel)):
            raise InputError(f"something is mounted on {show(jail.root.host_path(point))}: unmount it first")


def _require_var_link(root: Root) -> None:
    """In a jail, /var/folders must lead to /private/var/folders."""
    if b"var" in root.check_mode_moves.values():
        return
    status = root.lstat(b"var")
    is_link = status is not None and stat.S_ISLNK(status.st_mode)
    target = os.readlink(b"var", dir_fd=root.fd) if is_link else b""
    if status and target not in (b"private/var", b"/private/var"):
        raise InputError(
            f"{show(root.host_path(b'var'))} is not the link to private/var that macOS has there: "
            "move what is in it to private/var and build the jail again"
        )


def ensure(jail: str, user: str, uid: int | None, gid: int | None, uuid: str | None, state: str, check: bool) -> Result:
    """The work of the module."""
    with open_predicted(jail, check) as opened:
        owner = find_owner(opened.root, user, uid, gid, uuid)
        path = owner.path
        opened.lock(check)
        done = (present if state == "present" else absent)(opened, owner, check)
    values = {"path": path, "user_dir": f"{path}/0/", "temp_dir": f"{path}/T/", "cache_dir": f"{path}/C/"}
    return Result(bool(done), values, done, opened.prediction_warnings)
