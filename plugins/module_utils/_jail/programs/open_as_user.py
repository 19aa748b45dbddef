# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open a file as a user, in a process of its own: open_as_user.py LOGIN UID GID PATH; the words say what came of it."""

from __future__ import annotations

import os
import sys

from .chroot_exec import take_groups


def main() -> None:
    login, uid, gid, path = sys.argv[1:]
    take_groups(login, int(gid), [])
    os.setuid(int(uid))
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as exc:
        sys.stdout.write(os.strerror(exc.errno or 0))
    else:
        sys.stdout.write("opened")
