# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Health checks against real servers."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.service_health import (
    HealthCheck,
    command_problem,
    http_address,
    http_problem,
    tcp_problem,
)
from waiting import until


@contextmanager
def server(answer: bytes, pause: float = 0) -> Iterator[int]:
    """A server that says one thing to everybody, a byte at a time when there is a pause."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _address = listener.accept()
            except OSError:
                return
            with client:
                try:
                    client.recv(1000)
                    for byte in [answer] if not pause else [answer[n : n + 1] for n in range(len(answer))]:
                        client.sendall(byte)
                        time.sleep(pause)
                except OSError:
                    pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nyes", ""),
        (b"HTTP/1.0 302 Found\r\n\r\n", ""),
        (b"HTTP/1.1 503 Busy\r\n\r\n", "status 503"),
        (b"SSH-2.0-OpenSSH\r\n", "the answer is not HTTP"),
        (b"", "the answer is not HTTP"),
        (b"x" * 100_000, "the answer is not HTTP"),
        (b"HTTP/1.1 2\xc2\xb200 OK\r\n", "the answer is not HTTP"),
    ],
)
def test_an_address_is_healthy_when_it_answers_well(answer: bytes, problem: str) -> None:
    with server(answer) as port:
        url = f"http://127.0.0.1:{port}/health"
        assert http_problem(url, 5) == (problem and f"{url}: {problem}")


def test_a_slow_answer_ends_at_the_timeout() -> None:
    with server(b"HTTP/1.1 200 OK\r\n\r\n", pause=0.2) as port:
        start = time.monotonic()
        assert "timed out" in http_problem(f"http://127.0.0.1:{port}/", 0.5)
        assert time.monotonic() - start < 2


def test_a_port_is_healthy_when_it_accepts() -> None:
    with server(b"") as port:
        assert tcp_problem(port, 2) == ""
    assert "refused" in tcp_problem(port, 2)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://127.0.0.1:8080/a?b=c", ("127.0.0.1", 8080, "/a?b=c")),
        ("http://localhost", ("localhost", 80, "/")),
        ("http://[::1]:99/x", ("::1", 99, "/x")),
        ("http://[::1]/x", ("::1", 80, "/x")),
    ],
)
def test_an_address_has_host_port_and_path(url: str, found: tuple[str, int, str]) -> None:
    assert http_address(url) == found


@pytest.mark.parametrize(
    "url",
    [
        "https://x/",
        "http://",
        "http://h:0/",
        "http://h:x/",
        "http://h/ a",
        "http://h/\r\nX: y",
        "h:80",
        "http://h:70000/",
        "http://h:\u00b2/",
        "http://user:password@h/",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"give an? "):
        http_address(url)


@pytest.mark.parametrize(("text", "problem"), [("exit 0", ""), ("exit 2", "exit code 2"), ("kill -9 $$", "signal 9")])
def test_a_command_is_healthy_when_it_ends_with_0(text: str, problem: str) -> None:
    found = command_problem(lambda: subprocess.Popen(["sh", "-c", text], start_new_session=True), 5)
    assert problem in found
    assert bool(problem) == bool(found)


def test_a_command_that_hangs_is_ended_with_its_children() -> None:
    started: list[Any] = []

    def start() -> Any:
        started.append(subprocess.Popen(["sh", "-c", "sleep 61 & sleep 60"], start_new_session=True))
        return started[0]

    assert command_problem(start, 0.3) == "the command still runs after 0.3 seconds"
    assert started[0].returncode == -9


def test_the_health_is_unknown_until_the_first_good_answer() -> None:
    answers = iter(["no", "no", "", "no", "no"])

    def start() -> Any:
        return subprocess.Popen(["sh", "-c", f"exit {int(bool(next(answers)))}"], start_new_session=True)

    awake = threading.Event()
    check = HealthCheck({"command": [], "interval": 0.05, "timeout": 1, "retries": 2, "http": None}, start, awake.set)
    seen = []
    for _number in range(5):
        until(lambda: check.seconds() <= 0)
        check.start_when_due()
        assert awake.wait(5)
        until(check.take_answer)
        awake.clear()
        seen.append((check.state, check.failures))
    assert seen[2:] == [("healthy", 0), ("healthy", 1), ("unhealthy", 2)]
    assert seen[0][0] == "unknown"


def test_nothing_turns_in_a_loop_while_a_check_takes_longer_than_it_may() -> None:
    """Starting its program, or finding the address of a name, has no timeout."""
    go_on, awake = threading.Event(), threading.Event()

    def start() -> Any:
        go_on.wait(30)
        return subprocess.Popen(["true"], start_new_session=True)

    check = HealthCheck({"command": [], "interval": 0.05, "timeout": 0.1, "retries": 2, "http": None}, start, awake.set)
    until(lambda: check.seconds() <= 0)
    check.start_when_due()
    time.sleep(1.3)
    assert check.seconds() > 1
    go_on.set()
    assert awake.wait(30)
    assert check.take_answer()
    assert check.state == "healthy"
