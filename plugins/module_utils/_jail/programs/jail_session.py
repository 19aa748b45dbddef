# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Enter a jail for the connection: run a command, or write or read one file.

This runs on the Mac as root. exec/session.py sends it together with the modules
that it imports: nothing is installed on the Mac. The jail is not trusted: its
directory is opened name by name without following links, only root may be able
to change the directories on that path, and files are opened after chroot(2), as
the jail's user. All messages to the connection come before ENTERED.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat

from ..dirfd import DIRECTORY, PRIVATE, is_link_to_private, open_child, read_below
from .chroot_exec import TMP, StepError, change_root, close_inherited, default_env, execute, locate, step, take_groups
from .passwd_lookup import find_user

# What makes a directory a jail: the file belongs to root, in a directory that only root can enter (jail.py).
MARKER = "private/var/db/darwin.jail/jail.json"
MAX_MARKER = 1 << 16
BUILDING = b'"state": "building"'

CHUNK = 1 << 20
REFUSED = 125
"""The exit code when a step failed, so that nothing was done."""

# The last line of this program's standard error, before a program of the jail gets control: what comes behind it is the
# program's, whatever it says. No secret is needed, for nobody of the jail can write before it.
ENTERED = "darwin.jail: entered\n"
INCOMPLETE = "darwin.jail: incomplete\n"
"""The line before ENTERED for a jail whose build did not end."""
FAILED = "darwin.jail: failed"
"""The beginning of the line for a failed step: then its name, the name of the errno, and a path."""

# The names of the user's directories for temporary files end in the number of the user (accounts/user_tmp.py).
FOLDERS = "/var/folders"
ALPHABET = "0123456789_bcdfghjklmnpqrstvwxyz"
TAIL = 6


def open_jail(path: str) -> int:
    """Open a jail's directory; no link is followed but macOS's own at the start of the path.

    Whoever can change a directory on that way could put a tree of their own there, and root would run its programs.
    """
    parts = [part for part in path.split("/") if part]
    if (first := os.fsencode(parts[0])) in PRIVATE and is_link_to_private(first):
        parts.insert(0, "private")
    fd = os.open("/", DIRECTORY)
    require_root_only(fd, "/")
    walked = ""
    for part in parts:
        walked += "/" + part
        with step("open", walked):
            fd = open_child(fd, part)
        require_root_only(fd, walked)
    with step("marker", path):
        require_jail(fd, walked)
    return fd


def require_jail(jail: int, path: str) -> None:
    """OSError or StepError unless an open directory is a jail that only root can have made."""
    require_root_only(jail, path)
    *parents, name = MARKER.split("/")
    found = os.dup(jail)
    for part in parents:
        found = open_child(found, part)
        path += "/" + part
        require_root_only(found, path)
    marker = os.stat(name, dir_fd=found, follow_symlinks=False)
    os.close(found)
    if not stat.S_ISREG(marker.st_mode) or marker.st_uid != 0:
        raise OSError(errno.EINVAL, "not root's file")


def is_building(jail: int) -> bool:
    """Whether the marker has the state `building` (jail.py). The jail can change it, so it is for a warning only."""
    try:
        return BUILDING in read_below(jail, MARKER, MAX_MARKER)
    except OSError:
        return False


def require_root_only(fd: int, path: str) -> None:
    """StepError when others than root can change which names an open directory has.

    In a sticky one they cannot change those of root. In the group 0, which is wheel on macOS, there is but root.
    """
    status = os.fstat(fd)
    mode = status.st_mode
    shared = mode & stat.S_IWOTH or (mode & stat.S_IWGRP and status.st_gid != 0)
    if status.st_uid != 0 or (shared and not mode & stat.S_ISVTX):
        raise StepError("others", path, 0)


def account(jail: int, user: str) -> tuple[pwd.struct_passwd, list[int] | None]:
    """The account of a user of the Mac or of the jail, by name or number, and the groups if it is the jail's."""
    found = find_user(jail, user)
    if found is None:
        raise StepError("account", user, 0)
    return found


def enter_jail(jail: str, user: str) -> pwd.struct_passwd:
    """Enter the jail as the user; return the user's account."""
    fd = open_jail(jail)
    if is_building(fd):
        os.write(2, INCOMPLETE.encode())
    who, groups = account(fd, user)
    become_user(fd, who, groups)
    return who


def become_user(jail: int, who: pwd.struct_passwd, groups: list[int] | None) -> None:
    """Become the user in the open jail, with these groups, or with those of Directory Services."""
    join_groups(who, groups)
    chroot_to_jail(jail, who)


def join_groups(who: pwd.struct_passwd, groups: list[int] | None) -> None:
    with step("groups"):
        take_groups(who.pw_name if groups is None else None, who.pw_gid & 0xFFFFFFFF, groups or [])


def chroot_to_jail(jail: int, who: pwd.struct_passwd) -> None:
    """Call chroot(2) on the open jail and become the user. The process has the user's groups already."""
    change_root(jail, who.pw_uid & 0xFFFFFFFF)
    for place in (who.pw_dir, "/"):  # as sshd does
        try:
            os.chdir(place)
            break
        except OSError:
            continue


def environment(jail: str, who: pwd.struct_passwd) -> dict[str, str]:
    home, shell = who.pw_dir or "/", who.pw_shell or "/bin/sh"
    return default_env(jail, who.pw_name, home, shell, temporary_directory(who.pw_uid & 0xFFFFFFFF))


def temporary_directory(uid: int) -> str:
    """The one of the user in this jail, as darwin_jail_user_tmp made it; otherwise /tmp.

    It is known by its owner and by its name, which holds the user's number.
    """
    tail = "".join(ALPHABET[(uid >> shift) & 31] for shift in range(5 * TAIL - 5, -1, -5))
    found = []
    for first in entries(FOLDERS):
        for second in entries(f"{FOLDERS}/{first}"):
            path = f"{FOLDERS}/{first}/{second}/T"
            if second.endswith(tail) and is_directory_of(path, uid):
                found.append(path + "/")
    return found[0] if len(found) == 1 else TMP


def entries(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def is_directory_of(path: str, uid: int) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == uid


def run_program(jail: str, who: pwd.struct_passwd, argv: tuple[str, ...]) -> None:
    """Become a program. An error of execve(2) is written after ENTERED, as a shell writes it."""
    path, env = locate(argv[0], ""), environment(jail, who)
    os.write(2, ENTERED.encode())
    try:
        execute(path, list(argv), env)
    except StepError as exc:
        os.write(2, f"{path}: {os.strerror(exc.args[2])}\n".encode("utf-8", "surrogateescape"))
        raise SystemExit(REFUSED) from None


def open_regular(path: str, flags: int, mode: int = 0) -> int:
    """Open a regular file: opening a FIFO would block, and a device may never end."""
    try:
        fd = os.open(path, flags | os.O_NONBLOCK, mode)
    except OSError as exc:
        if exc.errno == errno.ENXIO:  # a FIFO that nobody reads
            raise StepError("irregular", path, 0) from None
        raise
    found = os.fstat(fd).st_mode
    if stat.S_ISDIR(found):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(found):
        raise StepError("irregular", path, 0)
    return fd


def receive_file(path: str, mode: str, size: str) -> None:
    """Write standard input to a file, as sftp-server(8) would."""
    with step("put", path):
        fd = open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, int(mode, 8))
        there = 0
        while True:
            data = os.read(0, CHUNK)
            if not data:
                break
            there += len(data)
            while data:
                data = data[os.write(fd, data) :]
        os.close(fd)
    if there != int(size):  # the other side is gone
        raise StepError("short", path, 0)


def send_file(path: str) -> None:
    """Write a file to standard output."""
    with step("get", path):
        fd = open_regular(path, os.O_RDONLY)
        while True:
            data = os.read(fd, CHUNK)
            if not data:
                break
            while data:
                data = data[os.write(1, data) :]


def dispatch(act: str, jail: str, who: pwd.struct_passwd, words: tuple[str, ...]) -> None:
    if act == "run":
        run_program(jail, who, words)
    elif act == "put":
        receive_file(*words)
    elif act == "get":
        send_file(*words)


def run_session(jail: str, user: str, act: str, words: tuple[str, ...], stdin: bool) -> None:
    """Do one action. A failed step writes one line to stderr."""
    close_inherited()
    if not stdin:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        dispatch(act, jail, enter_jail(jail, user), words)
    except StepError as exc:
        event, path, number = exc.args
        code = errno.errorcode.get(number, "0")  # numbers are not the same everywhere
        os.write(2, f"{FAILED} {event} {code} {path}\n".encode("utf-8", "surrogateescape"))
        raise SystemExit(REFUSED) from None
