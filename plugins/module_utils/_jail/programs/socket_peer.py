# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is at the other end of a Unix socket.

It is put into one file with the DNS relay (bundle.py), and needs nothing but Python's standard library.
"""

from __future__ import annotations

import socket
import struct

# macOS: struct xucred begins with its version and the uid (xnu bsd/sys/ucred.h, bsd/sys/un.h). Linux: the pid and it.
SOL_LOCAL, LOCAL_PEERCRED, XUCRED = 0, 1, 76
CREDENTIALS = struct.Struct("iI")


def peer_uid(client: socket.socket) -> int:
    """Who connected; -1 when that is not known, as of one that is gone."""
    try:
        if hasattr(socket, "SO_PEERCRED"):
            return int(CREDENTIALS.unpack_from(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1])
        return int(CREDENTIALS.unpack_from(client.getsockopt(SOL_LOCAL, LOCAL_PEERCRED, XUCRED))[1])
    except OSError:
        return -1
