# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets one process at a time do something."""

from __future__ import annotations

import os


class PipeMutex:
    """Made before processes are forked; each enters it when it is alone.

    One that dies in it keeps the others out for good: when a worker dies its
    parent ends all of them.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.write(self._write, b".")

    def __enter__(self) -> None:
        os.read(self._read, 1)

    def __exit__(self, *_exc: object) -> None:
        os.write(self._write, b".")

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)
