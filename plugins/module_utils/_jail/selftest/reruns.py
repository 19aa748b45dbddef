# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building a jail, and building it again."""

from __future__ import annotations

import os

from ..system import call_probes
from .claims import Verdict, claim, found
from .context import Context, NotTriedError, output_of, run_program

MTREE = "/usr/sbin/mtree"
PLAIN_DEVICES = ("null", "zero", "random", "urandom")


def step(context: Context, name: str) -> dict[str, object]:
    if name not in context.steps:
        raise NotTriedError("the run did not come to it")
    values: dict[str, object] = context.steps[name]
    return values


def succeeded(context: Context, name: str, seen: str) -> Verdict:
    """Whether a step ran without an error."""
    values = step(context, name)
    return found(bool(values["ok"]), str(values["message"]) or seen)


def unchanged(context: Context, name: str) -> Verdict:
    again = step(context, name)
    quiet = bool(again["ok"]) and not again["changed"]
    return found(quiet, "nothing changed" if quiet else str(again["message"]) or "something changed")


@claim(
    "M-BUILD-1",
    "A jail is built, whether System Integrity Protection is on or off",
    source="Copying: aoss/copyfile copyfile.c, copyfile_xattr",
    judged="the role base",
    needs=("steps",),
)
def built(context: Context) -> Verdict:
    return succeeded(context, "build", "it was built")


@claim(
    "M-RERUN-1",
    "A second build changes nothing",
    source="Copying",
    judged="the role base",
    needs=("jail",),
)
def quick(context: Context) -> Verdict:
    return unchanged(context, "again")


@claim(
    "M-RERUN-2",
    "A build that reads all contents changes nothing either",
    source="Copying: com.apple.provenance",
    judged="the role base, with jail_compare: full",
    needs=("jail",),
)
def full(context: Context) -> Verdict:
    return unchanged(context, "full")


@claim(
    "M-RERUN-3",
    "A build while devfs is mounted on the jail's /dev changes nothing",
    source="The tree of a jail; Terminals: aoss/xnu devfs_vnops.c, devfsspec_write",
    judged="the roles terminal and base",
    needs=("jail",),
)
def with_devfs(context: Context) -> Verdict:
    need_devfs(context)
    return unchanged(context, "with_devfs")


@claim(
    "M-RERUN-4",
    "A build over ssh with pipelining runs to its end",
    source="Copying: aoss/OpenSSH session.c, do_exec_no_pty; nchan.c",
    judged="the role base",
    needs=("ssh",),
)
def piped(context: Context) -> Verdict:
    return built(context)


@claim(
    "M-DEVICE-1",
    "The modification time of /dev/null changes when something is written to it",
    source="Terminals: aoss/xnu devfs_vnops.c, devfsspec_write",
    judged="stat(2)",
)
def touched(_context: Context) -> Verdict:
    changed = call_probes.changes_when_written(b"/dev/null")
    return found(changed, "it changed" if changed else "it did not change")


@claim(
    "M-DEVICE-2",
    "A clone of a jail with devfs mounted has the plain devices",
    source="The tree of a jail: aoss/xnu bsd/miscfs/devfs",
    judged="lstat(2)",
    needs=("clone",),
)
def in_clone(context: Context) -> Verdict:
    return has_devices(context, "clone")


@claim(
    "M-DEVICE-3",
    "An image of a jail with devfs mounted has the plain devices",
    source="The tree of a jail: aoss/xnu bsd/miscfs/devfs",
    judged="lstat(2)",
    needs=("image",),
)
def in_image(context: Context) -> Verdict:
    return has_devices(context, "unpacked")


def has_devices(context: Context, copy: str) -> Verdict:
    """Whether a copy has the plain devices; devfs was mounted on its original."""
    need_devfs(context)
    lacking = [name for name in PLAIN_DEVICES if not is_device(context.place(copy, "dev", name))]
    return found(not lacking, f"without {', '.join(lacking)}" if lacking else "all four are there")


def need_devfs(context: Context) -> None:
    if not step(context, "terminal")["ok"]:
        raise NotTriedError("devfs was not mounted")


def is_device(path: bytes) -> bool:
    try:
        return call_probes.is_special(os.lstat(path))
    except FileNotFoundError:
        return False


@claim(
    "M-MTREE-1",
    "mtree reads the record of a jail, and finds no difference",
    source="mtree: aoss/file_cmds mtree/spec.c",
    judged="mtree",
    needs=("jail",),
)
def recorded(context: Context) -> Verdict:
    record = context.path("jail", "private/var/db/darwin.jail/record.mtree")
    ended = run_program(MTREE, "-e", "-f", record, "-p", context.path("jail"), seconds=900)
    return found(not ended.rc, output_of(ended) or "as recorded")


@claim(
    "M-IMAGE-1",
    "A jail that is created from an image equals the exported jail",
    source="Copying",
    judged="diff -r",
    needs=("image",),
)
def same(context: Context) -> Verdict:
    ended = run_program("/usr/bin/diff", "-r", context.path("small", "bin"), context.path("unpacked", "bin"))
    return found(not ended.rc, output_of(ended) or "no difference")
