# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look up names as programs in a jail do: with getaddrinfo(3), and the jail as root directory.

The text of this file is run by jobs/dns.py as a program of its own, by `python -I -S -c`, behind that of
chroot_exec.py, with the descriptor of the jail's directory, a user and a group, and the names. No program of the jail
is started for that. But a C library may load what the jail has, so that this must not be root's process then.
"""

from __future__ import annotations

import errno
import json
import socket
import sys

from .chroot_exec import StepError, chroot_and_setuid


def main() -> None:
    "".encode("idna")  # which can only be imported before the root changes
    jail, uid, gid, *names = sys.argv[1:]
    try:
        chroot_and_setuid(int(jail), int(uid), int(gid), None, [])
    except StepError as exc:
        if exc.args[2] != errno.EPERM:
            raise
        answer: dict[str, object] = {"entered": False, "addresses": {}, "errors": {}}
    else:
        answer = {"entered": True, **look_up(names)}
    sys.stdout.write(json.dumps(answer))


def look_up(names: list[str]) -> dict[str, object]:
    found: dict[str, list[str]] = {}
    errors: dict[str, str] = {}
    for name in names:
        try:
            answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            found[name] = sorted({str(answer[4][0]) for answer in answers})
        except (OSError, UnicodeError) as exc:
            errors[name] = getattr(exc, "strerror", None) or str(exc)
    return {"addresses": found, "errors": errors}
