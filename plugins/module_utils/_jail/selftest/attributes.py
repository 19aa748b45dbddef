# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extended attributes that belong to the Mac."""

from __future__ import annotations

from ..system import call_probes
from ..system.platform.base import LOCAL_XATTRS
from .claims import Verdict, claim, found
from .context import Context, NotTriedError, output_of, run_program

XATTR = "/usr/bin/xattr"
ROOTLESS, PROVENANCE = "com.apple.rootless", "com.apple.provenance"
PROTECTED = ("/bin", "/sbin", "/usr", "/System")
REFUSED = b"not permitted"


def names(path: str) -> list[str]:
    """The extended attributes of a file, by xattr(1)."""
    return run_program(XATTR, path).stdout.decode("utf-8", "replace").split()


def scratch(context: Context, name: str) -> str:
    """Create a file in the directory of the run."""
    call_probes.write(context.place("scratch", name), b"darwin.jail\n")
    return context.path("scratch", name)


@claim(
    "M-XATTR-1",
    "/bin, /sbin, /usr and /System have the attribute com.apple.rootless",
    source="Copying: eclecticlight.co 2018-01-05",
    judged="xattr",
)
def marked(_context: Context) -> Verdict:
    without = [path for path in PROTECTED if ROOTLESS not in names(path)]
    return found(not without, f"without it: {', '.join(without)}" if without else "all four have it")


@claim(
    "M-XATTR-2",
    "With System Integrity Protection on, root cannot set com.apple.rootless",
    source="Copying: octave-app issue 252",
    judged="xattr -w",
    needs=("SIP on",),
)
def refused(context: Context) -> Verdict:
    ended = run_program(XATTR, "-w", ROOTLESS, "", scratch(context, "rootless"))
    return found(ended.rc != 0 and REFUSED in ended.stderr, output_of(ended) or "it was set")


@claim(
    "M-XATTR-3",
    "With System Integrity Protection off, root can set com.apple.rootless",
    source="Copying",
    judged="xattr -w, xattr -p",
    needs=("SIP off",),
)
def allowed(context: Context) -> Verdict:
    path = scratch(context, "rootless")
    ended = run_program(XATTR, "-w", ROOTLESS, "", path)
    return found(not ended.rc and ROOTLESS in names(path), output_of(ended) or "it was set")


@claim(
    "M-XATTR-4",
    "com.apple.provenance, which macOS sets on files of third-party programs, cannot be removed",
    source="Copying: oferchen/rsync pull request 7002",
    judged="xattr -d",
    needs=(">=13",),
)
def stays(context: Context) -> Verdict:
    path = scratch(context, "provenance")
    if PROVENANCE not in names(path):
        raise NotTriedError("a new file did not get it: all programs of this run count as Apple's")
    ended = run_program(XATTR, "-d", PROVENANCE, path)
    return found(PROVENANCE in names(path), output_of(ended) or "it is there still")


@claim(
    "M-XATTR-5",
    "A built jail has no com.apple.rootless, and macOS refused no attribute",
    source="Copying: aoss/copyfile copyfile.c, copyfile_xattr",
    judged="xattr",
    needs=("jail",),
)
def left(context: Context) -> Verdict:
    places = ("bin", "bin/sh", "usr", "usr/lib", "System")
    having = [place for place in places if set(names(context.path("jail", place))) & {*LOCAL_XATTRS} - {PROVENANCE}]
    return found(not having, f"with one of the Mac's: {', '.join(having)}" if having else "none of five has one")
