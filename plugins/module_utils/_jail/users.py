# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The users of a jail: users of the Mac, and users of the jail alone.

A user of the Mac exists in the jail, too, and needs only a home and temporary
directories there. A user of the jail alone needs entries in the jail's
passwd, master.passwd and group, too: dscl and sysadminctl, which create
users, fail in a chroot (docs/macos.md, Users). sudo without a password is a
file in the jail's sudoers.d for either.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from . import files, kept_file
from .accounts import passwd_files, user_tmp
from .accounts.directory_services import Account, compatibility_uuid, find_account
from .accounts.jail_accounts import find_jail_group
from .errors import InputError, show
from .files import FileSpec
from .jail import STATE, Jail, relative
from .plan import apply
from .predicted import open_predicted
from .programs import passwd_lookup
from .result import Result
from .system.host import canonical
from .system.rooted import Root
from .system.volume_names import fold_more

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,30}")
# Words with a meaning in sudoers(5): ALL, names of aliases, and the keywords that begin other lines.
SUDOERS_KEYWORD = re.compile(r"[A-Z][A-Z0-9_]*|Defaults|(?:User|Runas|Host|Cmnd|Cmd)_Alias")
PASSWD, MASTER, GROUP = (b"private/etc/" + name for name in (b"passwd", b"master.passwd", b"group"))
MODES = {PASSWD: 0o644, MASTER: 0o600, GROUP: 0o644}
SUDOERS = b"private/etc/sudoers"

CHOSEN_UIDS = range(600, 60000)
"""A user whose item has no uid gets the first free one of these; macOS itself begins with 501."""
FROM_DIRECTORY_SERVICES = ("uid", "group", "groups", "home", "shell", "comment")
"""Options that an item for a user of the Mac must omit: Directory Services have these values."""
SHELL, HOME_MODE = "/bin/zsh", 0o750

# No home is one of these, lies in one, or holds one: making it would give them away, removing it would delete them.
SYSTEM_DIRECTORIES = (
    b"Applications", b"Library", b"System", b"bin", b"cores", b"dev", b"private/etc", b"private/var/db",
    b"private/var/empty", b"private/var/folders", b"private/var/log", b"private/var/root", b"private/var/run", b"sbin",
    b"usr/bin", b"usr/lib", b"usr/libexec", b"usr/sbin", b"usr/share", STATE,
)  # fmt: skip
# No home is one of these or holds one.
SHARED_DIRECTORIES = (
    b"Users/Shared",
    b"Volumes",
    b"home",
    b"opt/homebrew",
    b"private/tmp",
    b"private/var/tmp",
    b"usr/local",
)


@dataclass
class UserSpec:
    """The desired state of one user: one item of the option `users`."""

    where: str
    account: Account
    is_jail_only: bool
    """Whether the jail alone knows the user, and not the Mac."""
    present: bool
    sudo: bool
    remove: bool
    comment: str = ""
    groups: dict[str, int] = field(default_factory=dict)
    """The supplementary groups of a user of the jail alone, by name, with their numbers."""

    def report(self) -> dict[str, Any]:
        name, uid, gid, home, shell, _uuid = self.account
        return {"name": name, "uid": uid, "gid": gid, "home": home, "shell": shell, "jail_only": self.is_jail_only}


# -- options -------------------------------------------------------------------


def refuse_invalid(items: Sequence[dict[str, Any]]) -> None:
    """InputError for the first item of the option `users` that is valid on no Mac and in no jail."""
    for number, item in enumerate(items):
        _refuse_invalid(f"users[{number}]", item)
    names = [item["name"] for item in items]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"users names {name} twice: use one item per user")


def _refuse_invalid(where: str, item: dict[str, Any]) -> None:
    name = item["name"]
    if not NAME.fullmatch(name):
        raise InputError(
            f"{where}: '{show(name)}' is not a valid user name: start with a letter or _, then letters, digits, _ . -"
        )
    if item.get("state") == "absent":
        return
    if item.get("sudo") and SUDOERS_KEYWORD.fullmatch(name):
        _refuse_keyword(where, name)
    for option in ("home", "shell", "comment"):
        _refuse_text(where, option, item.get(option) or "/-")
    if item.get("home"):
        _refuse_system_home(where, name, item["home"])
    if item.get("uid") is not None:
        _refuse_system_uid(where, item["uid"])


class UserParser:
    """Reads the items of the option `users` for one jail."""

    def __init__(self, root: Root) -> None:
        self._root = root
        rows = passwd_lookup.read_fields(root.fd, passwd_lookup.PASSWD) if root.exists else ()
        self._jail_users = {entry.pw_name: entry for entry in map(passwd_lookup.parse_entry, rows) if entry}
        self._taken = {entry.pw_uid: entry.pw_name for entry in self._jail_users.values()}

    def parse(self, number: int, item: dict[str, Any]) -> UserSpec:
        """One item that refuse_invalid() accepts; InputError when it is not valid in this jail."""
        where, name = f"users[{number}]", item["name"]
        present = item["state"] == "present"
        try:
            account = find_account(name)
        except InputError:
            account = None
        if not account:
            if present and SUDOERS_KEYWORD.fullmatch(name):
                _refuse_keyword(where, name)
            return self._jail_only_user(where, item, present)
        given = [option for option in FROM_DIRECTORY_SERVICES if item.get(option)]
        if given:
            raise InputError(f"{where}: {name} is a user of the Mac, which sets its {given[0]}: leave it out")
        return UserSpec(where, account, False, present, item["sudo"], item["remove"])

    def _jail_only_user(self, where: str, item: dict[str, Any], present: bool) -> UserSpec:
        name, now = item["name"], self._jail_users.get(item["name"])
        uid, gid = (now.pw_uid, now.pw_gid) if now else (None, 0)
        if present:
            uid = self._number(where, name, item.get("uid") or uid)
            gid = self._group(where, item.get("group") or passwd_lookup.STAFF)
        home = item.get("home") or (now.pw_dir if now else f"/Users/{name}")
        shell = item.get("shell") or (now.pw_shell if now else SHELL)
        comment = item.get("comment") or (now.pw_gecos if now else name)
        if present:
            for option, text in (("home", home), ("shell", shell), ("comment", comment)):
                _refuse_text(where, option, text)
            _refuse_system_home(where, name, home)
        groups = {group: self._group(where, group) for group in item.get("groups") or []}
        account = Account(name, uid or 0, gid, home, shell, compatibility_uuid(uid or 0))
        return UserSpec(where, account, True, present, item["sudo"], item["remove"], comment, groups)

    def _number(self, where: str, name: str, uid: int | None) -> int:
        if uid is None:
            uid = next(free for free in CHOSEN_UIDS if free not in self._taken and not passwd_lookup.mac_user(free))
        _refuse_system_uid(where, uid)
        other = passwd_lookup.mac_user(uid) or self._taken.get(uid, name)
        if other != name:
            raise InputError(f"{where}: uid {uid} already belongs to {other}: choose another, or omit uid")
        self._taken[uid] = name
        return uid

    def _group(self, where: str, group: str) -> int:
        gid = find_jail_group(self._root, group)
        if passwd_lookup.mac_group(gid):
            raise InputError(
                f"{where}: group '{group}' belongs to the Mac, and a user of the jail alone cannot be in it: leave "
                f"it out "
                "(sudo: true lets the user become root)"
            )
        return gid


def is_system_directory(home: str) -> bool:
    """Whether a path, in any spelling, is a directory of macOS, lies in one, or holds one; or is not a valid path."""
    if not home.startswith("/") or ".." in home.split("/") or "\0" in home:
        return True
    path = canonical(fold_more(os.fsencode(home))) + b"/"
    below = any(path.startswith(fold_more(place) + b"/") for place in SYSTEM_DIRECTORIES)
    above = any((fold_more(place) + b"/").startswith(path) for place in (*SYSTEM_DIRECTORIES, *SHARED_DIRECTORIES))
    return path == b"/" or below or above


def _refuse_keyword(where: str, name: str) -> None:
    raise InputError(f"{where}: name '{name}' is reserved in sudoers(5): choose a name that is not all capitals")


def _refuse_system_uid(where: str, uid: int) -> None:
    if not passwd_lookup.FIRST_UID <= uid < 1 << 31:
        raise InputError(
            f"{where}: uid {uid} is reserved for the system: choose {passwd_lookup.FIRST_UID} or higher, or omit uid"
        )


def _refuse_system_home(where: str, name: str, home: str) -> None:
    if is_system_directory(home):
        raise InputError(
            f"{where}: home '{show(home)}' is or contains a directory of macOS: give one such as /Users/{name}"
        )


def _refuse_text(where: str, option: str, text: str) -> None:
    if any(char in text for char in ":\n\0"):
        raise InputError(f"{where}: {option} contains a colon, a line break or a NUL, which passwd(5) does not support")
    if option != "comment":
        relative(f"{where}: {option}", text)


# -- changes -------------------------------------------------------------------


def ensure(jail: str, users: Sequence[dict[str, Any]], check: bool) -> Result:
    """Make the users of a jail what the items say. All items are checked before anything is changed."""
    refuse_invalid(users)
    with open_predicted(jail, check) as opened:
        opened.lock(check)
        parser = UserParser(opened.root)
        specs = [parser.parse(number, item) for number, item in enumerate(users)]
        return _UserPlan(opened, specs).apply(check)


class _UserPlan:
    """The changes that make the users of a jail what a list says."""

    def __init__(self, jail: Jail, specs: Sequence[UserSpec]) -> None:
        self._jail, self._root, self._specs = jail, jail.root, specs

    def apply(self, check: bool) -> Result:
        """Files that name users are written after what is removed and before what is created: they say whose it is."""
        going, coming = ([spec for spec in self._specs if spec.present == present] for present in (False, True))
        owners = [self._owner(spec) for spec in coming]
        removed = user_tmp.plan_absent(self._jail, [self._owner(spec) for spec in going if spec.remove], owners)
        items = [item for spec in going for item in self._home_and_sudo(spec)]
        items += [*self._files(), *(item for spec in coming for item in self._home_and_sudo(spec))]
        changes = [*removed, *files.plan_all(self._jail, items), *user_tmp.plan_present(self._jail, owners)]
        result = apply(changes, check, {"users": [spec.report() for spec in coming]})
        result.warnings = self._jail.prediction_warnings or self._warnings()
        return result

    def _files(self) -> list[FileSpec]:
        """passwd, master.passwd and group with the users of the jail alone; those that need no change are left out."""
        texts = {path: self._root.read(path, passwd_lookup.MAX_SIZE) or b"" for path in MODES}
        before = dict(texts)
        for spec in self._specs:
            name, uid, gid, home, shell, _uuid = spec.account
            if spec.is_jail_only:
                entry = passwd_files.Entry(name, uid, gid, spec.comment, home, shell)
                lines = (entry.passwd(), entry.master()) if spec.present else (None, None)
                for path, line in zip((PASSWD, MASTER), lines):
                    texts[path] = passwd_files.with_line(texts[path], name, line)
                texts[GROUP] = passwd_files.with_member(texts[GROUP], name, spec.groups if spec.present else {})
        order = (GROUP, MASTER, PASSWD)  # a user exists once the last one is written
        modes = {path: kept_file.mode(self._root.lstat(path), usual) for path, usual in MODES.items()}
        return [_file(path, texts[path], modes[path]) for path in order if texts[path] != before[path]]

    def _home_and_sudo(self, spec: UserSpec) -> list[FileSpec]:
        """The home and the sudo rule of a user."""
        account = spec.account
        rule = f"{account.name} ALL = (ALL) NOPASSWD: ALL\n".encode()
        path = rule_path(account.name)
        items = [_file(path, rule, 0o440) if spec.present and spec.sudo else _absent(path)]
        home = canonical(os.fsencode(account.home))
        if account.uid < passwd_lookup.FIRST_UID or is_system_directory(account.home):
            return items
        if spec.present:
            mode = None if self._root.lstat(home) else HOME_MODE
            items.append(FileSpec(home, "directory", mode, account.uid, account.gid))
        elif spec.remove:
            items.append(_absent(home))
        return items

    def _owner(self, spec: UserSpec) -> user_tmp.Owner:
        """The owner of the temporary directories."""
        uuid = user_tmp.uuid_of(spec.account)
        if uuid is None:
            raise InputError(f"{spec.where}: Directory Services give no GeneratedUID for {spec.account.name}")
        return user_tmp.Owner(spec.account.uid, spec.account.gid, uuid)

    def _warnings(self) -> list[str]:
        warnings = [
            f"the home of {spec.account.name} is said to be {show(spec.account.home)}, a directory of macOS: it is left"
            for spec in self._specs
            if spec.remove and not spec.present and spec.is_jail_only and is_system_directory(spec.account.home)
        ]
        shells = {(spec.account.shell, spec.account.name) for spec in self._specs if spec.present and spec.is_jail_only}
        for shell, name in sorted(shells):
            if self._root.lstat(canonical(os.fsencode(shell))) is None:
                warnings.append(f"there is no {shell} in {show(self._root.path)}: {name} cannot log in there")
        if any(spec.present and spec.sudo for spec in self._specs):
            rules = self._root.read(SUDOERS, passwd_lookup.MAX_SIZE) or b""
            if not re.search(rb"^[#@]includedir\s+\S*/sudoers\.d\s*$", rules, re.MULTILINE):
                where = show(self._root.host_path(SUDOERS))
                warnings.append(f"{where} does not exist or has no includedir for sudoers.d: sudo ignores rules there")
        return warnings


def rule_path(name: str) -> bytes:
    """The path of a sudo rule. sudo ignores files whose names hold a dot."""
    return b"private/etc/sudoers.d/darwin_jail_" + os.fsencode(name.replace(".", "+"))


def _file(path: bytes, content: bytes, mode: int) -> FileSpec:
    return FileSpec(path, "file", mode, 0, 0, content)


def _absent(path: bytes) -> FileSpec:
    return FileSpec(path, "absent", None, 0, 0)
