# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""The directory that confstr(3) names for a user: apple-oss Libc 997.90.3, darwin/_dirhelper.c."""

from __future__ import annotations

ALPHABET = "0123456789_bcdfghjklmnpqrstvwxyz"
LEAVES = {"DARWIN_USER_DIR": ("0", 0o755), "DARWIN_USER_TEMP_DIR": ("T", 0o700), "DARWIN_USER_CACHE_DIR": ("C", 0o700)}


def user_directory(uuid: str, uid: int) -> str:
    """20 bytes, UUID and big-endian uid, read as 32 groups of 5 bits."""
    number = int(uuid.replace("-", ""), 16) << 32 | uid & 0xFFFFFFFF
    name = "".join(ALPHABET[number >> shift & 31] for shift in range(155, -1, -5))
    return f"/var/folders/{name[:2]}/{name[2:]}"
