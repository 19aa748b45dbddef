# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""Ask a service of the host over its abstract socket, which a chroot does not touch."""

from __future__ import annotations

import json
import socket
from typing import Any

OPENDIRECTORYD = "com.apple.system.opendirectoryd"
DIRHELPER = "com.apple.bsd.dirhelper"
LAUNCHD = "com.apple.xpc.launchd"


def ask(name: str, question: str, timeout: float = 60.0) -> str:
    """Send one line, return the whole answer. OSError when nobody answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        sock.connect("\0" + name)
        sock.sendall(question.encode() + b"\n")
        parts = []
        while part := sock.recv(65536):
            parts.append(part)
    return b"".join(parts).decode()


def call(service: str, /, **request: Any) -> dict[str, Any]:
    """The same with an object each way."""
    answer: dict[str, Any] = json.loads(ask(service, json.dumps(request)))
    return answer
