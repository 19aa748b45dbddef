# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""enter JAIL USER: start a shell in a jail, by one rule of sudo.

The lookup enter_command makes a script of this module and those that it
imports. A user can choose these two arguments only, and the sudo rule can
restrict them. The shell runs as the jail's user, at a terminal of its own.
"""

from __future__ import annotations

import os
import pwd
import stat

from ..dirfd import open_below
from .chroot_exec import StepError, close_inherited, execute, locate
from .jail_session import account, chroot_to_jail, environment, is_building, join_groups, open_jail
from .terminal import Terminal, run_at_new_terminal

ARGUMENTS = 2

CSRUTIL = "/usr/bin/csrutil"
PROTECTED = (b"System Integrity Protection status: enabled.", b"Filesystem Protections: enabled")
"""Its output when no program can start in a jail (docs/macos.md)."""
SIP_IS_ON = (
    "System Integrity Protection is on, so macOS aborts programs in jails: csrutil disable in recoveryOS turns it off"
)
UNFINISHED = "the jail is not complete: its build did not end; build it again"

# What goes before the path, and behind it.
MESSAGES = {
    "open": ("cannot open ", ""),
    "marker": ("", " is not a jail of darwin.jail"),
    "account": ("there is no user ", ""),
    "others": (
        "others than root can change ",
        ": make it root's alone (chown root, chmod go-w), or move the jail, to /private/var/jails for example",
    ),
    "number": ("the jail's /etc/passwd gives the user ", ""),
    "terminal": ("cannot use a new terminal", ""),
    "groups": ("cannot take the groups of the user", ""),
    "enter": (
        "cannot enter the jail",
        " (System Integrity Protection refuses it while it is on: csrutil status tells)",
    ),
    "interpreter": ("cannot start the user's shell, its interpreter is ", ""),
    "find": ("cannot start the user's shell, ", ""),
    "execute": ("cannot start the user's shell, ", ""),
}

# The shells of macOS read /etc/zshrc_NAME or /etc/bashrc_NAME for it, which the role base puts there for the prompt.
TERM_PROGRAM = "darwin.jail"

# Where descriptions of terminals are, below a home and the system's, and what most terminals are like.
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
        warnings += [UNFINISHED if is_building(fd) else "", SIP_IS_ON if is_protected() else ""]
        for warning in filter(None, warnings):
            os.write(2, f"enter: {warning}\n".encode())
        raise SystemExit(run_at_new_terminal(terminal, lambda: start_shell(fd, argv[0], who, terminal)))
    except StepError as exc:
        event, path, number = exc.args
        before, after = MESSAGES.get(event, (f"{event} ", ""))
        reason = f": {os.strerror(number)}" if number and event != "marker" else ""
        raise SystemExit(f"enter: {before}{path}{reason}{after}") from None


def start_shell(jail: int, path: str, who: pwd.struct_passwd, terminal: Terminal) -> None:
    """Become the user's shell in the jail."""
    terminal.attach()
    chroot_to_jail(jail, who)
    env = environment(path, who)
    env["TERM_PROGRAM"] = TERM_PROGRAM
    env.update({name: os.environ[name] for name in ("LANG", "TERM") if name in os.environ})
    if "TERM" in env:
        env["TERM"] = known_terminal(env["TERM"], env["HOME"])
    execute(locate(env["SHELL"], ""), ["-" + os.path.basename(env["SHELL"])], env)


def is_protected() -> bool:
    """Whether csrutil(8) says that programs cannot start in jails."""
    import subprocess  # noqa: PLC0415 (djail exec does without)

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
    """The name of the terminal if the jail has its terminfo entry, otherwise the name of a similar one."""
    for known in (name, *FALLBACK_TERMINALS):
        letter = known[:1]
        folders = [
            os.path.join(home, base, below) for base in TERMINFO for below in (letter, f"{ord(letter or 'x'):x}")
        ]
        if letter and "/" not in known and any(os.path.exists(os.path.join(folder, known)) for folder in folders):
            return known
    return "dumb"
