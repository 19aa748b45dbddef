# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The relay as a process of its own, between clients that behave as Libinfo does and a server that refuses what
mDNSResponder refuses."""

from __future__ import annotations

import array
import contextlib
import os
import random
import socket
import stat
import struct
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs import daemon, dns_relay, socket_peer
from dns_relay_mac import PROGRAM, QUICKLY, Mac, address_of
from libinfo import Libinfo, LookupFailedError
from standin import dnssd
from standin.mdnsresponder import Responder
from waiting import until


def descriptors(process: Any) -> int:
    return len(os.listdir(f"/proc/{process.pid}/fd"))


# -- what is carried -----------------------------------------------------------


def test_names_resolve_over_one_connection(mac: Mac, relay: Any) -> None:
    with Libinfo(mac.socket) as program:
        assert [program.address(f"n{number}.test") for number in (1, 258, 70000)] == [
            "0.0.0.1",
            "0.0.1.2",
            "0.1.17.112",
        ]
        with pytest.raises(LookupFailedError, match="-65554"):
            program.address("unknown.test")
        assert program.address("n7.test") == "0.0.0.7"


def test_it_starts_as_launchd_starts_it(mac: Mac, responder: Responder) -> None:
    mac.relay("--mode", "relay", text=PROGRAM)
    until(mac.is_relayed)
    with Libinfo(mac.socket) as program:
        assert program.address("n5.test") == "0.0.0.5"


def test_the_socket_is_open_to_all_and_the_relay_speaks_as_nobody(mac: Mac) -> None:
    if os.geteuid():
        pytest.skip("only root can become nobody")
    listener = mac.listen()
    mac.relay("--mode", "relay")
    until(mac.is_relayed)
    assert stat.S_IMODE(mac.socket.stat().st_mode) == 0o666
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as program:
        program.connect(str(mac.socket))
        peer, _address = listener.accept()
        with peer:
            _pid, uid, _gid = struct.unpack("3I", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    assert uid == dns_relay.NOBODY


def test_requests_that_are_sent_without_waiting_keep_their_descriptors(mac: Mac, relay: Any) -> None:
    """The relay reads several of them at once; each descriptor has to come with its own last byte."""
    with Libinfo(mac.socket) as program:
        pairs = [socket.socketpair() for _number in range(100)]
        for context, (_ours, theirs) in enumerate(pairs, 1):
            request = dnssd.query(context, f"n{context}.test", dnssd.A)
            program.sock.sendall(request[:-1])
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))]
            program.sock.sendmsg([request[-1:]], rights)
            theirs.close()
        for ours, _theirs in pairs:
            ours.settimeout(10)
            assert (ours.recv(5), ours.recv(1)) == (b"\0\0\0\0", b"")
            ours.close()
        found = {record.context: socket.inet_ntoa(record.data) for record in (program.next() for _pair in pairs)}
    assert found == {number: address_of(number) for number in range(1, 101)}


def test_one_byte_at_a_time(mac: Mac, relay: Any) -> None:
    with Libinfo(mac.socket) as program:
        request = dnssd.query(1, "n9.test", dnssd.A)
        for number in range(len(request) - 1):
            program.sock.sendall(request[number : number + 1])
            time.sleep(0.001)
        program.send_with_descriptor(request[-1:])
        assert program.next().data == b"\0\0\0\x09"


@pytest.mark.parametrize("through", ["the server itself", "the relay"])
def test_what_the_server_refuses_is_refused_through_the_relay_too(mac: Mac, relay: Any, through: str) -> None:
    path = mac.server if through == "the server itself" else mac.socket
    request = dnssd.query(1, "n1.test", dnssd.A)
    with Libinfo(path) as program:
        program.sock.sendall(request[:-3])
        with pytest.raises(LookupFailedError):
            program.send_with_descriptor(request[-3:-1])
    with Libinfo(path) as program:
        program.sock.sendall(request)
        assert program.sock.recv(1) == b""
    assert mac.said == [
        f"ERROR: descriptor with {len(request) - 29} of {len(request) - 28} bytes",
        "ERROR: failed to get errsd via SCM_RIGHTS",
    ]


def test_an_unknown_protocol_ends_one_conversation_only(mac: Mac, relay: Any) -> None:
    with Libinfo(mac.socket) as program, Libinfo(mac.socket) as other:
        program.sock.sendall(dnssd.HEADER.pack(2, 0, 0, 1, 0, 0))
        assert program.sock.recv(1) == b""
        assert other.address("n3.test") == "0.0.0.3"
    assert mac.says("a program speaks version 2 of the protocol")


def test_a_server_that_reads_slowly_gets_the_descriptor_with_the_last_byte(mac: Mac) -> None:
    """More than the sockets on the way can hold, so that the relay has to wait and write the rest later."""
    listener = mac.listen()
    mac.relay("--mode", "relay")
    until(mac.is_relayed)
    request = dnssd.message(dnssd.QUERY, 1, os.urandom(69000))
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as program:
        program.connect(str(mac.socket))
        server, _address = listener.accept()
        sender = threading.Thread(target=send_all_with_descriptor, args=(program, request * 20, theirs.fileno()))
        sender.start()
        received, came = read_slowly(server, len(request) * 20)
        sender.join()
        server.close()
    assert received == request * 20
    assert came == [len(request) * 20]


def test_a_descriptor_goes_with_the_last_byte_of_what_it_came_with() -> None:
    """Linux reads the bytes before it in one go with it, and would give it to the other side with the first."""
    source, program = socket.socketpair()
    target, server = socket.socketpair()
    with source, program, target, server:
        send_all_with_descriptor(program, b"request", server.fileno())
        for sock in (source, target):
            sock.setblocking(False)
        dns_relay.Pipe(source, target, None).transfer()
        messages = [server.recvmsg(6, 64), server.recvmsg(6, 64)]
        came = [(data, len(ancillary)) for data, ancillary, _flags, _from in messages]
    assert came == [(b"reques", 0), (b"t", 1)]


def send_all_with_descriptor(sock: socket.socket, data: bytes, fd: int) -> None:
    sock.sendall(data[:-1])
    sock.sendmsg([data[-1:]], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])


def read_slowly(sock: socket.socket, count: int) -> tuple[bytes, list[int]]:
    """What came, and how many bytes there were when descriptors came."""
    received, came = b"", []
    time.sleep(0.3)
    while len(received) < count:
        data, ancillary, _flags, _address = sock.recvmsg(random.choice((1, 100, 5000, 60000)), 64)  # noqa: S311
        received += data
        for _level, _kind, value in ancillary:
            came.append(len(received))
            for fd in array.array("i", value):
                os.close(fd)
    return received, came


def test_a_half_closed_connection_still_brings_the_answer(mac: Mac) -> None:
    listener = mac.listen()
    process = mac.relay("--mode", "relay")
    until(mac.is_relayed)
    before = descriptors(process)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as program:
        program.settimeout(10)
        program.connect(str(mac.socket))
        server, _address = listener.accept()
        with server:
            program.sendall(dnssd.message(dnssd.CONNECTION))
            program.shutdown(socket.SHUT_WR)
            assert server.recv(100) == dnssd.message(dnssd.CONNECTION)
            assert server.recv(100) == b""
            server.sendall(b"the answer")
            assert program.recv(100) == b"the answer"
        assert program.recv(1) == b""
    until(lambda: descriptors(process) == before)


# -- what must not add up ------------------------------------------------------


def test_descriptors_do_not_leak(mac: Mac, relay: Any) -> None:
    before = descriptors(relay)
    for _round in range(10):
        programs = [Libinfo(mac.socket) for _number in range(10)]
        for number, program in enumerate(programs):
            program.address(f"n{number}.test")
        for program in programs[:5]:  # gone in the middle of a request, descriptor included
            program.sock.sendall(dnssd.query(99, "n1.test", dnssd.A)[:30])
            with contextlib.suppress(LookupFailedError):
                program.send_with_descriptor(b"x")
        for program in programs:
            program.sock.close()
    until(lambda: descriptors(relay) == before)


def test_a_client_that_sends_descriptors_and_leaves(mac: Mac, relay: Any) -> None:
    """More of them than the daemon would take, with a request that never becomes whole."""
    before = descriptors(relay)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as program:
        program.connect(str(mac.socket))
        fds = array.array("i", [program.fileno()] * 200)
        program.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        time.sleep(0.2)
    until(lambda: descriptors(relay) == before)


def test_more_programs_than_files_can_be_open(mac: Mac, responder: Responder) -> None:
    limited = QUICKLY.replace("MANY = 10240", "MANY = 24")
    process = mac.relay("--mode", "relay", text=limited)
    until(mac.is_relayed)
    sockets = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _number in range(40)]
    for sock in sockets:
        sock.connect(str(mac.socket))
    time.sleep(0.5)
    assert busy(process) < 50, "it turns in circles"
    for sock in sockets:
        sock.close()
    with Libinfo(mac.socket) as program:
        assert program.address("n4.test") == "0.0.0.4"


def test_idle_connections_keep_nobody_out(mac: Mac, responder: Responder) -> None:
    """Those of one user end when he has too many of them; the others stay, however long they are silent."""
    if os.geteuid():
        pytest.skip("only root can connect as several users")
    process = mac.relay("--mode", "relay", text=QUICKLY.replace("MOST = 512", "MOST = 8"))
    until(mac.is_relayed)
    os.seteuid(dns_relay.NOBODY)
    try:
        patient = Libinfo(mac.socket)
    finally:
        os.seteuid(0)
    with patient, contextlib.ExitStack() as stack:
        assert patient.address("n3.test") == "0.0.0.3"
        for _number in range(40):
            stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)).connect(str(mac.socket))
        with Libinfo(mac.socket) as program:
            assert program.address("n4.test") == "0.0.0.4"
        assert patient.address("n5.test") == "0.0.0.5"
        assert descriptors(process) < 30
    assert mac.says("user 0 has too many connections")


def test_no_program_fills_the_log(mac: Mac, relay: Any) -> None:
    for version in range(2, 200):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as program:
            program.connect(str(mac.socket))
            program.sendall(dnssd.HEADER.pack(version, 0, 0, 1, 0, 0))
            assert program.recv(1) == b""
    assert mac.says("a program speaks version 10 of the protocol")
    assert len(mac.log.read_text().splitlines()) <= daemon.LOG_LINES


def test_what_the_log_lacks_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    journal = daemon.LogOnce()
    for number in range(daemon.LOG_LINES + 5):
        journal.say(f"line {number} {'x' * 5000}")
    now += daemon.LOG_PERIOD
    journal.say("news")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == daemon.LOG_LINES + 2
    assert max(map(len, lines)) < daemon.LOG_LENGTH + 30
    assert "5 more lines were left out" in lines[-2]
    assert lines[-1].endswith(" news")


def test_who_connected_as_macos_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """struct xucred: version, uid, number of groups, 16 groups (xnu bsd/sys/ucred.h)."""
    monkeypatch.delattr(socket, "SO_PEERCRED", raising=False)

    class Client:
        def getsockopt(self, level: int, name: int, size: int) -> bytes:
            assert (level, name) == (0, 1)
            answer = struct.pack("IIh2x16I", 0, 501, 2, 20, 12, *[0] * 14)
            assert len(answer) == size
            return answer

    assert socket_peer.peer_uid(Client()) == 501  # type: ignore[arg-type]


def busy(process: Any) -> int:
    """Hundredths of a second of processor time, within a second."""

    def ticks() -> int:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    time.sleep(1)
    return ticks() - before
