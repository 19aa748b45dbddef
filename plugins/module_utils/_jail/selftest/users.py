# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and groups."""

from __future__ import annotations

import os
import pwd
import sys

from ..accounts import directory_services
from ..programs import chroot_exec, open_as_user
from ..programs.bundle import program
from ..programs.passwd_lookup import FIRST_UID
from ..system import call_probes, nobody
from .claims import Verdict, claim, found
from .context import Context, NotTriedError, output_of, run_program

MAX_GROUPS = 16


@claim(
    "M-USER-1",
    "root has two homes, which dscl prints on one line",
    source="Users: fleetdm/fleet, the test of its parser",
    judged="dscl",
)
def homes(_context: Context) -> Verdict:
    ended = run_program(directory_services.DSCL, "/Search", "-read", "/Users/root", "NFSHomeDirectory")
    values = ended.stdout.decode("utf-8", "replace").split()[1:]
    return found(values == ["/var/root", "/private/var/root"], output_of(ended))


@claim(
    "M-USER-2",
    "getpwnam(3) returns one of the homes of root",
    source="Users",
    judged="getpwnam(3)",
)
def one_home(_context: Context) -> Verdict:
    home = pwd.getpwnam("root").pw_dir
    return found(home in ("/var/root", "/private/var/root"), home)


def opens(login: str, uid: int, gid: int, path: bytes) -> str:
    """What open(2) of a file returns to a user with all their groups."""
    text = program(chroot_exec, open_as_user, call="main()")
    ended = run_program(sys.executable, "-I", "-S", "-c", text, login, str(uid), str(gid), os.fsdecode(path))
    return ended.stdout.decode("utf-8", "replace").strip() or output_of(ended)


@claim(
    "M-GROUP-1",
    "setgid(2), initgroups(3) and setuid(2) give a user the groups beyond the sixteenth",
    source="Entering a jail: aoss/Libinfo libinfo.c; aoss/xnu kern_prot.c",
    judged="id, open(2)",
)
def beyond(context: Context) -> Verdict:
    for entry in pwd.getpwall():
        if entry.pw_uid >= FIRST_UID and not entry.pw_name.startswith("_"):
            groups = run_program("/usr/bin/id", "-G", entry.pw_name).stdout.split()
            if len(groups) > MAX_GROUPS:
                break
    else:
        raise NotTriedError(f"nobody is in more than {MAX_GROUPS} groups")
    path = context.place("traversable", "file")
    call_probes.write(path, b"x", 0o040, 0, int(groups[-1]))
    answer = opens(entry.pw_name, entry.pw_uid, entry.pw_gid, path)
    return found(answer == "opened", f"by the last of {len(groups)} groups: {answer}")


@claim(
    "M-GROUP-2",
    "A process can become nobody, which has a negative group for initgroups(3)",
    source="Entering a jail: aoss/Libinfo libinfo.c",
    judged="initgroups(3), open(2)",
)
def becomes_nobody(context: Context) -> Verdict:
    uid, gid = nobody.ids()
    path = context.place("traversable", "nobody")
    call_probes.write(path, b"x", 0o400, uid, gid)
    answer = opens("nobody", uid, gid, path)
    return found(answer == "opened", answer)
