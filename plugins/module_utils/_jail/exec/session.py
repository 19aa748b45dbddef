# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command of a session in a jail, to be run by root on the Mac.

Python on the Mac runs the session, as darwin_chroot_exec does. Without Python
chroot(8) does: the user is in at most 16 groups, and TMPDIR is /tmp. Neither
needs anything installed on the Mac.

The connection imports this for every task, so it imports little. The errors
are in session_errors.py.
"""

from __future__ import annotations

import binascii
import posixpath
import shlex
import zlib
from dataclasses import dataclass

from ..errors import InputError
from ..programs import chroot_exec, jail_session, passwd_lookup
from ..programs.bundle import program

# Not /usr/bin/python3: without developer tools that one asks the person at the screen to install them.
PYTHONS = (
    "/Library/Developer/CommandLineTools/usr/bin/python3",
    "/Applications/Xcode.app/Contents/Developer/usr/bin/python3",
)

# Packed, the program takes a third of the room in the log of sudo. In UTF-8 mode names that are not UTF-8 come through;
# -I and -S keep out modules that are not of Python itself.
WITH_PYTHON = """\
for python in {pythons}; do if [ -x "$python" ]; then
"$python" -X utf8 -I -S -c 'import binascii,zlib;exec(zlib.decompress(binascii.a2b_base64("{packed}")))'
exit; fi; done
"""

# For chroot(8), which leaves the environment as it is. A name that sh could take for more than a name is refused.
WITHOUT_PYTHON = """\
for open in 3 4 5 6 7 8 9; do eval "exec $open>&-"; done
no() { printf '%s %s %s %s\\n' "$failed" "$1" "$2" "$3" >&2; exit 125; }
first=${jail#/}
first=${first%%/*}
case $first in etc|tmp|var) [ ! -h "/$first" ] || jail=/private$jail ;; esac
[ -d "$jail" ] || no open ENOENT "$jail"
[ "$(cd "$jail" && pwd -P)" = "$jail" ] || no open ELOOP "$jail"
kept=$jail/${marker%/*}
[ "$(cd "$kept" 2>/dev/null && pwd -P)" = "$kept" ] || no marker ENOENT "$jail"
[ -n "$(find "$jail/$marker" -prune -type f -user 0 2>/dev/null)" ] || no marker ENOENT "$jail"
place=$kept
while :; do
    [ -n "$(find "${place:-/}" -prune $roots)" ] || no others 0 "${place:-/}"
    [ -n "$place" ] || break
    place=${place%/*}
done
name=$(id -un "$user" 2>/dev/null) || no account 0 "$user"
case $name in *[!A-Za-z0-9._-]*) no account 0 "$user" ;; esac
eval "home=~$name"
groups=$(id -G "$name" | cut -d ' ' -f 1-16 | tr ' ' ,)
set -- /usr/sbin/chroot -u "$name" -g "$(id -g "$name")" -G "$groups" "$jail" "$@"
case $(/usr/sbin/chroot "$jail" '' 2>&1 </dev/null) in *'Operation not permitted'*) no enter EPERM "$jail" ;; esac
set -- JAIL_NAME="${jail##*/}" HOME="$home" LOGNAME="$name" PATH="$path" SHELL=/bin/sh TMPDIR="$tmp" USER="$name" "$@"
"""

# find(1): root alone can change the directory, as jail_session.require_root_only says it.
ROOTS = "-user 0 ( -perm -1000 -o ! -perm -0002 ( ! -perm -0020 -o -group 0 ) )"

# What /bin/sh does in the jail then, for each act; the words come behind it.
SHELLS = {
    "run": 'cd 2>/dev/null; exec "$@"',
    "put": 'cat >"$1" && chmod "$2" "$1" && [ "$(wc -c <"$1")" -eq "$3" ]',
    "get": 'cat <"$1"',
}


@dataclass(frozen=True)
class Session:
    """A user, a jail and an action; InputError when they are invalid."""

    jail: str
    user: str
    act: str
    """run (words: a program and its arguments), put (a path, its mode, its size) or get (a path)."""
    words: tuple[str, ...]
    stdin: bool = False
    """Whether the action has input."""
    pythons: tuple[str, ...] = PYTHONS
    """Where Python may be on the Mac."""

    def __post_init__(self) -> None:
        if not self.jail.startswith("/") or ".." in self.jail.split("/"):
            raise InputError(f"the jail '{self.jail}' is not an absolute path without '..': set jail_path to one")
        if not self.jail.strip("/"):
            raise InputError("the jail '/' is the Mac itself: set jail_path to the directory of a jail")
        if not self.user:
            raise InputError("the user of the jail is empty: set jail_user to a user of the Mac")

    @property
    def command(self) -> str:
        """The command for /bin/sh as root. Its exit code is that of the program, or 128 + signal."""
        call = f"run_session({self.jail!a}, {self.user!a}, {self.act!a}, {self.words!a}, {self.stdin})"
        text = program(chroot_exec, passwd_lookup, jail_session, call=call).encode()
        packed = binascii.b2a_base64(zlib.compress(text, 9), newline=False).decode()
        with_python = WITH_PYTHON.format(pythons=shlex.join(self.pythons), packed=packed)
        return f"{with_python}{self._settings}{WITHOUT_PYTHON}{self._start}"

    @property
    def _settings(self) -> str:
        values = {
            "jail": posixpath.normpath("/" + self.jail.strip("/")),
            "user": self.user,
            "failed": jail_session.FAILED,
            "entered": jail_session.ENTERED.rstrip(),
            "roots": ROOTS,
            "marker": jail_session.MARKER,
            "path": chroot_exec.PATH,
            "tmp": chroot_exec.TMP,
        }
        settings = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
        words = shlex.join(["/bin/sh", "-c", SHELLS[self.act], "sh", *self.words])
        return "\n".join([*settings, f"set -- {words}", ""])

    @property
    def _start(self) -> str:
        start = 'echo "$entered" >&2; /usr/bin/env -i "$@"'
        return f"{start}; exit" if self.stdin else f"{start} </dev/null; exit"


def has_entered(said: bytes) -> bool:
    """Whether a program of the jail got control, by the output of the command."""
    return jail_session.ENTERED.encode() in said.replace(b"\r\n", b"\n")


def is_incomplete(said: bytes) -> bool:
    """Whether the build of the jail did not end, by the output of jail_session.py before a program of the jail ran."""
    said = said.replace(b"\r\n", b"\n").partition(jail_session.ENTERED.encode())[0]
    return jail_session.INCOMPLETE.encode() in said


def strip_markers(rc: int, stdout: bytes, stderr: bytes, terminal: bool) -> tuple[int, bytes, bytes]:
    """The result of the program, without the lines of jail_session.py. At a terminal all is standard output."""
    said = stdout if terminal else stderr
    for line in (jail_session.INCOMPLETE, jail_session.ENTERED)[0 if is_incomplete(said) else 1 :]:
        said = said.replace(line.replace("\n", "\r\n" if terminal else "\n").encode(), b"", 1)
    return (rc, said, stderr) if terminal else (rc, stdout, said)
