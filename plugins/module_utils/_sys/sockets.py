# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets below a root, reached without following a link."""

from __future__ import annotations

import os
import socket

from .paths import DIRECTORY
from .rooted import Root

PATIENCE = 2.0


def refusal(root: Root, rel: bytes) -> str:
    """Why nobody answers at a socket; nothing when somebody does.

    A socket's address takes no directory descriptor and 104 bytes at most, so
    it is reached from the directory that holds it.
    """
    here = os.open(".", DIRECTORY)
    try:
        with root.holder(rel) as (fd, name), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            os.fchdir(fd)
            sock.settimeout(PATIENCE)
            sock.connect(name)
    except OSError as exc:
        return exc.strerror or str(exc)
    finally:
        os.fchdir(here)
        os.close(here)
    return ""
