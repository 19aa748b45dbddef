# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user at the other end of a Unix socket.

bundle.py puts it into one file with the DNS relay.
"""

from __future__ import annotations

import socket
import struct

# macOS: struct xucred begins with its version and the uid (xnu bsd/sys/ucred.h, bsd/sys/un.h). Linux: the pid and it.
SOL_LOCAL, LOCAL_PEERCRED, XUCRED = 0, 1, 76
CREDENTIALS = struct.Struct("iI")


def peer_uid(client: socket.socket) -> int:
    """The uid of the client; -1 when it is unknown, for example after it is gone."""
    try:
        if hasattr(socket, "SO_PEERCRED"):
            return int(CREDENTIALS.unpack_from(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1])
        return int(CREDENTIALS.unpack_from(client.getsockopt(SOL_LOCAL, LOCAL_PEERCRED, XUCRED))[1])
    except OSError:
        return -1
