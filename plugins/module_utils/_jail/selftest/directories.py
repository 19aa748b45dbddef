# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's temporary directories, and where macOS keeps things."""

from __future__ import annotations

import os
import pwd

from ..accounts import directory_services, user_tmp
from .claims import Verdict, claim, found
from .context import Context, NotTriedError, output_of, run_program
from .reruns import succeeded

GETCONF = "/usr/bin/getconf"
RECEIPTS = "/Library/Apple/System/Library/Receipts"


@claim(
    "M-CONFSTR-1",
    "The directories that confstr(3) returns are derived from the UUID and uid of the user as in the code",
    source="A user's temporary directories: aoss/Libc gen/confstr.c, Libc-997.90.3 _dirhelper.c",
    judged="getconf",
)
def named(_context: Context) -> Verdict:
    account = directory_services.find_account("root")
    uuid = user_tmp.uuid_of(account)
    if not uuid:
        raise NotTriedError("root has no UUID")
    name = user_tmp.encode(uuid, account.uid)
    ended = run_program(GETCONF, "DARWIN_USER_CACHE_DIR")
    told = ended.stdout.decode("utf-8", "replace").strip()
    holds = told.rstrip("/") == f"/var/folders/{name[:2]}/{name[2:]}/C"
    return found(holds, "as the code does it" if holds else output_of(ended))


@claim(
    "M-CONFSTR-2",
    "A program in a jail has the temporary directories that the collection made",
    source="A user's temporary directories",
    judged="getconf, in the jail",
    needs=("SIP off", "jail"),
)
def inside(context: Context) -> Verdict:
    return succeeded(context, "temporary", "it has")


@claim(
    "M-RECEIPT-1",
    "Receipts of Apple's packages are in /Library/Apple/System/Library/Receipts since macOS 13",
    source="Copying: two current programs look there",
    judged="what is there",
    needs=(">=13",),
)
def receipts(_context: Context) -> Verdict:
    if not os.path.isdir("/Library/Developer/CommandLineTools"):
        raise NotTriedError("there are no Command Line Tools")
    there = os.path.isdir(RECEIPTS) and any(name.startswith("com.apple.pkg.CLTools") for name in os.listdir(RECEIPTS))
    return found(there, "those of the tools are there" if there else "those of the tools are not there")


@claim(
    "M-USER-3",
    "Every regular user of a Mac is in the group staff, which has the gid 20",
    source="Users: published outputs of id",
    judged="id",
)
def staff(_context: Context) -> Verdict:
    people = [entry for entry in pwd.getpwall() if 500 < entry.pw_uid < 60000 and not entry.pw_name.startswith("_")]
    others = [one for one in people if b"20" not in run_program("/usr/bin/id", "-G", one.pw_name).stdout.split()]
    if not people:
        raise NotTriedError("there are no people")
    return found(not others, f"{len(others)} of {len(people)} are not in it" if others else f"all {len(people)} are")
