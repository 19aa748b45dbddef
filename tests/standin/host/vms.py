# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""Virtual machines of a host: its `tart` asks for them over a socket, and they are hosts beside it, called HOST-VM.

A machine runs as long as the connection that asked for it is open, as the real one does with its `tart run`.
The server goes when its host is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
from pathlib import Path
from typing import Any

from host import lifecycle
from host.state import Host, StandinError, load

SOCKET = "private/var/db/standin/vms.sock"
TICK = 0.5


def serve(host: Host, root: Path) -> None:
    """Start the server of a host whose root is mounted."""
    path = root / SOCKET
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o666)
    listener.listen(16)
    if os.fork():
        listener.close()
        return
    try:
        _detach(host)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while host.running():
            if select.select([listener], [], [], TICK)[0]:
                connection = listener.accept()[0]
                if not os.fork():
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    listener.close()
                    _answer(host, connection)
                    os._exit(0)
                connection.close()
    finally:
        os._exit(0)


def _detach(host: Host) -> None:
    """Of whoever made the host, whose pipes and locks are not to stay open."""
    os.setsid()
    log = os.open(host.directory / "vms.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open("/dev/null", os.O_RDONLY)
    for fd, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(fd, target)
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if int(name) > 2 and not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                os.close(int(name))


def _answer(host: Host, connection: socket.socket) -> None:
    with connection:
        request = json.loads(connection.makefile().readline())
        name = f"{host.name}-{request['vm']}"
        try:
            if request["verb"] == "delete":
                lifecycle.destroy(name)
                _say(connection, {})
                return
            machine = lifecycle.create(name, "arm64", request["macos"], "m1-vm", request["sip"])
            _say(connection, {"address": machine.address})
            _wait(host, connection)
            lifecycle.halt(name)
        except StandinError as error:
            _say(connection, {"error": str(error)})


def _wait(host: Host, connection: socket.socket) -> None:
    """Until the other side closes, or its host, or the machine, is gone."""
    while host.running() and load(host.name):
        if select.select([connection], [], [], TICK)[0] and not connection.recv(1):
            return


def _say(connection: socket.socket, what: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(what).encode() + b"\n")
