# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The other end of a Unix socket: connect to it, and find its user.

bundle.py puts it into one file with the DNS relay.
"""

from __future__ import annotations

import errno
import socket
import struct
import time

# macOS: struct xucred begins with its version and the uid (xnu bsd/sys/ucred.h, bsd/sys/un.h). Linux: the pid and it.
SOL_LOCAL, LOCAL_PEERCRED, XUCRED = 0, 1, 76
CREDENTIALS = struct.Struct("iI")
TRIES, PAUSE = 20, 0.01
"""How often to try to reach a server whose queue is full, and the seconds in between."""
TIMEOUT = 2.0
# Of a full queue macOS says the first (xnu bsd/kern/uipc_usrreq.c), Linux the second.
QUEUE_FULL = (errno.ECONNREFUSED, errno.EAGAIN)


def peer_uid(client: socket.socket) -> int:
    """The uid of the client; -1 when it is unknown, for example after it is gone."""
    try:
        if hasattr(socket, "SO_PEERCRED"):
            return int(CREDENTIALS.unpack_from(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1])
        return int(CREDENTIALS.unpack_from(client.getsockopt(SOL_LOCAL, LOCAL_PEERCRED, XUCRED))[1])
    except OSError:
        return -1


def connect_with_retry(address: str) -> socket.socket:
    """Connect to a server, whose queue may be full for a moment."""
    for more in reversed(range(TRIES)):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(TIMEOUT)
        try:
            sock.connect(address)
            break
        except OSError as exc:
            sock.close()
            if not more or exc.errno not in QUEUE_FULL:
                raise
            time.sleep(PAUSE)
    return sock
