# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies and clones of files."""

from __future__ import annotations

import errno
import os
import stat

from ..system import call_probes
from .claims import Verdict, claim, found
from .context import Context, NotTriedError, output_of, run_program
from .reruns import succeeded

UF_COMPRESSED = 0x20
CLONE_ACL = 0x4
SAMPLE = ("bin/ls", "bin/sh", "bin/cp", "usr/bin/env", "usr/bin/awk", "usr/bin/sed")


def cloned(source: bytes, target: bytes, flags: int = 0) -> int:
    code = call_probes.clone_error(source, target, flags)
    if code is None:
        raise NotTriedError("there is no clonefile(2)")
    return code


def words(code: int) -> str:
    return errno.errorcode.get(code, str(code)) if code else "it was cloned"


@claim(
    "M-COPY-1",
    "A compressed file of macOS stays compressed in the jail",
    source="Copying: aoss/copyfile copyfile.c",
    judged="ls -lO, stat(2)",
    needs=("jail",),
)
def compressed(context: Context) -> Verdict:
    there = [name for name in SAMPLE if call_probes.flags_of(os.lstat("/" + name)) & UF_COMPRESSED]
    if not there:
        raise NotTriedError("none of six programs of macOS is compressed")
    lost = [name for name in there if not call_probes.flags_of(os.lstat(context.place("jail", name))) & UF_COMPRESSED]
    shown = output_of(run_program("/bin/ls", "-lO", context.path("jail", lost[0]))) if lost else ""
    return found(not lost, f"not so: {', '.join(lost)}; {shown}" if lost else f"{len(there)} of {len(there)}")


@claim(
    "M-CLONE-1",
    "macOS 13 and later knows CLONE_ACL",
    source="Copying: aoss/xnu 8792.41.9, bsd/sys/clonefile.h",
    judged="clonefile(2)",
    needs=(">=13",),
)
def with_acl(context: Context) -> Verdict:
    call_probes.write(context.place("scratch", "acl"), b"x")
    code = cloned(context.place("scratch", "acl"), context.place("scratch", "acl.clone"), CLONE_ACL)
    return found(code == 0, words(code))


@claim(
    "M-CLONE-2",
    "macOS 12 answers EINVAL to CLONE_ACL",
    source="Copying: aoss/xnu 8020.140.41, bsd/vfs/vfs_syscalls.c",
    judged="clonefile(2)",
    needs=("<13",),
)
def without_acl(context: Context) -> Verdict:
    call_probes.write(context.place("scratch", "acl"), b"x")
    code = cloned(context.place("scratch", "acl"), context.place("scratch", "acl.clone"), CLONE_ACL)
    return found(code == errno.EINVAL, words(code))


@claim(
    "M-CLONE-3",
    "Nothing of the System volume can be cloned to the Data volume: EXDEV",
    source="Copying: aoss/xnu bsd/vfs/vfs_syscalls.c",
    judged="clonefile(2)",
)
def not_from_system(context: Context) -> Verdict:
    code = cloned(b"/bin/ls", context.place("scratch", "ls"))
    return found(code == errno.EXDEV, words(code))


@claim(
    "M-CLONE-4",
    "A clone loses setuid",
    source="Copying: aoss/xnu bsd/vfs/vfs_syscalls.c",
    judged="clonefile(2), stat(2)",
)
def without_setuid(context: Context) -> Verdict:
    source, target = context.place("scratch", "setuid"), context.place("scratch", "setuid.clone")
    call_probes.write(source, b"x", 0o4755)
    code = cloned(source, target)
    if code:
        raise NotTriedError(f"a file could not be cloned: {words(code)}")
    mode = stat.S_IMODE(os.lstat(target).st_mode)
    return found(not mode & stat.S_ISUID, f"its mode is {mode:04o}")


@claim(
    "M-CLONE-5",
    "A jail can be created as a clone of another jail on its volume",
    source="Copying: aoss/xnu bsd/vfs/vfs_syscalls.c",
    judged="the role base",
    needs=("jail",),
)
def whole(context: Context) -> Verdict:
    return succeeded(context, "clone", "it was cloned")


@claim(
    "M-LINK-1",
    "The owner, mode, time and flags of a link can be set through a descriptor from O_SYMLINK",
    source="Copying: aoss/xnu; the ledger of differences",
    judged="lstat(2)",
)
def of_a_link(context: Context) -> Verdict:
    wanted = call_probes.Metadata(stat.S_IFLNK | 0o755, 1, 2, 10**18, 0)
    status = call_probes.symlink_status(context.place("scratch", "link"), wanted)
    got = {"owner": (status.st_uid, status.st_gid) == (1, 2), "time": status.st_mtime_ns == 10**18}
    lost = [name for name, right in got.items() if not right]
    return found(not lost, f"not set: {', '.join(lost)}" if lost else "owner and time were set")


@claim(
    "M-SWAP-1",
    "Two directories swap their names in one step, and open files stay the same",
    source="Copying: renamex_np(2)",
    judged="renameatx_np(2)",
)
def exchanged(context: Context) -> Verdict:
    parent = context.place("scratch", "swap")
    call_probes.make_dir(parent)
    try:
        opened, by_path = call_probes.read_after_swap(parent)
    except OSError as exc:
        return found(False, words(exc.errno or 0))
    return found((opened, by_path) == (b"one", b"other"), "they did" if by_path == b"other" else "they did not")
