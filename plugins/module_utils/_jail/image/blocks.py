# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The blocks of a packed layer, by what they were made of, so that those that stay need not be packed again."""

from __future__ import annotations

import binascii
import hashlib
import os
import struct
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

RECORD = struct.Struct(">32sI")
"""A key and the length of the packed block."""


def key_of(*parts: bytes) -> bytes:
    """What a block is known by: a digest of all that its bytes depend on."""
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "big"))
        found.update(part)
    return found.digest()


class Blocks(NamedTuple):
    """Of one blob, one after the other."""

    digest: str
    size: int
    start: int
    """Where the first one is."""
    packed: str
    """Their keys and lengths, as text."""

    @classmethod
    def of(cls, digest: str, size: int, start: int, found: Iterable[tuple[bytes, int]]) -> Blocks:
        packed = b"".join(RECORD.pack(*one) for one in found)
        return cls(digest, size, start, b64encode(packed).decode())

    def places(self) -> dict[bytes, tuple[int, int]]:
        """By key, where each is and how long."""
        places, offset = {}, self.start
        try:
            for key, length in RECORD.iter_unpack(b64decode(self.packed, validate=True)):
                places[key] = offset, length
                offset += length
        except (binascii.Error, struct.error):
            return {}
        return places


class PreviousBlocks:
    """The blocks of a blob that is there, open and sound."""

    def __init__(self, file: BinaryIO, blocks: Blocks) -> None:
        self._file, self._places = file, blocks.places()

    def find(self, key: bytes) -> bytes:
        """The packed block; empty when there is none. Threads ask at the same time."""
        offset, length = self._places.get(key, (0, 0))
        data = os.pread(self._file.fileno(), length, offset) if length else b""
        return data if len(data) == length else b""
