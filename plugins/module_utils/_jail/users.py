# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The users of a jail: those of the Mac, and its own.

A user of the Mac is one in the jail, too, and needs but a home and temporary
directories there. One that the Mac does not know needs entries in the jail's
passwd, master.passwd and group besides: dscl and sysadminctl, which make
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
from .files import Wanted
from .jail import STATE, Jail
from .predicted import open_predicted
from .programs import passwd_lookup
from .result import Result
from .rootfs.spec.manifest import canonical
from .system.rooted import Root
from .system.volume_names import fold_more

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,30}")
# What sudoers(5) takes for more than a name: ALL and names of aliases, and the words that begin other lines.
NOT_A_NAME = re.compile(r"[A-Z][A-Z0-9_]*|Defaults|(?:User|Runas|Host|Cmnd|Cmd)_Alias")
PASSWD, MASTER, GROUP = (b"private/etc/" + name for name in (b"passwd", b"master.passwd", b"group"))
MODES = {PASSWD: 0o644, MASTER: 0o600, GROUP: 0o644}
SUDOERS = b"private/etc/sudoers"

FIRST, LAST = 600, 60000
"""Numbers for users that nobody gave one: macOS begins with 501."""
OF_THE_MAC = ("uid", "group", "groups", "home", "shell", "comment")
"""What Directory Services say about a user of the Mac, and no item can."""
SHELL, HOME_MODE = "/bin/zsh", 0o750

# No home is one of these, lies in one, or holds one: making it would give them away, removing it would delete them.
SYSTEM = (
    b"Applications", b"Library", b"System", b"bin", b"cores", b"dev", b"private/etc", b"private/var/db",
    b"private/var/empty", b"private/var/folders", b"private/var/log", b"private/var/root", b"private/var/run", b"sbin",
    b"usr/bin", b"usr/lib", b"usr/libexec", b"usr/sbin", b"usr/share", STATE,
)  # fmt: skip
# No home is one of these or holds one.
SHARED = (b"Users/Shared", b"Volumes", b"home", b"opt/homebrew", b"private/tmp", b"private/var/tmp", b"usr/local")


@dataclass
class User:
    """One item of the list, as it is to be."""

    where: str
    account: Account
    own: bool
    """Whether the jail alone knows them."""
    present: bool
    sudo: bool
    remove: bool
    comment: str = ""
    groups: dict[str, int] = field(default_factory=dict)
    """Those that the jail's own group(5) has them in, besides the primary one."""

    def report(self) -> dict[str, Any]:
        name, uid, gid, home, shell, _uuid = self.account
        return {"name": name, "uid": uid, "gid": gid, "home": home, "shell": shell, "own": self.own}


# -- what is asked for ---------------------------------------------------------


class UserParser:
    """Who is who in one jail, while a list is read."""

    def __init__(self, root: Root) -> None:
        self._root = root
        rows = passwd_lookup.read_fields(root.fd, passwd_lookup.PASSWD) if root.exists else ()
        self._own = {entry.pw_name: entry for entry in map(passwd_lookup.parse_entry, rows) if entry}
        self._taken = {entry.pw_uid: entry.pw_name for entry in self._own.values()}

    def user(self, number: int, item: dict[str, Any]) -> User:
        """One item; InputError when it cannot be meant."""
        where, name = f"users[{number}]", item["name"]
        if not NAME.fullmatch(name):
            raise InputError(f"{where}: name '{name}' cannot be: give letters, digits, and _ . - behind the first one")
        present = item["state"] == "present"
        try:
            account = find_account(name)
        except InputError:
            account = None
        if present and NOT_A_NAME.fullmatch(name) and (item["sudo"] or not account):
            raise InputError(f"{where}: name '{name}' is reserved in sudoers(5): give one that is not all capitals")
        if not account:
            return self._own_user(where, item, present)
        given = [option for option in OF_THE_MAC if item.get(option)]
        if given:
            raise InputError(f"{where}: {name} is a user of the Mac, which says what {given[0]} is: leave it out")
        return User(where, account, False, present, item["sudo"], item["remove"])

    def _own_user(self, where: str, item: dict[str, Any], present: bool) -> User:
        name, now = item["name"], self._own.get(item["name"])
        uid = self._number(where, name, item.get("uid") or (now.pw_uid if now else None)) if present else 0
        gid = self._group(where, item.get("group") or passwd_lookup.STAFF) if present else 0
        if not present and now:
            uid, gid = now.pw_uid, now.pw_gid
        home = item.get("home") or (now.pw_dir if now else f"/Users/{name}")
        shell = item.get("shell") or (now.pw_shell if now else SHELL)
        comment = item.get("comment") or (now.pw_gecos if now else name)
        for option, text in (("home", home), ("shell", shell), ("comment", comment)) if present else ():
            _refuse_text(where, option, text)
        if present and is_of_the_system(home):
            raise InputError(f"{where}: home '{home}' is or holds a directory of macOS: give one such as /Users/{name}")
        groups = {group: self._group(where, group) for group in item.get("groups") or []}
        account = Account(name, uid, gid, home, shell, compatibility_uuid(uid))
        return User(where, account, True, present, item["sudo"], item["remove"], comment, groups)

    def _number(self, where: str, name: str, uid: int | None) -> int:
        if uid is None:
            uid = next(
                free for free in range(FIRST, LAST) if free not in self._taken and not passwd_lookup.mac_user(free)
            )
        if not passwd_lookup.FIRST_UID <= uid < 1 << 31:
            raise InputError(f"{where}: uid {uid} is the system's: give one from {passwd_lookup.FIRST_UID} on")
        other = passwd_lookup.mac_user(uid) or self._taken.get(uid, name)
        if other != name:
            raise InputError(f"{where}: uid {uid} is that of {other}: give another one, or none")
        self._taken[uid] = name
        return uid

    def _group(self, where: str, group: str) -> int:
        gid = find_jail_group(self._root, group)
        if passwd_lookup.mac_group(gid):
            raise InputError(
                f"{where}: group '{group}' is the Mac's, and a user of the jail alone cannot be in it: leave it out "
                "(sudo: true lets the user become root)"
            )
        return gid


def is_of_the_system(home: str) -> bool:
    """Whether it is one of macOS's own directories, in any spelling, lies in one, or holds one; or can be no home."""
    if not home.startswith("/") or ".." in home.split("/") or "\0" in home:
        return True
    path = canonical(fold_more(os.fsencode(home))) + b"/"
    below = any(path.startswith(fold_more(place) + b"/") for place in SYSTEM)
    above = any((fold_more(place) + b"/").startswith(path) for place in (*SYSTEM, *SHARED))
    return path == b"/" or below or above


def _refuse_text(where: str, option: str, text: str) -> None:
    if any(char in text for char in ":\n\0"):
        raise InputError(f"{where}: {option} holds a colon, a line break or a NUL, which passwd(5) cannot hold")
    if option != "comment" and (not text.startswith("/") or ".." in text.split("/") or text.strip("/") == ""):
        raise InputError(
            f"{where}: {option} '{text}' is not an absolute path without '..': give it as seen in the jail"
        )


# -- what is to be done --------------------------------------------------------


def ensure(jail: str, users: Sequence[dict[str, Any]], check: bool) -> Result:
    """Make the users of a jail what the items say. All of it is looked at before anything is changed."""
    with open_predicted(jail, check) as opened:
        opened.lock(check)
        register = UserParser(opened.root)
        specs = [register.user(number, item) for number, item in enumerate(users)]
        names = [spec.account.name for spec in specs]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"users names {name} twice: say all about a user in one item")
        return _UserPlan(opened, specs).carry_out(check)


class _UserPlan:
    """A list of users on its way into a jail."""

    def __init__(self, jail: Jail, specs: Sequence[User]) -> None:
        self._jail, self._root, self._specs = jail, jail.root, specs

    def carry_out(self, check: bool) -> Result:
        """Files that name users come before what is made for them, and after what is removed: they tell whose it is."""
        going, coming = ([spec for spec in self._specs if spec.present == present] for present in (False, True))
        wanted = [want for spec in going for want in self._belongings(spec)]
        wanted += [*self._files(), *(want for spec in coming for want in self._belongings(spec))]
        planned = {
            step: want
            for want in wanted
            if not files.is_mounted(self._jail, want)
            for step in files.plan(self._root, want)
        }
        lines = [step.describe() for step in planned]
        lines += [line for spec in self._specs for line in self._temporary(spec, check=True)]
        if not check:
            for spec in going:
                self._temporary(spec, check=False)
            for step, want in planned.items():
                files.carry_out(self._root, want, step)
            for spec in coming:
                self._temporary(spec, check=False)
        lines = list(dict.fromkeys(lines))  # users share directories above theirs
        report = [spec.report() for spec in self._specs if spec.present]
        return Result(bool(lines), {"users": report}, lines, self._jail.prediction_warnings or self._warnings())

    def _files(self) -> list[Wanted]:
        """passwd, master.passwd and group as they are to be, when a user of the jail's own is among the items."""
        texts = {path: self._root.read(path, passwd_lookup.MAX_SIZE) or b"" for path in MODES}
        before = dict(texts)
        for spec in self._specs:
            name, uid, gid, home, shell, _uuid = spec.account
            if spec.own:
                entry = passwd_files.Entry(name, uid, gid, spec.comment, home, shell)
                lines = (entry.passwd(), entry.master()) if spec.present else (None, None)
                for path, line in zip((PASSWD, MASTER), lines):
                    texts[path] = passwd_files.with_line(texts[path], name, line)
                texts[GROUP] = passwd_files.with_member(texts[GROUP], name, spec.groups if spec.present else {})
        order = (GROUP, MASTER, PASSWD)  # the last one makes a user known
        modes = {path: kept_file.mode(self._root.lstat(path), usual) for path, usual in MODES.items()}
        return [_file(path, texts[path], modes[path]) for path in order if texts[path] != before[path]]

    def _belongings(self, spec: User) -> list[Wanted]:
        """The home, and the rule for sudo."""
        account = spec.account
        rule = f"{account.name} ALL = (ALL) NOPASSWD: ALL\n".encode()
        path = rule_path(account.name)
        wanted = [_file(path, rule, 0o440) if spec.present and spec.sudo else _gone(path)]
        home = canonical(os.fsencode(account.home))
        if account.uid < passwd_lookup.FIRST_UID or is_of_the_system(account.home):
            return wanted
        if spec.present:
            mode = None if self._root.lstat(home) else HOME_MODE
            wanted.append(Wanted(home, "directory", mode, account.uid, account.gid))
        elif spec.remove:
            wanted.append(_gone(home))
        return wanted

    def _temporary(self, spec: User, check: bool) -> list[str]:
        """Make the temporary directories, or remove them; what is, or is to be, done."""
        if not spec.present and not spec.remove:
            return []
        uuid = user_tmp.uuid_of(spec.account)
        if uuid is None:
            raise InputError(f"{spec.where}: Directory Services give no GeneratedUID for {spec.account.name}")
        owner = user_tmp.Owner(spec.account.uid, spec.account.gid, uuid)
        return (user_tmp.present if spec.present else user_tmp.absent)(self._jail, owner, check)

    def _warnings(self) -> list[str]:
        warnings = [
            f"the home of {spec.account.name} is said to be {show(spec.account.home)}, a directory of macOS: it is left"
            for spec in self._specs
            if spec.remove and not spec.present and spec.own and is_of_the_system(spec.account.home)
        ]
        shells = {(spec.account.shell, spec.account.name) for spec in self._specs if spec.present and spec.own}
        for shell, name in sorted(shells):
            if self._root.lstat(canonical(os.fsencode(shell))) is None:
                warnings.append(f"there is no {shell} in {show(self._root.path)}: {name} cannot log in there")
        if any(spec.present and spec.sudo for spec in self._specs):
            rules = self._root.read(SUDOERS, passwd_lookup.MAX_SIZE) or b""
            if not re.search(rb"^[#@]includedir\s+\S*/sudoers\.d\s*$", rules, re.MULTILINE):
                where = show(self._root.host_path(SUDOERS))
                warnings.append(f"{where} is not there or has no includedir for sudoers.d: sudo takes no rule there")
        return warnings


def rule_path(name: str) -> bytes:
    """sudo reads no file whose name holds a dot."""
    return b"private/etc/sudoers.d/darwin_jail_" + os.fsencode(name.replace(".", "+"))


def _file(path: bytes, content: bytes, mode: int) -> Wanted:
    return Wanted(path, "file", mode, 0, 0, content)


def _gone(path: bytes) -> Wanted:
    return Wanted(path, "absent", None, 0, 0)
