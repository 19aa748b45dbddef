# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of macOS in a jail."""

from __future__ import annotations

import os
import signal

from ..macos import sip
from .claims import Verdict, claim, found
from .context import Context, NotTriedError, output_of, run_program
from .reruns import succeeded

CHROOT = "/usr/sbin/chroot"
TOOLS = (
    ("/usr/bin/ssh", "-V"),
    ("/usr/bin/sudo", "-V"),
    ("/usr/bin/security", "help"),
    ("/usr/bin/codesign", "-h"),
    ("/usr/bin/xcrun", "--version"),
)


@claim(
    "M-SIP-1",
    "csrutil status reports System Integrity Protection in a known form",
    source="System Integrity Protection: asmvik/yabai issues 1800 and 731",
    judged="csrutil",
)
def told(_context: Context) -> Verdict:
    status = sip.status().status
    return found(status != "unknown", status)


@claim(
    "M-CHROOT-1",
    "With System Integrity Protection off, a plain copy of /bin/sh runs in a jail",
    source="Entering a jail: aoss/xnu vfs_syscalls.c; Programs and libraries",
    judged="chroot",
    needs=("SIP off", "jail"),
)
def runs(context: Context) -> Verdict:
    ended = run_program(CHROOT, context.path("jail"), "/bin/sh", "-c", "exit 7")
    return found(ended.rc == 7, "it ran" if ended.rc == 7 else output_of(ended))


@claim(
    "M-CHROOT-2",
    "With System Integrity Protection on, no program starts in a jail",
    source="The dyld shared cache: aoss/xnu vm_unix.c; README of darwin-jail",
    judged="chroot",
    needs=("SIP on", "jail"),
)
def fails(context: Context) -> Verdict:
    ended = run_program(CHROOT, context.path("jail"), "/bin/sh", "-c", "exit 7")
    return found(ended.rc != 7, output_of(ended) if ended.rc != 7 else "it ran")


@claim(
    "M-CHROOT-3",
    "The Python of the Command Line Tools may call chroot(2)",
    source="Entering a jail: aoss/xnu vfs_syscalls.c",
    judged="the module darwin_chroot_exec",
    needs=("SIP off", "jail"),
)
def entered(context: Context) -> Verdict:
    return succeeded(context, "enter", "a program ran")


@claim(
    "M-SIGN-1",
    "A plain copy of a program of macOS is signed as the original is",
    source="Code signatures: aoss/xnu cs_blobs.h",
    judged="codesign -v",
    needs=("jail",),
)
def signed(context: Context) -> Verdict:
    programs = ("bin/sh", "bin/ls", "usr/bin/env", "usr/lib/dyld")
    there = [name for name in programs if os.path.exists(context.place("jail", name))]
    ended = run_program("/usr/bin/codesign", "-v", *(context.path("jail", name) for name in there))
    return found(not ended.rc, output_of(ended) or f"{len(there)} programs are")


@claim(
    "M-KILL-1",
    "Command line programs are not killed in a jail",
    source="Code signatures: nubjs/nub research notes; Entering a jail, launch constraints",
    judged="chroot, and how each ends",
    needs=("SIP off", "jail"),
)
def spared(context: Context) -> Verdict:
    killed: list[str] = []
    ran: list[str] = []
    for program, word in TOOLS:
        if os.path.exists(context.place("jail", program[1:])):
            ended = run_program(CHROOT, context.path("jail"), program, word)
            (killed if ended.rc in (-signal.SIGKILL, 128 + signal.SIGKILL) else ran).append(os.path.basename(program))
    if not killed + ran:
        raise NotTriedError("the jail has none of them")
    return found(not killed, f"killed: {', '.join(killed) or 'none'}; not killed: {', '.join(ran) or 'none'}")


@claim(
    "M-CURL-1",
    "curl in a jail trusts the authorities in the jail's /etc/ssl/cert.pem",
    source="The tree of a jail: aoss/curl curl_config.h",
    judged="curl, in the jail",
    needs=("SIP off", "jail", "network"),
)
def trusts(context: Context) -> Verdict:
    if not os.path.exists(context.place("jail", "usr/bin/curl")):
        raise NotTriedError("the jail has no curl")
    ended = run_program(
        CHROOT, context.path("jail"), "/usr/bin/curl", "-sSI", "--max-time", "30", "https://www.apple.com/"
    )
    return found(not ended.rc, output_of(ended) if ended.rc else "it does")
