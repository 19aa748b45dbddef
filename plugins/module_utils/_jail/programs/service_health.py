# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a service works: an HTTP address that answers, a TCP port that accepts, or a program that ends with 0.

A jail shares the network of its Mac, so the first two are asked from outside of the jail. The address comes from the
inventory; what the service answers is data: one line of it is read.

It is put into one file with the supervisor (bundle.py), and needs nothing but Python's standard library.
"""

from __future__ import annotations

import errno
import math
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

MOST = 4096
"""Bytes of an answer that are read for its first line."""
SOON = 1.0
"""Seconds between the checks of a program that just started."""
GOOD = range(200, 400)
"""Status codes of HTTP that are healthy. No redirection is followed."""
END_SECONDS = 2.0
"""How long to wait for the end of a check that is given up."""


def http_problem(url: str, timeout: float) -> str:
    """Why an address gives no good answer within the timeout in seconds; empty when it does."""
    host, port, path = http_address(url)
    deadline = time.monotonic() + timeout
    try:
        with _connected(host, port, deadline) as sock:
            name = f"[{host}]" if ":" in host else host
            sock.sendall(f"GET {path} HTTP/1.0\r\nHost: {name}:{port}\r\nUser-Agent: darwin.jail\r\n\r\n".encode())
            line = _first_line(sock, deadline)
    except OSError as exc:
        return f"{url}: {exc.strerror or exc}"
    words = line.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        return f"{url}: the answer is not HTTP"
    return "" if int(words[1]) in GOOD else f"{url}: status {int(words[1])}"


def http_address(url: str) -> tuple[str, int, str]:
    """Host, port and path of an address such as http://127.0.0.1:8080/health; ValueError when it is not one."""
    scheme, colon, rest = url.partition("://")
    if not colon or scheme.lower() != "http":
        raise ValueError("give an address that begins with http://")
    place, slash, path = rest.partition("/")
    host, colon, port = place.rpartition(":") if not place.endswith("]") else (place, "", "")
    host, number = (host, int(port) if port.isdecimal() else 0) if colon else (place, 80)
    if not host or "@" in host or not 0 < number < 65536 or any(ord(char) <= 32 or ord(char) > 126 for char in rest):
        raise ValueError("give a host, a port and a path without blanks, and no user")
    return host.strip("[]"), number, slash + path or "/"


def _first_line(sock: socket.socket, deadline: float) -> bytes:
    data = b""
    while b"\n" not in data and len(data) < MOST:
        sock.settimeout(max(deadline - time.monotonic(), 0.001))
        more = sock.recv(MOST - len(data))
        if not more:
            break
        data += more
    return data.split(b"\n", 1)[0]


def _connected(host: str, port: int, deadline: float) -> socket.socket:
    """A connection to the first address of a host that accepts one before the deadline."""
    failure = OSError(errno.ETIMEDOUT, "timed out")
    for family, kind, protocol, _name, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(max(deadline - time.monotonic(), 0.001))
            sock.connect(address)
            return sock
        except OSError as exc:
            sock.close()
            failure = exc
    raise failure


def tcp_problem(port: int, timeout: float) -> str:
    """Why nothing accepts connections on a port of this Mac; empty when something does."""
    try:
        _connected("localhost", port, time.monotonic() + timeout).close()
    except OSError as exc:
        return f"port {port}: {exc.strerror or exc}"
    return ""


def command_problem(start: Callable[[], Any], timeout: float) -> str:
    """Why a program in the jail is not content; empty when it ends with 0. `start` starts it in a group of its own.

    What it leaves in this group is ended.
    """
    process, rc = start(), None
    with suppress(subprocess.TimeoutExpired):
        rc = process.wait(timeout)
    kill_group(process.pid)
    if rc is None:
        process.wait()
        return f"the command still runs after {timeout:g} seconds"
    if not rc:
        return ""
    return f"the command ended with {'signal' if rc < 0 else 'exit code'} {abs(rc)}"


def kill_group(leader: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def problem(health: dict[str, Any], start: Callable[[], Any]) -> str:
    """Why a service is not healthy; empty when it is."""
    timeout = health["timeout"]
    if health.get("http"):
        return http_problem(health["http"], timeout)
    if health.get("tcp"):
        return tcp_problem(health["tcp"], timeout)
    return command_problem(start, timeout)


class HealthCheck:
    """The health of the program that runs. A thread of its own asks, so that nothing waits for an answer."""

    def __init__(self, spec: dict[str, Any], start: Callable[[], Any], wake: Callable[[], None]) -> None:
        """`spec` has http, tcp or command, interval and timeout in seconds, and retries. An answer calls `wake`."""
        self._spec, self._start, self._wake = spec, start, wake
        self._soon = min(SOON, spec["interval"])
        self._next = time.monotonic() + self._soon
        self._counted = time.monotonic()
        self._answer: list[str] = []
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._is_ended = False
        self._process: Any = None
        self.failures = 0
        """In a row."""
        self.was_healthy = False
        """Whether there was a good answer."""
        self.message = ""
        self.state = "unknown"
        """unknown before the first good answer, then healthy or unhealthy."""

    def seconds(self) -> float:
        """Seconds until the next check is due. While one is on its way, its answer wakes who waits."""
        return math.inf if self._thread else float(self._next - time.monotonic())

    def start_when_due(self) -> None:
        if self._thread is None and time.monotonic() >= self._next:
            self._thread = threading.Thread(target=self._check, daemon=True)
            self._thread.start()

    def _check(self) -> None:
        try:
            answer = problem(self._spec, self._start_command)
        except Exception as exc:  # noqa: BLE001 (a check that cannot be made is one that failed)
            answer = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
        self._process = None
        self._answer.append(answer)
        self._wake()

    def _start_command(self) -> Any:
        with self._starting:
            if self._is_ended:
                raise OSError(errno.ECANCELED, "the service ends")
            self._process = process = self._start()
        if self._is_ended:  # meanwhile, and nobody waited so long
            kill_group(process.pid)
        return process

    def end(self) -> None:
        """End the program of a check, and start none any more. It is not in the process group of the service."""
        self._is_ended = True
        if self._starting.acquire(timeout=END_SECONDS):
            self._starting.release()
        process = self._process
        if process and process.returncode is None:
            kill_group(process.pid)
            if self._thread:
                self._thread.join(END_SECONDS)

    def take_answer(self) -> bool:
        """Take the answer of a check; whether there was one.

        A program needs time to start: until the first good answer it is asked often, and failures count once an
        interval.
        """
        if self._thread is None or not self._answer:
            return False
        self._thread.join()
        self._thread, self.message = None, self._answer.pop()
        now = time.monotonic()
        if not self.message:
            self.state, self.failures, self.was_healthy = "healthy", 0, True
        elif self.state != "unknown" or now - self._counted >= self._spec["interval"]:
            self.failures += 1
            self._counted = now
            if self.failures >= self._spec["retries"]:
                self.state = "unhealthy"
        self._next = now + (self._soon if self.state == "unknown" else self._spec["interval"])
        return True
