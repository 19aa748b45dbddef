# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done in one directory of the jail."""

from __future__ import annotations

import os
from typing import NamedTuple

from .operation import Operation
from .record import names_line


class Linked(NamedTuple):
    """A file that has several names in the source: links.py sees to it when all are known."""

    path: bytes
    parent: bytes
    name: bytes
    status: os.stat_result


class Decision:
    """What is to be done in one directory, its subdirectories left out."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.own = b""
        """The line of the record for the directory itself."""
        self.lines: dict[bytes, bytes] = {}
        """The lines for what is in it, by name."""
        self.linked: list[Linked] = []
        self.kept: list[tuple[bytes, str]] = []
        """Configuration that is left as the jail has it, and why."""
        self.conflicts: list[tuple[bytes, str]] = []
        """What cannot be made as wanted, and why."""
        self.dropped: list[bytes] = []
        """Directories that leave the record."""

    def block(self) -> bytes:
        """The block of the record that will be true afterwards."""
        names = sorted(self.lines)
        return b"".join((self.own, names_line(names), *(self.lines[name] for name in names)))
