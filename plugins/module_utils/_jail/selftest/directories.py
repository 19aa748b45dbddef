# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's temporary directories, and where macOS keeps things."""

from __future__ import annotations

import os
import pwd

from ..accounts import directory_services, user_tmp
from .claims import Verdict, claim, found
from .reruns import step
from .scene import NotTriedError, Scene, ask, said

GETCONF = "/usr/bin/getconf"
RECEIPTS = "/Library/Apple/System/Library/Receipts"


@claim(
    "M-CONFSTR-1",
    "The directories that confstr(3) names are made of the user's UUID and number as the code does it",
    source="A user's temporary directories: aoss/Libc gen/confstr.c, Libc-997.90.3 _dirhelper.c",
    judged="getconf",
)
def named(_scene: Scene) -> Verdict:
    account = directory_services.find_account("root")
    uuid = user_tmp.uuid_of(account)
    if not uuid:
        raise NotTriedError("root has no UUID")
    name = user_tmp.encode(uuid, account.uid)
    ended = ask(GETCONF, "DARWIN_USER_CACHE_DIR")
    told = ended.stdout.decode("utf-8", "replace").strip()
    holds = told.rstrip("/") == f"/var/folders/{name[:2]}/{name[2:]}/C"
    return found(holds, "as the code does it" if holds else said(ended))


@claim(
    "M-CONFSTR-2",
    "A program in a jail has the temporary directories that the collection made",
    source="A user's temporary directories",
    judged="getconf, in the jail",
    needs=("SIP off", "jail"),
)
def inside(scene: Scene) -> Verdict:
    enter = step(scene, "temporary")
    return found(bool(enter["ok"]), str(enter["message"]) or "it has")


@claim(
    "M-RECEIPT-1",
    "Receipts of Apple's packages are in /Library/Apple/System/Library/Receipts since macOS 13",
    source="Copying: two current programs look there",
    judged="what is there",
    needs=(">=13",),
)
def receipts(_scene: Scene) -> Verdict:
    if not os.path.isdir("/Library/Developer/CommandLineTools"):
        raise NotTriedError("there are no Command Line Tools")
    there = os.path.isdir(RECEIPTS) and any(name.startswith("com.apple.pkg.CLTools") for name in os.listdir(RECEIPTS))
    return found(there, "those of the tools are there" if there else "those of the tools are not there")


@claim(
    "M-USER-3",
    "Every person of a Mac is in the group staff, which has the number 20",
    source="Users: published outputs of id",
    judged="id",
)
def staff(_scene: Scene) -> Verdict:
    people = [entry for entry in pwd.getpwall() if 500 < entry.pw_uid < 60000 and not entry.pw_name.startswith("_")]
    others = [one for one in people if b"20" not in ask("/usr/bin/id", "-G", one.pw_name).stdout.split()]
    if not people:
        raise NotTriedError("there are no people")
    return found(not others, f"{len(others)} of {len(people)} are not in it" if others else f"all {len(people)} are")
