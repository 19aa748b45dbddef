# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that another process has open, by libproc, as lsof(8) shows them with -o.

Both functions answer how many bytes they wrote, and 0 on failure
(apple-oss-distributions/xnu libsyscall/wrappers/libproc/libproc.c).
"""

from __future__ import annotations

import ctypes
import os

# sys/proc_info.h
PROC_PIDLISTFDS, PROC_PIDFDVNODEINFO = 1, 1
PROX_FDTYPE_VNODE = 1
MAX_FILES = 1024


class FdInfo(ctypes.Structure):
    """struct proc_fdinfo."""

    _fields_ = [("proc_fd", ctypes.c_int32), ("proc_fdtype", ctypes.c_uint32)]


class VnodeFdInfo(ctypes.Structure):
    """struct vnode_fdinfo."""

    _fields_ = [
        ("fi_head", ctypes.c_uint32 * 2),
        ("fi_offset", ctypes.c_int64),
        ("fi_tail", ctypes.c_uint32 * 2),
        ("vst_dev", ctypes.c_uint32),
        ("vst_mode", ctypes.c_uint16),
        ("vst_nlink", ctypes.c_uint16),
        ("vst_ino", ctypes.c_uint64),
        ("tail", ctypes.c_uint64 * 17),
    ]


def read_offsets(libc: ctypes.CDLL, pid: int) -> dict[tuple[int, int], int]:
    """By device and inode, how far a process has read each open file."""
    files = (FdInfo * MAX_FILES)()
    size = libc.proc_pidinfo(pid, PROC_PIDLISTFDS, ctypes.c_uint64(0), files, ctypes.sizeof(files))
    if size <= 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    found = {}
    for file in files[: size // ctypes.sizeof(FdInfo)]:
        info = VnodeFdInfo()
        wanted = ctypes.sizeof(info)
        if file.proc_fdtype == PROX_FDTYPE_VNODE and wanted == libc.proc_pidfdinfo(
            pid, file.proc_fd, PROC_PIDFDVNODEINFO, ctypes.byref(info), wanted
        ):
            found[info.vst_dev, info.vst_ino] = info.fi_offset
    return found
