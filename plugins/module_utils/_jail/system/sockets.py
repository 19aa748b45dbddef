# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets below a root, reached without following a link.

A socket's address takes no directory descriptor and at most 104 bytes, so the connection is made in the directory of
the socket.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from ..dirfd import working_directory
from .rooted import Root

TIMEOUT = 2.0


@contextmanager
def connected(root: Root, rel: bytes, timeout: float = TIMEOUT) -> Iterator[socket.socket]:
    """Connect to a socket for the block; OSError when nobody accepts in time."""
    with root.holder(rel) as (fd, name), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        with working_directory(fd):
            sock.connect(name)
        yield sock


def connect_error(root: Root, rel: bytes) -> str:
    """Why a connection to a socket fails; empty when it succeeds."""
    try:
        with connected(root, rel):
            return ""
    except OSError as exc:
        return exc.strerror or str(exc)


def request_reply(root: Root, rel: bytes, request: bytes, size: int, timeout: float) -> bytes:
    """The reply to a request, at most `size` bytes; shorter when the other side closes the connection."""
    data = b""
    with connected(root, rel, timeout) as sock:
        try:
            sock.sendall(request)
            while len(data) < size and (more := sock.recv(size - len(data))):
                data += more
        except ConnectionError:
            pass
    return data
