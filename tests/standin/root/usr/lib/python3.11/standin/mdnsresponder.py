# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""mDNSResponder, as programs meet it on its socket: what it takes, what it refuses, in which order it answers.

apple-oss mDNSResponder, mDNSShared/uds_daemon.c: read_msg and request_callback. It reads exactly to the end of the
header, then exactly to the end of the data. A descriptor that comes with less than the last of the data ends the
connection, and so does a request on a shared connection that comes without one, a version other than 1, and more than
70000 bytes.
"""

from __future__ import annotations

import array
import contextlib
import heapq
import itertools
import os
import selectors
import socket
import struct
import time
from collections.abc import Callable

from standin import dnssd
from standin.dnssd import Header, Record

MOST_DATA = 70000
Answer = Callable[[str, int], list[bytes]]
"""The data of all records of a name and kind."""


class RefusedError(Exception):
    """What the daemon writes to its log before it drops the client."""


class Client:
    """One connection: request_state, and the requests that share it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.shared = False
        self.outgoing = b""
        self.error_socket = -1
        self.header, self.data = b"", b""

    def read(self) -> tuple[Header, bytes] | None:
        """The next whole request; None when more is to come. RefusedError, OSError or EOFError: drop the client."""
        if len(self.header) < dnssd.HEADER.size:
            # Plain recv(2): a descriptor that came along is lost.
            self.header += self._some(self.sock.recv(dnssd.HEADER.size - len(self.header)))
            if len(self.header) < dnssd.HEADER.size:
                return None
        header = Header(*dnssd.HEADER.unpack(self.header))
        if header.version != dnssd.VERSION:
            raise RefusedError(f"client version {header.version:#x}")
        if header.length > MOST_DATA:
            raise RefusedError(f"hdr.datalen {header.length} > {MOST_DATA}")
        if len(self.data) < header.length:
            self._read_data(header)
            if len(self.data) < header.length:
                return None
        body = self._body(header)
        self.header, self.data = b"", b""
        return header, body

    def _read_data(self, header: Header) -> None:
        data, ancillary, _flags, _address = self.sock.recvmsg(header.length - len(self.data), socket.CMSG_SPACE(16))
        self.data += self._some(data)
        for level, kind, value in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                self.error_socket, *surplus = array.array("i", value)
                for fd in surplus:
                    os.close(fd)
                if len(self.data) < header.length:
                    raise RefusedError(f"descriptor with {len(self.data)} of {header.length} bytes")

    def _body(self, header: Header) -> bytes:
        """The data of a whole request, without the path of a socket for the error, which only old clients send."""
        if not self.shared or header.operation == dnssd.CANCEL or header.flags & dnssd.NO_ERROR_SOCKET:
            return self.data
        if not self.data.startswith(b"\0"):
            raise RefusedError("couldn't connect to error return path socket")
        if self.error_socket < 0:
            raise RefusedError("failed to get errsd via SCM_RIGHTS")
        return self.data[1:]

    @staticmethod
    def _some(data: bytes) -> bytes:
        if not data:
            raise EOFError
        return data

    def tell(self, error: int) -> None:
        """The error code goes to the socket that came with the request, which is closed then."""
        code = struct.pack(">i", error)
        if self.error_socket < 0:
            self.outgoing += code
            return
        with contextlib.suppress(OSError):
            os.write(self.error_socket, code)
        os.close(self.error_socket)
        self.error_socket = -1

    def close(self) -> None:
        if self.error_socket >= 0:
            os.close(self.error_socket)
            self.error_socket = -1
        self.sock.close()


class Responder:
    """The daemon's loop. `delay` says how long an answer takes, so that answers overtake each other."""

    def __init__(self, listener: socket.socket, answer: Answer, log: Callable[[str], object] = print) -> None:
        self._listener, self._answer, self._log = listener, answer, log
        self.delay: Callable[[], float] = lambda: 0.0
        self.clients: set[Client] = set()
        self._selector = selectors.DefaultSelector()
        self._due: list[tuple[float, int, Client, bytes]] = []
        self._serial = itertools.count()
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        while not until():
            patience = min(1.0, max(0.0, self._due[0][0] - time.monotonic())) if self._due else 1.0
            for key, _events in self._selector.select(patience):
                if key.data is None:
                    self._accept()
                else:
                    self._serve(key.data)
            self._reply()

    def close(self) -> None:
        for client in list(self.clients):
            self._drop(client)
        self._selector.close()

    def _accept(self) -> None:
        try:
            sock, _address = self._listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        client = Client(sock)
        self.clients.add(client)
        self._selector.register(sock, selectors.EVENT_READ, client)

    def _serve(self, client: Client) -> None:
        try:
            with contextlib.suppress(BlockingIOError):
                while True:
                    self._handle(client)
            self._flush(client)
        except RefusedError as error:
            self._log(f"ERROR: {error}")
            self._drop(client)
        except (EOFError, OSError):
            self._drop(client)

    def _handle(self, client: Client) -> None:
        request = client.read()
        if request is None:
            return
        header, body = request
        if header.operation == dnssd.CANCEL:
            self._cancel(client, header.context)
        elif header.operation == dnssd.CONNECTION and not client.shared:
            client.shared = True
            client.tell(dnssd.NO_ERROR)
        elif header.operation == dnssd.QUERY:
            client.tell(self._start(client, header, body))
        else:
            client.tell(dnssd.BAD_PARAMETER)

    def _start(self, client: Client, header: Header, body: bytes) -> int:
        try:
            question = dnssd.parse_query(body)
        except (ValueError, struct.error):
            return dnssd.BAD_PARAMETER
        found = self._answer(question.name, question.kind)
        records = [Record(header.context, dnssd.NO_ERROR, *question, data) for data in found]
        records = records or [Record(header.context, dnssd.NO_SUCH_RECORD, *question, b"")]
        text = dnssd.replies(records)
        heapq.heappush(self._due, (time.monotonic() + self.delay(), next(self._serial), client, text))
        return dnssd.NO_ERROR

    def _cancel(self, client: Client, context: int) -> None:
        """What was not answered yet is not wanted any more."""
        self._due = [due for due in self._due if due[2] is not client or _context(due[3]) != context]
        heapq.heapify(self._due)

    def _reply(self) -> None:
        while self._due and self._due[0][0] <= time.monotonic():
            _moment, _serial, client, text = heapq.heappop(self._due)
            if client in self.clients:
                client.outgoing += text
                try:
                    self._flush(client)
                except OSError:
                    self._drop(client)

    def _flush(self, client: Client) -> None:
        with contextlib.suppress(BlockingIOError):
            while client.outgoing:
                client.outgoing = client.outgoing[client.sock.send(client.outgoing) :]
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.outgoing else 0)
        self._selector.modify(client.sock, events, client)

    def _drop(self, client: Client) -> None:
        self._selector.unregister(client.sock)
        self.clients.discard(client)
        client.close()


def _context(text: bytes) -> int:
    context: int = dnssd.HEADER.unpack_from(text)[4]
    return context
