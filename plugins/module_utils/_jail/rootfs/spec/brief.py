# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of one file of many."""

from __future__ import annotations

from typing import Any, NamedTuple

MANY = 4096
"""Files of one directory beyond which less is kept of each."""


class Brief(NamedTuple):
    """What is kept of a status where there are many: os.stat_result takes 0.6 kB, and this 0.25."""

    st_mode: int
    st_uid: int
    st_gid: int
    st_size: int
    st_mtime_ns: int
    st_flags: int
    st_nlink: int
    st_dev: int
    st_ino: int
    st_blocks: int
    st_rdev: int

    @classmethod
    def of(cls, status: Any, known: dict[int, int]) -> Brief:
        """`known` has one object for each number that many have."""
        return cls(
            known.setdefault(status.st_mode, status.st_mode),
            known.setdefault(status.st_uid, status.st_uid),
            known.setdefault(status.st_gid, status.st_gid),
            status.st_size,
            status.st_mtime_ns,
            getattr(status, "st_flags", 0),
            status.st_nlink,
            known.setdefault(status.st_dev, status.st_dev),
            status.st_ino,
            status.st_blocks,
            status.st_rdev,
        )
