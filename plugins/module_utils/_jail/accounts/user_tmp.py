# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The temporary directories of a user: what confstr(3) returns for DARWIN_USER_TEMP_DIR and the like.

Their path encodes the user's UUID and number (apple-oss-distributions Libc at
tag Libc-997.90.3, darwin/_dirhelper.c 49-137; see docs/macos.md). A process
that is not root cannot create its own in a jail: the daemon that does so runs
on the Mac, and creates them there.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from ..errors import InputError, show
from ..jail import Jail
from ..plan import Change, apply, change_of, make_directory, unique
from ..predicted import open_predicted
from ..programs.passwd_lookup import FIRST_UID
from ..result import Result
from ..system import at
from ..system.rooted import Root
from ..system.volume_names import names_of
from .directory_services import Account, compatibility_uuid, unsigned
from .jail_accounts import find_user

ALPHABET = "0123456789_bcdfghjklmnpqrstvwxyz"
FOLDERS = b"private/var/folders"

NOBODY = 0xFFFFFFFE

UUID = re.compile(r"[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}", re.IGNORECASE)


class Owner(NamedTuple):
    """The user whom the directories belong to."""

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
        """The same directory, below the jail's root."""
        return b"private" + self.path.encode()


class Directory(NamedTuple):
    """An expected directory."""

    rel: bytes
    mode: int
    uid: int = 0
    gid: int = 0


def encode(uuid: str, uid: int) -> str:
    """20 bytes, the UUID and the uid (big-endian), as 32 digits of 5 bits."""
    if not UUID.fullmatch(uuid):
        raise InputError(f"{uuid!r} is not a UUID: give 8-4-4-4-12 hexadecimal digits, as dscl prints GeneratedUID")
    number = int(uuid.replace("-", ""), 16) << 32 | unsigned(uid)
    return "".join(ALPHABET[number >> shift & 31] for shift in range(155, -1, -5))


def uuid_of(account: Account) -> str | None:
    """The UUID that macOS uses for this user; None when only Directory Services could have it, and they do not."""
    if account.uid == 0:
        return compatibility_uuid(0)  # macOS does not ask Directory Services for root
    if account.uuid:
        return account.uuid
    return compatibility_uuid(account.uid) if account.uid < FIRST_UID or account.uid == NOBODY else None


def find_owner(root: Root, user: str, uid: int | None = None, gid: int | None = None, uuid: str | None = None) -> Owner:
    """The user's numbers and UUID: those that are given, and the others from the Mac or the jail."""
    for name, number in (("uid", uid), ("gid", gid)):
        if (number is not None and not -2 <= number <= NOBODY) or number == -1:
            raise InputError(f"{name} {number} is not valid: use a number from 0 to {NOBODY}, or -2 for nobody")
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


def plan_present(jail: Jail, owners: Sequence[Owner]) -> list[Change]:
    """The changes that create or correct the directories of users, each once; InputError when one is not possible."""
    if owners:
        _require_var_link(jail.root)
    directories = dict.fromkeys(directory for owner in owners for directory in directories_of(owner))
    changes = [change for directory in directories for change in _plan_directory(jail.root, directory)]
    for change in changes:
        _refuse_mounts(jail, change.path)
    return changes


def _plan_directory(root: Root, directory: Directory) -> list[Change]:
    """No change when the directory is right; InputError when it is not a directory."""
    status = root.lstat(directory.rel)
    if status is None:
        return [make_directory(root, *directory)]
    _refuse_other_type(root, directory.rel, status.st_mode)
    why = []
    if stat.S_IMODE(status.st_mode) != directory.mode:
        why.append(f"mode {stat.S_IMODE(status.st_mode):04o} -> {directory.mode:04o}")
    if (status.st_uid, status.st_gid) != (directory.uid, directory.gid):
        why.append(f"owner {status.st_uid}:{status.st_gid} -> {directory.uid}:{directory.gid}")
    return [make_directory(root, *directory, why=", ".join(why))] if why else []


def plan_absent(jail: Jail, owners: Sequence[Owner], staying: Sequence[Owner] = ()) -> list[Change]:
    """The changes that remove the directories of users, and parents that are then empty and that no user needs."""
    if owners:
        _require_var_link(jail.root)
    gone, needed = {owner.rel for owner in owners}, {os.path.dirname(owner.rel) for owner in staying}
    removed, parents = [], []
    for rel in sorted(gone):
        parent = os.path.dirname(rel)
        if not all(_is_directory(jail.root, above) for above in (FOLDERS, parent)):
            continue
        _refuse_mounts(jail, rel, below=True)
        if _is_directory(jail.root, rel):
            removed.append(change_of("remove", rel, "directory", partial(jail.root.remove_tree, rel)))
        with jail.root.directory(parent) as fd:
            left = {os.path.join(parent, name) for name in at.names(fd)} - gone
        if not left and parent not in needed:
            parents.append(change_of("remove", parent, "directory", partial(_remove_empty, jail.root, parent)))
    return unique([*removed, *parents])


def _remove_empty(root: Root, rel: bytes) -> None:
    with root.directory(os.path.dirname(rel)) as fd, suppress(OSError):  # another user has a directory in it by now
        at.remove(os.path.basename(rel), fd, directory=True)


def _is_directory(root: Root, rel: bytes) -> bool:
    """Whether the path exists; InputError when it is not a directory."""
    status = root.lstat(rel)
    if status is not None:
        _refuse_other_type(root, rel, status.st_mode)
    return status is not None


def _refuse_other_type(root: Root, rel: bytes, mode: int) -> None:
    if not stat.S_ISDIR(mode):
        kind = "a symbolic link" if stat.S_ISLNK(mode) else "a file"
        raise InputError(f"{show(root.host_path(rel))} is {kind} where a directory should be: remove it first")


def _refuse_mounts(jail: Jail, rel: bytes, below: bool = False) -> None:
    """InputError for a path on a mount, which is not part of the jail; with `below`, for one above a mount, too."""
    names = names_of(jail.root)
    for point in sorted(jail.mounts()):
        if names.is_below(rel, point) or (below and names.is_below(point, rel)):
            raise InputError(f"something is mounted on {show(jail.root.host_path(point))}: unmount it first")


def _require_var_link(root: Root) -> None:
    """InputError unless /var/folders leads to /private/var/folders in the jail."""
    if b"var" in root.check_mode_moves.values():
        return
    status = root.lstat(b"var")
    is_link = status is not None and stat.S_ISLNK(status.st_mode)
    target = os.readlink(b"var", dir_fd=root.fd) if is_link else b""
    if status and target not in (b"private/var", b"/private/var"):
        raise InputError(
            f"{show(root.host_path(b'var'))} is not a link to private/var, as on macOS: move its contents to "
            f"private/var and build the jail again"
        )


def ensure(jail: str, user: str, uid: int | None, gid: int | None, uuid: str | None, state: str, check: bool) -> Result:
    """Make, correct or remove the temporary directories of one user."""
    with open_predicted(jail, check) as opened:
        owner = find_owner(opened.root, user, uid, gid, uuid)
        path = owner.path
        opened.lock(check)
        changes = plan_present(opened, [owner]) if state == "present" else plan_absent(opened, [owner])
        values = {"path": path, "user_dir": f"{path}/0/", "temp_dir": f"{path}/T/", "cache_dir": f"{path}/C/"}
        return apply(changes, check, values, opened.prediction_warnings)
