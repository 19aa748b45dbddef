#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
#
# enter JAIL USER: be a user in a jail, with the user's own shell.
#
# For people who may not become root otherwise. It has to belong to root, in a directory that only root can change,
# and a rule of sudo has to name both words, for example
#
#     dana ALL = (root) NOPASSWD: /Library/PrivilegedHelperTools/darwin.jail/enter /private/var/jails/dev dana
#
# Do not edit it: tests/tools/enter_script.py puts it together.
exec 3<<'PROGRAM'
from __future__ import annotations

"""The step into a jail, and the program that is run behind it.

Part of programs that bundle.py puts together, so it imports little: each
import costs milliseconds of every task, and none may be made once the root
has changed, for it would be looked for in the jail.
"""


import _signal as signal  # type: ignore[import-not-found]
import errno
import os
import stat

PATH = "/usr/bin:/bin:/usr/sbin:/sbin"

TMP = "/tmp"  # noqa: S108

DESCRIPTORS = "/dev/fd"
MOST_DESCRIPTORS = 1 << 18

FIRST_LINE = 512


class StepError(Exception):
    """A step failed: its name, the path it was about, and the errno."""


class step:  # noqa: N801 (a context manager that is used like a function)
    """Names the step that an OSError comes from."""

    def __init__(self, name: str, path: str = "") -> None:
        self.name, self.path = name, path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, exc: object, _trace: object) -> None:
        if isinstance(exc, OSError):
            raise StepError(self.name, self.path, exc.errno or 0) from exc


def take_groups(login: str | None, gid: int, groups: list[int]) -> None:
    """Take the group and the groups. With a login name, these are what Directory Services says.

    The order matters on macOS, where the first of the groups is the effective
    one: setgid(2) puts itself there in place of what initgroups(3) had, and
    setgroups(2) of none leaves group 0 (xnu bsd/kern/kern_prot.c,
    kern_credential.c).
    """
    os.setgid(gid)
    if login is None:
        os.setgroups([gid, *(group for group in groups if group != gid)])
        return
    try:
        os.initgroups(login, gid)
    except OverflowError:  # on macOS Python takes a signed number here, and nobody's is -2
        os.initgroups(login, gid - (1 << 32))


def close_inherited(*kept: int) -> None:
    """Close what this process was given but standard input, output, error and these; for before the root changes.

    What is opened later closes by itself when a program takes over. The list takes 0.1 ms; where there is none that
    can be believed, which is nowhere on macOS, all numbers are tried, and that takes 0.3 s.
    """
    numbers: list[int] | range = range(MOST_DESCRIPTORS)
    try:
        own = os.open(DESCRIPTORS, os.O_RDONLY)
        listed = [int(name) for name in os.listdir(own)]
        numbers = listed if own in listed else numbers
    except (OSError, ValueError):
        pass
    for number in numbers:
        if number > 2 and number not in kept:
            try:
                os.close(number)
            except OSError:
                pass  # a number that is free


def chroot_and_setuid(jail: int, uid: int, gid: int, login: str | None, groups: list[int]) -> None:
    """Make the open directory this process's root, and become the user."""
    with step("groups"):
        take_groups(login, gid, groups)
    change_root(jail, uid)


def change_root(jail: int, uid: int) -> None:
    """The same for a process that has the user's groups."""
    with step("enter"):
        os.fchdir(jail)
        os.chroot(".")
    os.close(jail)
    with step("user"):
        os.setuid(uid)


def default_env(jail: str, name: str, home: str, shell: str, tmp: str) -> dict[str, str]:
    """The environment that a user's programs start from."""
    known = {"HOME": home, "LOGNAME": name, "PATH": PATH, "SHELL": shell, "TMPDIR": tmp, "USER": name}
    return {**known, "JAIL_NAME": os.path.basename(jail.rstrip("/"))}


def find(program: str, search: str) -> str:
    """Where execvp(3) would find the program."""
    reason = errno.ENOENT
    for folder in [""] if "/" in program else search.split(":"):
        path = os.path.join(folder, program)
        try:
            mode = os.stat(path).st_mode
        except OSError as exc:
            reason = exc.errno if exc.errno not in (errno.ENOENT, errno.ENOTDIR) and exc.errno else reason
            continue
        if stat.S_ISDIR(mode):
            reason = errno.EISDIR
        elif stat.S_ISREG(mode) and os.access(path, os.X_OK):
            return path
        else:
            reason = errno.EACCES
    raise StepError("find", program, reason)


def check_interpreter(path: str) -> None:
    """Refuse a script whose interpreter is missing, which execve(2) would report as the script missing."""
    try:
        with open(path, "rb") as file:
            line = file.readline(FIRST_LINE)
    except OSError:
        return  # what may be executed need not be readable
    words = line[2:].split() if line.startswith(b"#!") else []
    if words:
        interpreter = os.fsdecode(words[0])
        with step("interpreter", interpreter):
            os.stat(interpreter)


def locate(program: str, search: str) -> str:
    """Where execvp(3) would find the program, which can be started as far as files tell."""
    path = find(program, search)
    check_interpreter(path)
    return path


def execute(path: str, argv: list[str], env: dict[str, str]) -> None:
    """Give this process to the program. Only what Python changed for itself has to be put back."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    with step("execute", path):
        os.execve(path, argv, env)
"""Who a user is: the Mac's, or one that only files of the jail know.

macOS asks Directory Services first, which a chroot does not hide, and files
only for whom they do not know (Libinfo lookup.subproj/search_module.c). So it
is done here, in one place for all that enters a jail.

Of the files nothing is believed but a name, a home, and numbers that are not
the Mac's: a user of the jail's own is nobody of the Mac, and in none of its
groups but staff. The Mac is asked before the root changes. Part of programs
that bundle.py puts together, so it imports little.
"""


import grp
import os
import pwd
import stat


PASSWD, GROUP = "private/etc/passwd", "private/etc/group"
FIRST_PERSON = 500
STAFF = "staff"
"""The one group of the Mac that users of a jail's own may be in: on macOS every person is."""
LARGEST_NUMBER = (1 << 32) - 1
LARGEST = 1 << 20
"""Bytes of a file of users."""
MOST_GROUPS = 15
"""Besides the primary one: setgroups(2) takes 16."""

NO_LINK = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def find_user(jail: int, user: str) -> tuple[pwd.struct_passwd, list[int] | None] | None:
    """The entry of a user, by name or number, and the groups of one of the jail's own; None when nobody knows them.

    StepError when the jail gives one of its own a number of the Mac's.
    """
    uid = as_number(user)
    try:
        return (pwd.getpwnam(user) if uid is None else pwd.getpwuid(uid)), None
    except (KeyError, ValueError):  # ValueError: a name with a NUL in it
        pass
    for fields in lines(jail, PASSWD):
        if user in (fields[0], fields[2:3] and fields[2]) and (entry := own_entry(fields)):
            refuse_numbers_of_the_mac(entry)
            return entry, own_groups(jail, entry.pw_name)
    return None


def own_entry(fields: list[str]) -> pwd.struct_passwd | None:
    """A line of the jail's passwd(5) as an entry; None when it cannot be, or is of the system."""
    numbers = fields[2:4]
    if len(fields) != 7 or not fields[0] or not all(map(is_number, numbers)):
        return None
    uid, gid = map(int, numbers)
    return pwd.struct_passwd((*fields[:2], uid, gid, *fields[4:])) if uid >= FIRST_PERSON else None


def refuse_numbers_of_the_mac(entry: pwd.struct_passwd) -> None:
    user, group = user_of_the_mac(entry.pw_uid), group_of_the_mac(entry.pw_gid)
    if user:
        raise StepError("number", f"uid {entry.pw_uid}, which is that of {user} on the Mac", 0)
    if group:
        raise StepError("number", f"group {entry.pw_gid}, which is {group} on the Mac", 0)


def user_of_the_mac(uid: int) -> str:
    """Whose number it is on the Mac; nothing when it is free."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def group_of_the_mac(gid: int) -> str:
    """Which group of the Mac has the number; nothing when a user of a jail's own may be in it.

    Numbers of the system are the Mac's also when it has no group for them yet.
    """
    try:
        name = grp.getgrgid(gid).gr_name
    except KeyError:
        return "reserved for the system" if gid < FIRST_PERSON else ""
    return "" if name == STAFF else name


def as_number(text: str) -> int | None:
    """The number of a user or a group; None for what is a name. Nothing is cut off: 2^32 is not root."""
    digits = text.isascii() and text.isdecimal() and len(text) <= len(str(LARGEST_NUMBER))
    return int(text) if digits and int(text) <= LARGEST_NUMBER else None


def is_number(text: str) -> bool:
    """Whether it is one that the kernel may take for a user or a group."""
    return text.isascii() and text.isdecimal() and len(text) < len(str(1 << 31))


def own_groups(jail: int, name: str) -> list[int]:
    """The groups that the jail's group(5) has the user in, without the Mac's."""
    rows = [fields for fields in lines(jail, GROUP) if len(fields) == 4 and name in fields[3].split(",")]
    numbers = dict.fromkeys(int(fields[2]) for fields in rows if is_number(fields[2]))
    return [gid for gid in numbers if not group_of_the_mac(gid)][:MOST_GROUPS]


def lines(jail: int, path: str) -> list[list[str]]:
    """The fields of each line of a file in an open jail, reached through no link; none when it is not there."""
    *parents, name = path.split("/")
    fd = os.dup(jail)
    try:
        for part in parents:
            deeper = os.open(part, NO_LINK | os.O_DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = deeper
        file = os.open(name, NO_LINK, dir_fd=fd)
        os.close(fd)
        fd = file
        text = os.read(fd, LARGEST).decode("utf-8", "surrogateescape") if stat.S_ISREG(os.fstat(fd).st_mode) else ""
    except OSError:
        return []
    finally:
        os.close(fd)
    return [line.split(":") for line in text.split("\n") if line and not line.startswith("#")]
"""Go into a jail for somebody elsewhere: to run a command, or to take or leave one file.

This runs on the Mac as root, behind the text of chroot_exec.py (exec/session.py puts
the two together): nothing of this collection is installed there. Of the jail
nothing is believed: its directory is opened component by component without
following links, root alone must be able to change what lies on that way, and
files are opened only when this process's root is the jail and its user is the
jail's. All that is said to the connection is said before ENTERED.
"""


import errno
import os
import pwd
import stat


PRIVATE = ("etc", "tmp", "var")

MARKER = "private/var/db/darwin.jail/jail.json"
LARGEST_MARKER = 1 << 16
BUILDING = b'"state": "building"'

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
CHUNK = 1 << 20
REFUSED = 125
"""The exit code when a step failed, so that nothing was done."""

ENTERED = "darwin.jail: entered\n"
INCOMPLETE = "darwin.jail: incomplete\n"
"""Stands before it for a jail whose build did not end."""
FAILED = "darwin.jail: failed"
"""Begins the line about the step that failed: its name, the name of the errno, and a path."""

FOLDERS = "/var/folders"
ALPHABET = "0123456789_bcdfghjklmnpqrstvwxyz"
TAIL = 6


def open_jail(path: str) -> int:
    """Open a jail's directory; no link is followed but macOS's own at the start of the path.

    Whoever can change a directory on that way could put a tree of their own there, and root would run its programs.
    """
    parts = [part for part in path.split("/") if part]
    if parts[0] in PRIVATE and is_private(parts[0]):
        parts.insert(0, "private")
    fd = os.open("/", DIRECTORY)
    refuse_others(fd, "/")
    walked = ""
    for part in parts:
        walked += "/" + part
        with step("open", walked):
            fd = open_child(fd, part)
        refuse_others(fd, walked)
    with step("marker", path):
        refuse_forged(fd, walked)
    return fd


def refuse_forged(jail: int, path: str) -> None:
    """OSError or StepError unless an open directory is a jail that nobody but root can have made."""
    refuse_others(jail, path)
    *parents, name = MARKER.split("/")
    found = os.dup(jail)
    for part in parents:
        found = open_child(found, part)
        path += "/" + part
        refuse_others(found, path)
    marker = os.stat(name, dir_fd=found, follow_symlinks=False)
    os.close(found)
    if not stat.S_ISREG(marker.st_mode) or marker.st_uid != 0:
        raise OSError(errno.EINVAL, "not root's file")


def is_building(jail: int) -> bool:
    """Whether the marker says so, in the words of jail.py. It is the jail's, and only good for a warning."""
    *parents, name = MARKER.split("/")
    try:
        folder = os.dup(jail)
        for parent in parents:
            folder = open_child(folder, parent)
        marker = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        os.close(folder)
        said = os.read(marker, LARGEST_MARKER)
        os.close(marker)
        return BUILDING in said
    except OSError:
        return False


def refuse_others(fd: int, path: str) -> None:
    """StepError when others than root can change which names an open directory has.

    In a sticky one they cannot change those of root. In the group 0, which is wheel on macOS, there is but root.
    """
    status = os.fstat(fd)
    mode = status.st_mode
    shared = mode & stat.S_IWOTH or (mode & stat.S_IWGRP and status.st_gid != 0)
    if status.st_uid != 0 or (shared and not mode & stat.S_ISVTX):
        raise StepError("others", path, 0)


def is_private(name: str) -> bool:
    try:
        return os.readlink("/" + name).strip("/") == "private/" + name
    except OSError:
        return False


def open_child(fd: int, name: str) -> int:
    deeper = os.open(name, DIRECTORY, dir_fd=fd)
    os.close(fd)
    return deeper


def account(jail: int, user: str) -> tuple[pwd.struct_passwd, list[int] | None]:
    """Who that is, on the Mac or in the jail, by name or number, and the groups of a user of the jail's own."""
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
            if second.endswith(tail) and is_own_directory(path, uid):
                found.append(path + "/")
    return found[0] if len(found) == 1 else TMP


def entries(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def is_own_directory(path: str, uid: int) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == uid


def run(jail: str, who: pwd.struct_passwd, argv: tuple[str, ...]) -> None:
    """Become a program. An error of the kernel is written after ENTERED, in the words of a shell."""
    path, env = locate(argv[0], ""), environment(jail, who)
    os.write(2, ENTERED.encode())
    try:
        execute(path, list(argv), env)
    except StepError as exc:
        os.write(2, f"{path}: {os.strerror(exc.args[2])}\n".encode("utf-8", "surrogateescape"))
        raise SystemExit(REFUSED) from None


def open_regular(path: str, flags: int, mode: int = 0) -> int:
    """Open a file. A FIFO would be waited for, and a device may give without end."""
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
        run(jail, who, words)
    elif act == "put":
        receive_file(*words)
    elif act == "get":
        send_file(*words)


def visit(jail: str, user: str, act: str, words: tuple[str, ...], stdin: bool) -> None:
    """Run one act. A step that fails writes one line to stderr."""
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
"""A session of its own for what runs in a jail, at a terminal of its own.

The terminal of the person who enters stays outside. A program that has it open,
or whose session it controls, can put a command into it, which the person's
shell runs later (TIOCSTI: xnu asks for no more, bsd/kern/tty.c). One process
stays with the person and copies bytes both ways; the other becomes the program.

Part of programs that bundle.py puts together. It uses select(2), for poll(2)
of macOS does not work on terminals.
"""


import _signal as signal  # type: ignore[import-not-found]
import fcntl
import os
import select
import termios
import tty
from collections.abc import Callable
from contextlib import suppress

STANDARD = (0, 1, 2)
BLOCK = 1 << 16
LAST_BLOCKS = 64
"""The most that is copied once the program ended: others may go on writing."""

CONTROL = getattr(termios, "TIOCSCTTY", 0x20007461)

PASSED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
NOTED = (*PASSED_ON, signal.SIGCHLD, signal.SIGCONT, signal.SIGWINCH)


class Terminal:
    """A new terminal, and the person's. Where there is none, there is none either.

    This process keeps the new one open, so that its controller does not come to an end before the program does:
    reading it would fail then on Linux, and give nothing on macOS.
    """

    def __init__(self) -> None:
        self._mine = [fd for fd in STANDARD if os.isatty(fd)]
        self.fd = self._controller = -1
        if not self._mine:
            return
        self._controller, self.fd = os.openpty()
        os.set_blocking(self._controller, False)
        self._screen = next(fd for fd in (1, 2, 0) if fd in self._mine)
        self._before = termios.tcgetattr(self._screen)
        termios.tcsetattr(self.fd, termios.TCSANOW, self._before)
        self._typed = b""
        self.copy_size()

    def take(self) -> None:
        """In the process that becomes the program: have no terminal but this."""
        os.setsid()
        if self._mine:
            fcntl.ioctl(self.fd, CONTROL, 0)
        for fd in self._mine:
            os.dup2(self.fd, fd)


    def start(self) -> None:
        """Keys are for the new terminal to understand."""
        with suppress(OSError, termios.error):  # it is gone
            if 0 in self._mine:
                tty.setraw(0, termios.TCSADRAIN)
            self.copy_size()

    def stop(self) -> None:
        """Leave the person's terminal as it was."""
        with suppress(termios.error):
            if 0 in self._mine:
                termios.tcsetattr(0, termios.TCSADRAIN, self._before)

    def copy_size(self) -> None:
        with suppress(OSError):
            if self._controller >= 0:
                size = fcntl.ioctl(self._screen, termios.TIOCGWINSZ, bytes(8))
                fcntl.ioctl(self._controller, termios.TIOCSWINSZ, size)


    def wait(self, waker: int) -> bool:
        """Copy what can be until the waker has something to read; False when the person's terminal is gone."""
        while True:
            reads, writes = [waker], []
            if self._controller >= 0:
                reads.append(self._controller)
                if self._typed:
                    writes.append(self._controller)
                elif 0 in self._mine:
                    reads.append(0)
            readable, writable, _errors = select.select(reads, writes, [])
            if self._controller in readable:
                self.show()
            if 0 in readable:
                typed = received(0)
                if typed == b"":
                    return False
                self._typed = typed or b""
            if writable:
                self._send()
            if waker in readable:
                return True

    def show(self) -> bool:
        """Copy what the program wrote; False when there will be no more of it, or nobody to see it."""
        data = received(self._controller)
        more = data != b""
        while data:
            try:
                data = data[os.write(self._screen, data) :]
            except BlockingIOError:
                select.select([], [self._screen], [])
            except OSError:
                more, data = False, b""
        if not more:
            self.hang_up()
        return more

    def _send(self) -> None:
        try:
            self._typed = self._typed[os.write(self._controller, self._typed) :]
        except BlockingIOError:
            pass
        except OSError:
            self._typed = b""

    def show_rest(self) -> None:
        """Copy what is there when the program has ended."""
        for _block in range(LAST_BLOCKS):
            if self._controller < 0 or not select.select([self._controller], [], [], 0)[0] or not self.show():
                break

    def hang_up(self) -> None:
        """Close both ends: the kernel sends SIGHUP to who has this terminal."""
        if self._controller >= 0:
            os.close(self._controller)
            os.close(self.fd)
        self.fd = self._controller = -1


def received(fd: int) -> bytes | None:
    """What can be read; None when there is nothing yet, no bytes at the end, which Linux tells by an error."""
    try:
        return os.read(fd, BLOCK)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def note(_number: int, _frame: object) -> None:
    """The number of the signal comes through the waker."""


def run_apart(terminal: Terminal, become: Callable[[], None]) -> int:
    """Become the program in another process, and stay outside until it ends; its exit status, as a shell says it.

    Whatever asks Directory Services comes before: on macOS a forked process may not.
    """
    waker, wake = os.pipe()
    for fd in (waker, wake):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in NOTED:
        signal.signal(number, note)
    child = os.fork()
    if child == 0:
        signal.set_wakeup_fd(-1)
        terminal.take()
        become()
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in STANDARD:
        if not os.isatty(fd):
            os.dup2(nothing, fd)  # whoever is at the other end waits for the program alone
    terminal.start()
    try:
        return watch(child, terminal, waker)
    finally:
        terminal.stop()


def watch(child: int, terminal: Terminal, waker: int) -> int:
    """Pass on bytes and signals until the process ends."""
    while True:
        numbers = received(waker) if terminal.wait(waker) else bytes([signal.SIGHUP])
        for number in numbers or b"":
            if number == signal.SIGHUP:
                terminal.hang_up()
            if number in PASSED_ON:
                send(child, number)
            elif number == signal.SIGCONT:
                terminal.start()
            elif number == signal.SIGWINCH:
                terminal.copy_size()
        found, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
        if found and os.WIFSTOPPED(status):
            pause(child, terminal)
        elif found:
            terminal.show_rest()
            return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def pause(child: int, terminal: Terminal) -> None:
    """Stop as the program did, so that the person's shell goes on, and go on with it."""
    terminal.stop()
    os.kill(os.getpid(), signal.SIGTSTP)
    terminal.start()
    send(child, signal.SIGCONT)


def send(child: int, number: int) -> None:
    """Send a signal to the program and what runs with it."""
    with suppress(OSError):
        try:
            os.killpg(child, number)
        except ProcessLookupError:  # it has no group of its own yet
            os.kill(child, number)
"""enter JAIL USER: a person's way into a jail, by one rule of sudo.

The last part of the program in roles/mac/files/enter.sh, behind the other
modules that it imports. Whoever may run it chooses nothing but these two
words, and the rule can say which ones. The shell that it starts belongs to the
user, and has no terminal but one of its own.
"""


import os
import pwd
import stat
import subprocess


WORDS = 2

CSRUTIL = "/usr/bin/csrutil"
PROTECTED = (b"System Integrity Protection status: enabled.", b"Filesystem Protections: enabled")
"""What it says where no program can start in a jail (docs/macos.md)."""
NO_ENTRY = (
    "System Integrity Protection is on, so macOS aborts programs in jails: csrutil disable in recoveryOS turns it off"
)
INCOMPLETE = "the jail is not complete: its build did not end; build it again"

SENTENCES = {
    "open": ("cannot open ", ""),
    "marker": ("", " is not a jail of darwin.jail"),
    "account": ("there is no user ", ""),
    "others": (
        "others than root can change ",
        ": make it root's alone (chown root, chmod go-w), or move the jail, to /private/var/jails for example",
    ),
    "number": ("the jail's /etc/passwd gives the user ", ""),
    "groups": ("cannot take the groups of the user", ""),
    "enter": (
        "cannot enter the jail",
        " (System Integrity Protection refuses it while it is on: csrutil status tells)",
    ),
    "interpreter": ("cannot start the user's shell, its interpreter is ", ""),
    "find": ("cannot start the user's shell, ", ""),
    "execute": ("cannot start the user's shell, ", ""),
}

TERM_PROGRAM = "darwin.jail"

TERMINFO = (".terminfo", "/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo")
LIKELY = ("xterm-256color", "xterm", "vt100")


def enter(argv: list[str]) -> None:
    if len(argv) != WORDS or os.geteuid() != 0 or not argv[0].startswith("/") or ".." in argv[0].split("/"):
        raise SystemExit("usage: sudo enter JAIL USER (JAIL is an absolute path without ..)")
    close_inherited()
    try:
        fd = open_jail(argv[0])
        who, groups = account(fd, argv[1])
        join_groups(who, groups)
        terminal = Terminal()
        warnings = [hand_over_terminal(fd, terminal.fd, who.pw_uid) if terminal.fd >= 0 else ""]
        warnings += [INCOMPLETE if is_building(fd) else "", NO_ENTRY if is_protected() else ""]
        for warning in filter(None, warnings):
            os.write(2, f"enter: {warning}\n".encode())
        raise SystemExit(run_apart(terminal, lambda: start_shell(fd, argv[0], who)))
    except StepError as exc:
        event, path, number = exc.args
        before, behind = SENTENCES.get(event, (f"{event} ", ""))
        reason = f": {os.strerror(number)}" if number and event != "marker" else ""
        raise SystemExit(f"enter: {before}{path}{reason}{behind}") from None


def start_shell(jail: int, path: str, who: pwd.struct_passwd) -> None:
    """Become the user's shell in the jail."""
    chroot_to_jail(jail, who)
    env = environment(path, who)
    env["TERM_PROGRAM"] = TERM_PROGRAM
    env.update({name: os.environ[name] for name in ("LANG", "TERM") if name in os.environ})
    if "TERM" in env:
        env["TERM"] = known_terminal(env["TERM"], env["HOME"])
    execute(locate(env["SHELL"], ""), ["-" + os.path.basename(env["SHELL"])], env)


def is_protected() -> bool:
    """Whether csrutil(8) plainly says that programs will not start."""
    try:
        asked = subprocess.run(  # pylint: disable=ansible-bad-function # no module
            [CSRUTIL, "status"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=10, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return any(line in asked.stdout for line in PROTECTED)


def hand_over_terminal(jail: int, terminal: int, uid: int) -> str:
    """Give this terminal to the user where the jail sees it, as login(1) does; says why not.

    Each devfs has owners of its own: what is root's on the Mac is root's in the jail, and the user could not open it,
    as screen does. The node is gone when the terminal is closed (xnu bsd/kern/tty_ptmx.c, ptmx_free_ioctl).
    """
    path = os.ttyname(terminal)
    try:
        *parents, name = path.strip("/").split("/")
        folder = os.dup(jail)
        for parent in parents:
            folder = open_child(folder, parent)
        node = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISCHR(node.st_mode) and node.st_rdev == os.fstat(terminal).st_rdev:
            os.chown(name, uid, -1, dir_fd=folder, follow_symlinks=False)
            os.close(folder)
            return ""
        os.close(folder)
    except OSError:
        pass
    return f"{path} is not in the jail, so tmux and screen will not run there: devfs is not mounted on its /dev"


def known_terminal(name: str, home: str) -> str:
    """The terminal's own name when the jail has a description of it, otherwise that of one that is much the same."""
    for known in (name, *LIKELY):
        letter = known[:1]
        folders = [
            os.path.join(home, base, below) for base in TERMINFO for below in (letter, f"{ord(letter or 'x'):x}")
        ]
        if letter and "/" not in known and any(os.path.exists(os.path.join(folder, known)) for folder in folders):
            return known
    return "dumb"
import sys

enter(sys.argv[1:])
PROGRAM
# As a word: Python 3.9 would read /dev/fd/3 to its end before it runs it, and macOS opens that as dup(2) does.
program=$(/bin/cat <&3)
exec 3<&-
for python in /Library/Developer/CommandLineTools/usr/bin/python3 /Applications/Xcode.app/Contents/Developer/usr/bin/python3; do
    if [ -x "$python" ]; then
        exec "$python" -X utf8 -I -S -c "$program" "$@"
    fi
done
echo "enter: there is no Python on this Mac: install the Command Line Tools" >&2
exit 1
