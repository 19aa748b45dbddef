# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""What programs and mDNSResponder say to each other over its socket, as far as looking up names needs it.

Every request and every reply has a header that tells how much follows (apple-oss mDNSResponder, mDNSShared/dnssd_ipc.h,
dnssd_clientstub.c, uds_daemon.c).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

HEADER = struct.Struct(">IIIIQI")
VERSION = 1
NO_ERROR_SOCKET = 4  # IPC_FLAGS_NOERRSD
CONNECTION, QUERY, CANCEL = 1, 8, 63
QUERY_REPLY = 68
A, AAAA, IN = 1, 28, 1
SHARE_CONNECTION, RETURN_INTERMEDIATES, TIMEOUT = 0x4000, 0x1000, 0x10000
MORE_COMING, ADD = 1, 2  # kDNSServiceFlags: another reply follows at once; the record is there
NO_ERROR, BAD_PARAMETER, NO_SUCH_RECORD = 0, -65540, -65554


class Header(NamedTuple):
    version: int
    length: int
    flags: int
    operation: int
    context: int
    serial: int = 0


class Question(NamedTuple):
    name: str
    kind: int


class Record(NamedTuple):
    """What comes back for a question."""

    context: int
    error: int
    name: str
    kind: int
    data: bytes


def message(operation: int, context: int = 0, body: bytes = b"", flags: int = 0) -> bytes:
    return HEADER.pack(VERSION, len(body), flags, operation, context, 0) + body


def query(context: int, name: str, kind: int) -> bytes:
    """DNSServiceQueryRecord on a shared connection: an empty path first, for the descriptor that is to come."""
    flags = SHARE_CONNECTION | RETURN_INTERMEDIATES | TIMEOUT
    body = b"\0" + struct.pack(">II", flags, 0) + name.encode() + b"\0" + struct.pack(">HH", kind, IN)
    return message(QUERY, context, body)


def parse_query(body: bytes) -> Question:
    """ValueError or struct.error when it is cut short. The empty path is gone already."""
    name, rest = body[8:].split(b"\0", 1)
    kind, _class = struct.unpack(">HH", rest[:4])
    return Question(name.decode(), kind)


def replies(records: list[Record]) -> bytes:
    return b"".join(_reply(record, more=record is not records[-1]) for record in records)


def _reply(record: Record, more: bool) -> bytes:
    flags = (ADD if record.error == NO_ERROR else 0) | (MORE_COMING if more else 0)
    body = struct.pack(">IIi", flags, 0, record.error) + record.name.encode() + b"\0"
    body += struct.pack(">HHH", record.kind, IN, len(record.data)) + record.data + struct.pack(">I", 60)
    return message(QUERY_REPLY, record.context, body)


def parse_reply(header: Header, body: bytes) -> Record:
    _flags, _interface, error = struct.unpack_from(">IIi", body)
    name, rest = body[12:].split(b"\0", 1)
    kind, _class, length = struct.unpack_from(">HHH", rest)
    return Record(header.context, error, name.decode(), kind, rest[6 : 6 + length])
