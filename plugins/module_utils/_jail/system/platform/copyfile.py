# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""fcopyfile(3) without the extended attributes that belong to the Mac.

It copies data and attributes in one call, without which HFS compression is
lost, and asks a function about each attribute: `skip` for one of the Mac's,
`continue` where one is refused. Without that function a refusal ends the call
before any data is copied (apple-oss-distributions/copyfile copyfile.c,
copyfile_xattr).
"""

from __future__ import annotations

import ctypes
import errno
import os

from .base import is_local_xattr

# copyfile.h
COPYFILE_STATE_STATUS_CB, COPYFILE_STATE_COPIED, COPYFILE_STATE_XATTRNAME = 6, 8, 9
COPYFILE_COPY_DATA, COPYFILE_COPY_XATTR = 4, 5
COPYFILE_START, COPYFILE_ERR, COPYFILE_PROGRESS = 1, 3, 4
COPYFILE_CONTINUE, COPYFILE_SKIP, COPYFILE_QUIT = 0, 1, 2

REFUSED = (errno.EPERM, errno.EACCES)
HOLD_THE_DATA = (b"com.apple.decmpfs", b"com.apple.ResourceFork")
"""What a compressed file is in: without one of them the copy would be an empty file."""

GROWTH = 64 << 20
"""Bytes that a file may grow while it is copied. It is read to its end, and one that grows fast would have none."""

Callback = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_void_p,
    use_errno=True,
)


class CopyFile:
    """Calls it."""

    def __init__(self, libc: ctypes.CDLL) -> None:
        self._libc = libc
        self._callback = Callback(self._answer)
        self._error = 0
        """Why the copy was ended, which its own answer does not say: that is ECANCELED."""
        self._limit = 0

    def copy(self, source: int, target: int, what: int) -> None:
        """Copy `what` (COPYFILE_DATA and others) from one open file to another."""
        lib = self._libc
        lib.copyfile_state_alloc.restype = ctypes.c_void_p
        state = ctypes.c_void_p(lib.copyfile_state_alloc())
        if not state:
            raise MemoryError
        self._error, self._limit = 0, os.fstat(source).st_size + GROWTH
        try:
            lib.copyfile_state_set(state, ctypes.c_uint32(COPYFILE_STATE_STATUS_CB), self._callback)
            if lib.fcopyfile(source, target, state, ctypes.c_uint32(what)) < 0:
                code = self._error or ctypes.get_errno()
                grew = code == errno.EFBIG and code == self._error
                raise OSError(code, f"it grew by {GROWTH >> 20} MB while it was copied" if grew else os.strerror(code))
        finally:
            lib.copyfile_state_free(state)

    def _answer(self, what: int, stage: int, state: int, _source: bytes, _target: bytes, _context: int) -> int:
        """What to do at this stage; errno is that of what failed."""
        if stage == COPYFILE_ERR:
            code = ctypes.get_errno()
            if what == COPYFILE_COPY_XATTR and code in REFUSED and self._name(state) not in HOLD_THE_DATA:
                return COPYFILE_CONTINUE
            self._error = code
            return COPYFILE_QUIT
        if what == COPYFILE_COPY_DATA and stage == COPYFILE_PROGRESS and self._copied(state) > self._limit:
            self._error = errno.EFBIG
            return COPYFILE_QUIT
        if what == COPYFILE_COPY_XATTR and stage == COPYFILE_START and is_local_xattr(os.fsdecode(self._name(state))):
            return COPYFILE_SKIP
        return COPYFILE_CONTINUE

    def _copied(self, state: int) -> int:
        count = ctypes.c_int64()
        self._libc.copyfile_state_get(
            ctypes.c_void_p(state), ctypes.c_uint32(COPYFILE_STATE_COPIED), ctypes.byref(count)
        )
        return count.value

    def _name(self, state: int) -> bytes:
        name = ctypes.c_char_p()
        self._libc.copyfile_state_get(
            ctypes.c_void_p(state), ctypes.c_uint32(COPYFILE_STATE_XATTRNAME), ctypes.byref(name)
        )
        return name.value or b""
