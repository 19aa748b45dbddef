# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Call chroot(2), become a user, and run a program.

Part of programs that bundle.py puts together. It imports little: each import
costs milliseconds of every task. Nothing may be imported after chroot(2), for
Python would look for it in the jail.
"""

from __future__ import annotations

# Not signal.py, which imports enum and collections: 4 ms of every task.
import _signal as signal  # type: ignore[import-not-found]
import errno
import os
import stat

# The system's own (sysctl user.cs_path): only root can put programs there.
PATH = "/usr/bin:/bin:/usr/sbin:/sbin"

# What programs take that have no TMPDIR.
TMP = "/tmp"  # noqa: S108

# Where a process sees its own descriptors, by their numbers (on macOS fdesc_readdir of xnu lists them). The most that a
# process may have open there is kern.maxfilesperproc, which is below this.
DESCRIPTORS = "/dev/fd"
MAX_DESCRIPTORS = 1 << 18

# The most that the kernel looks at to find an interpreter (xnu bsd/sys/imgact.h, IMG_SHSIZE).
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


class suppressed:  # noqa: N801 (a context manager that is used like a function)
    """Like contextlib.suppress, whose module costs milliseconds."""

    def __init__(self, *kinds: type[BaseException]) -> None:
        self.kinds = kinds

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, _exc: object, _trace: object) -> bool:
        return kind is not None and issubclass(kind, self.kinds)


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

    Where one of the three is closed, nothing else gets its number later: an answer would be written into that.

    What is opened later closes by itself when a program takes over. The list takes 0.1 ms; where there is none that
    can be believed, which is nowhere on macOS, all numbers are tried, and that takes 0.3 s.
    """
    while os.open(os.devnull, os.O_RDWR) <= 2:
        pass
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
    """Make the open directory this process's root, and become the user."""
    with step("groups"):
        take_groups(login, gid, groups)
    change_root(jail, uid)


def change_root(jail: int, uid: int) -> None:
    """Like `chroot_and_setuid`, for a process that has the user's groups."""
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
    """The path where execvp(3) would find the program, if it can be started."""
    path = find(program, search)
    check_interpreter(path)
    return path


def execute(path: str, argv: list[str], env: dict[str, str]) -> None:
    """Replace this process by the program, with the signals that Python ignores set to their defaults."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    with step("execute", path):
        os.execve(path, argv, env)
