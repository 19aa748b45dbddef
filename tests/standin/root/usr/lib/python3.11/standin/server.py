# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""A service on an abstract socket: one line in, one answer out."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from standin.peer import Peer, peer_of

LONGEST_QUESTION = 1 << 20


def listen(name: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind("\0" + name)
    sock.listen(128)
    return sock


def serve(name: str, answer: Callable[[str, Peer], str]) -> None:
    """Answer for ever; one question at a time, so that answers need no locks."""
    lock = threading.Lock()
    listener = listen(name)
    while True:
        connection, _address = listener.accept()
        threading.Thread(target=_handle, args=(connection, answer, lock), daemon=True).start()


def _handle(connection: socket.socket, answer: Callable[[str, Peer], str], lock: threading.Lock) -> None:
    with connection, contextlib.suppress(OSError):
        connection.settimeout(5)
        question = read_line(connection)
        if question is None:
            return
        with lock:
            text = answer(question, peer_of(connection))
        connection.sendall(text.encode())


def read_line(connection: socket.socket) -> str | None:
    """The line without its newline; None when the other side left or never stopped."""
    received = b""
    while not received.endswith(b"\n"):
        part = connection.recv(65536)
        if not part or len(received) > LONGEST_QUESTION:
            return None
        received += part
    return received[:-1].decode("utf-8", "surrogateescape")
