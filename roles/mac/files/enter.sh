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




import os
import stat

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK

PRIVATE = (b"etc", b"tmp", b"var")


def is_link_to_private(name: bytes) -> bool:
    ...
    try:
        return os.readlink(b"/" + name).strip(b"/") == b"private/" + name.lower()
    except OSError:
        return False


def open_child(fd: int, name: str | bytes, flags: int = DIRECTORY) -> int:
    ...
    try:
        return os.open(name, flags, dir_fd=fd)
    finally:
        os.close(fd)


def open_below(fd: int, names: list[str]) -> int:
    ...
    for name in names:
        fd = open_child(fd, name)
    return fd


def read_below(fd: int, path: str, limit: int) -> bytes:
    ...
    *parents, name = path.split("/")
    file = open_child(open_below(os.dup(fd), parents), name, READ)
    try:
        return os.read(file, limit) if stat.S_ISREG(os.fstat(file).st_mode) else b""
    finally:
        os.close(file)


class working_directory:  # noqa: N801 (a context manager that is used like a function)
    ...

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __enter__(self) -> None:
        self.before = os.open(".", DIRECTORY)
        os.fchdir(self.fd)

    def __exit__(self, *_exc: object) -> None:
        os.fchdir(self.before)
        os.close(self.before)


import _signal as signal  # type: ignore[import-not-found]
import errno
import os
import stat

PATH = "/usr/bin:/bin:/usr/sbin:/sbin"

TMP = "/tmp"  # noqa: S108

DESCRIPTORS = "/dev/fd"
MAX_DESCRIPTORS = 1 << 18

FIRST_LINE = 512


class StepError(Exception):
    ...


class step:  # noqa: N801 (a context manager that is used like a function)
    ...

    def __init__(self, name: str, path: str = "") -> None:
        self.name, self.path = name, path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, exc: object, _trace: object) -> None:
        if isinstance(exc, OSError):
            raise StepError(self.name, self.path, exc.errno or 0) from exc


def take_groups(login: str | None, gid: int, groups: list[int]) -> None:
    ...
    os.setgid(gid)
    if login is None:
        os.setgroups([gid, *(group for group in groups if group != gid)])
        return
    try:
        os.initgroups(login, gid)
    except OverflowError:  # on macOS Python takes a signed number here, and nobody's is -2
        os.initgroups(login, gid - (1 << 32))


def close_inherited(*kept: int) -> None:
    ...
    numbers: list[int] | range = range(MAX_DESCRIPTORS)
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
    ...
    with step("groups"):
        take_groups(login, gid, groups)
    change_root(jail, uid)


def change_root(jail: int, uid: int) -> None:
    ...
    with step("enter"):
        os.fchdir(jail)
        os.chroot(".")
    os.close(jail)
    with step("user"):
        os.setuid(uid)


def default_env(jail: str, name: str, home: str, shell: str, tmp: str) -> dict[str, str]:
    ...
    known = {"HOME": home, "LOGNAME": name, "PATH": PATH, "SHELL": shell, "TMPDIR": tmp, "USER": name}
    return {**known, "JAIL_NAME": os.path.basename(jail.rstrip("/"))}


def find(program: str, search: str) -> str:
    ...
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
    ...
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
    ...
    path = find(program, search)
    check_interpreter(path)
    return path


def execute(path: str, argv: list[str], env: dict[str, str]) -> None:
    ...
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    with step("execute", path):
        os.execve(path, argv, env)


import grp
import pwd


PASSWD, GROUP = "private/etc/passwd", "private/etc/group"
FIRST_UID = 500
STAFF = "staff"
MAX_ID = (1 << 32) - 1
MAX_SIZE = 1 << 20
MAX_GROUPS = 15


def find_user(jail: int, user: str) -> tuple[pwd.struct_passwd, list[int] | None] | None:
    ...
    uid = parse_id(user)
    try:
        return (pwd.getpwnam(user) if uid is None else pwd.getpwuid(uid)), None
    except (KeyError, ValueError):  # ValueError: a name with a NUL in it
        pass
    for fields in read_fields(jail, PASSWD):
        if user in (fields[0], fields[2:3] and fields[2]) and (entry := parse_entry(fields)):
            require_free_ids(entry)
            return entry, jail_groups(jail, entry.pw_name)
    return None


def parse_entry(fields: list[str]) -> pwd.struct_passwd | None:
    ...
    numbers = fields[2:4]
    if len(fields) != 7 or not fields[0] or not all(map(is_id, numbers)):
        return None
    uid, gid = map(int, numbers)
    return pwd.struct_passwd((*fields[:2], uid, gid, *fields[4:])) if uid >= FIRST_UID else None


def require_free_ids(entry: pwd.struct_passwd) -> None:
    user, group = mac_user(entry.pw_uid), mac_group(entry.pw_gid)
    if user:
        raise StepError("number", f"uid {entry.pw_uid}, which is that of {user} on the Mac", 0)
    if group:
        raise StepError("number", f"group {entry.pw_gid}, which is {group} on the Mac", 0)


def mac_user(uid: int) -> str:
    ...
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def mac_group(gid: int) -> str:
    ...
    try:
        name = grp.getgrgid(gid).gr_name
    except KeyError:
        return "reserved for the system" if gid < FIRST_UID else ""
    return "" if name == STAFF else name


def parse_id(text: str) -> int | None:
    ...
    digits = text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_ID))
    return int(text) if digits and int(text) <= MAX_ID else None


def is_id(text: str) -> bool:
    ...
    return text.isascii() and text.isdecimal() and len(text) < len(str(1 << 31))


def jail_groups(jail: int, name: str) -> list[int]:
    ...
    rows = [fields for fields in read_fields(jail, GROUP) if len(fields) == 4 and name in fields[3].split(",")]
    numbers = dict.fromkeys(int(fields[2]) for fields in rows if is_id(fields[2]))
    return [gid for gid in numbers if not mac_group(gid)][:MAX_GROUPS]


def read_fields(jail: int, path: str) -> list[list[str]]:
    ...
    try:
        text = read_below(jail, path, MAX_SIZE).decode("utf-8", "surrogateescape")
    except OSError:
        return []
    return [line.split(":") for line in text.split("\n") if line and not line.startswith("#")]


import errno
import os
import pwd
import stat


MARKER = "private/var/db/darwin.jail/jail.json"
MAX_MARKER = 1 << 16
BUILDING = b'"state": "building"'

CHUNK = 1 << 20
REFUSED = 125

ENTERED = "darwin.jail: entered\n"
INCOMPLETE = "darwin.jail: incomplete\n"
FAILED = "darwin.jail: failed"

FOLDERS = "/var/folders"
ALPHABET = "0123456789_bcdfghjklmnpqrstvwxyz"
TAIL = 6


def open_jail(path: str) -> int:
    ...
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
    ...
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
    ...
    try:
        return BUILDING in read_below(jail, MARKER, MAX_MARKER)
    except OSError:
        return False


def require_root_only(fd: int, path: str) -> None:
    ...
    status = os.fstat(fd)
    mode = status.st_mode
    shared = mode & stat.S_IWOTH or (mode & stat.S_IWGRP and status.st_gid != 0)
    if status.st_uid != 0 or (shared and not mode & stat.S_ISVTX):
        raise StepError("others", path, 0)


def account(jail: int, user: str) -> tuple[pwd.struct_passwd, list[int] | None]:
    ...
    found = find_user(jail, user)
    if found is None:
        raise StepError("account", user, 0)
    return found


def enter_jail(jail: str, user: str) -> pwd.struct_passwd:
    ...
    fd = open_jail(jail)
    if is_building(fd):
        os.write(2, INCOMPLETE.encode())
    who, groups = account(fd, user)
    become_user(fd, who, groups)
    return who


def become_user(jail: int, who: pwd.struct_passwd, groups: list[int] | None) -> None:
    ...
    join_groups(who, groups)
    chroot_to_jail(jail, who)


def join_groups(who: pwd.struct_passwd, groups: list[int] | None) -> None:
    with step("groups"):
        take_groups(who.pw_name if groups is None else None, who.pw_gid & 0xFFFFFFFF, groups or [])


def chroot_to_jail(jail: int, who: pwd.struct_passwd) -> None:
    ...
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
    ...
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
    ...
    path, env = locate(argv[0], ""), environment(jail, who)
    os.write(2, ENTERED.encode())
    try:
        execute(path, list(argv), env)
    except StepError as exc:
        os.write(2, f"{path}: {os.strerror(exc.args[2])}\n".encode("utf-8", "surrogateescape"))
        raise SystemExit(REFUSED) from None


def open_regular(path: str, flags: int, mode: int = 0) -> int:
    ...
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
    ...
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
    ...
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
    ...
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
MAX_LAST_BLOCKS = 64

SET_CONTROLLING = getattr(termios, "TIOCSCTTY", 0x20007461)

FORWARDED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
HANDLED = (*FORWARDED, signal.SIGCHLD, signal.SIGCONT, signal.SIGWINCH)


class Terminal:
    ...

    def __init__(self) -> None:
        self._terminal_fds = [fd for fd in STANDARD if os.isatty(fd)]
        self.fd = self._controller = -1
        if not self._terminal_fds:
            return
        self._controller, self.fd = os.openpty()
        os.set_blocking(self._controller, False)
        self._screen = next(fd for fd in (1, 2, 0) if fd in self._terminal_fds)
        self._before = termios.tcgetattr(self._screen)
        termios.tcsetattr(self.fd, termios.TCSANOW, self._before)
        self._typed = b""
        self.copy_size()

    def attach(self) -> None:
        ...
        os.setsid()
        if self._terminal_fds:
            fcntl.ioctl(self.fd, SET_CONTROLLING, 0)
        for fd in self._terminal_fds:
            os.dup2(self.fd, fd)


    def set_raw(self) -> None:
        ...
        with suppress(OSError, termios.error):  # it is gone
            if 0 in self._terminal_fds:
                tty.setraw(0, termios.TCSADRAIN)
            self.copy_size()

    def restore(self) -> None:
        ...
        with suppress(termios.error):
            if 0 in self._terminal_fds:
                termios.tcsetattr(0, termios.TCSADRAIN, self._before)

    def copy_size(self) -> None:
        with suppress(OSError):
            if self._controller >= 0:
                size = fcntl.ioctl(self._screen, termios.TIOCGWINSZ, bytes(8))
                fcntl.ioctl(self._controller, termios.TIOCSWINSZ, size)


    def wait(self, waker: int) -> bool:
        ...
        while True:
            reads, writes = [waker], []
            if self._controller >= 0:
                reads.append(self._controller)
                if self._typed:
                    writes.append(self._controller)
                elif 0 in self._terminal_fds:
                    reads.append(0)
            readable, writable, _errors = select.select(reads, writes, [])
            if self._controller in readable:
                self.copy_output()
            if 0 in readable:
                typed = read_available(0)
                if typed == b"":
                    return False
                self._typed = typed or b""
            if writable:
                self._send()
            if waker in readable:
                return True

    def copy_output(self) -> bool:
        ...
        data = read_available(self._controller)
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

    def copy_rest(self) -> None:
        ...
        for _block in range(MAX_LAST_BLOCKS):
            if self._controller < 0 or not select.select([self._controller], [], [], 0)[0] or not self.copy_output():
                break

    def hang_up(self) -> None:
        ...
        if self._controller >= 0:
            os.close(self._controller)
            os.close(self.fd)
        self.fd = self._controller = -1


def read_available(fd: int) -> bytes | None:
    ...
    try:
        return os.read(fd, BLOCK)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def ignore_signal(_number: int, _frame: object) -> None:
    ...


def run_at_new_terminal(terminal: Terminal, become: Callable[[], None]) -> int:
    ...
    waker, wake = os.pipe()
    for fd in (waker, wake):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in HANDLED:
        signal.signal(number, ignore_signal)
    child = os.fork()
    if child == 0:
        signal.set_wakeup_fd(-1)
        terminal.attach()
        become()
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in STANDARD:
        if not os.isatty(fd):
            os.dup2(nothing, fd)  # whoever is at the other end waits for the program alone
    terminal.set_raw()
    try:
        return forward_until_exit(child, terminal, waker)
    finally:
        terminal.restore()


def forward_until_exit(child: int, terminal: Terminal, waker: int) -> int:
    ...
    while True:
        numbers = read_available(waker) if terminal.wait(waker) else bytes([signal.SIGHUP])
        for number in numbers or b"":
            if number == signal.SIGHUP:
                terminal.hang_up()
            if number in FORWARDED:
                signal_child(child, number)
            elif number == signal.SIGCONT:
                terminal.set_raw()
            elif number == signal.SIGWINCH:
                terminal.copy_size()
        found, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
        if found and os.WIFSTOPPED(status):
            stop_like_child(child, terminal)
        elif found:
            terminal.copy_rest()
            return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def stop_like_child(child: int, terminal: Terminal) -> None:
    ...
    terminal.restore()
    os.kill(os.getpid(), signal.SIGTSTP)
    terminal.set_raw()
    signal_child(child, signal.SIGCONT)


def signal_child(child: int, number: int) -> None:
    ...
    with suppress(OSError):
        try:
            os.killpg(child, number)
        except ProcessLookupError:  # it has no group of its own yet
            os.kill(child, number)


import os
import pwd
import stat
import subprocess


ARGUMENTS = 2

CSRUTIL = "/usr/bin/csrutil"
PROTECTED = (b"System Integrity Protection status: enabled.", b"Filesystem Protections: enabled")
SIP_IS_ON = (
    "System Integrity Protection is on, so macOS aborts programs in jails: csrutil disable in recoveryOS turns it off"
)
INCOMPLETE = "the jail is not complete: its build did not end; build it again"

MESSAGES = {
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
FALLBACK_TERMINALS = ("xterm-256color", "xterm", "vt100")


def enter(argv: list[str]) -> None:
    if len(argv) != ARGUMENTS or os.geteuid() != 0 or not argv[0].startswith("/") or ".." in argv[0].split("/"):
        raise SystemExit("usage: sudo enter JAIL USER (JAIL is an absolute path without ..)")
    close_inherited()
    try:
        fd = open_jail(argv[0])
        who, groups = account(fd, argv[1])
        join_groups(who, groups)
        terminal = Terminal()
        warnings = [hand_over_terminal(fd, terminal.fd, who.pw_uid) if terminal.fd >= 0 else ""]
        warnings += [INCOMPLETE if is_building(fd) else "", SIP_IS_ON if is_protected() else ""]
        for warning in filter(None, warnings):
            os.write(2, f"enter: {warning}\n".encode())
        raise SystemExit(run_at_new_terminal(terminal, lambda: start_shell(fd, argv[0], who)))
    except StepError as exc:
        event, path, number = exc.args
        before, after = MESSAGES.get(event, (f"{event} ", ""))
        reason = f": {os.strerror(number)}" if number and event != "marker" else ""
        raise SystemExit(f"enter: {before}{path}{reason}{after}") from None


def start_shell(jail: int, path: str, who: pwd.struct_passwd) -> None:
    ...
    chroot_to_jail(jail, who)
    env = environment(path, who)
    env["TERM_PROGRAM"] = TERM_PROGRAM
    env.update({name: os.environ[name] for name in ("LANG", "TERM") if name in os.environ})
    if "TERM" in env:
        env["TERM"] = known_terminal(env["TERM"], env["HOME"])
    execute(locate(env["SHELL"], ""), ["-" + os.path.basename(env["SHELL"])], env)


def is_protected() -> bool:
    ...
    try:
        asked = subprocess.run(  # pylint: disable=ansible-bad-function # no module
            [CSRUTIL, "status"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=10, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return any(line in asked.stdout for line in PROTECTED)


def hand_over_terminal(jail: int, terminal: int, uid: int) -> str:
    ...
    path = os.ttyname(terminal)
    try:
        *parents, name = path.strip("/").split("/")
        folder = open_below(os.dup(jail), parents)
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
    ...
    for known in (name, *FALLBACK_TERMINALS):
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
