# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths that no entry, image or task may name: the state of a jail, and the directories of a system.

Every spelling that any file system takes for theirs is protected on all volumes, so that nothing depends on how a
volume compares names.
"""

from __future__ import annotations

import stat

from .system.volume_names import fold_more

STATE = b"private/var/db/darwin.jail"
"""Where the collection keeps its own files in a jail."""
LEADING = frozenset(b"/".join(STATE.split(b"/")[:count]) for count in range(STATE.count(b"/") + 1))
"""The root of a jail, and the other directories that the state lies in."""

# Directories that belong to a system and can never become, or be removed as, a jail.
SYSTEM = frozenset(
    fold_more(b"/" + name)
    for name in b"""Applications Library Network System Users Volumes bin boot cores dev etc home lib
    lib64 opt private private/etc private/tmp private/var private/var/db private/var/folders
    private/var/root private/var/run private/var/tmp proc root run sbin srv sys tmp usr usr/bin usr/lib
    usr/libexec usr/local usr/sbin usr/share var""".split()
)


def is_state(path: bytes) -> bool:
    """Whether a path of a jail is the state directory, or lies in it."""
    folded = path.lower() if path.isascii() else fold_more(path)
    return folded.startswith(STATE) and folded[len(STATE) : len(STATE) + 1] in (b"", b"/")


def leads_to_state(path: bytes) -> bool:
    """Whether a path of a jail is its root, or another directory that the state lies in."""
    return (path.lower() if path.isascii() else fold_more(path)) in LEADING


def guards_state(path: bytes) -> bool:
    """Whether a directory of a jail is the state directory, or one that leads to it."""
    if path.count(b"/") > STATE.count(b"/"):  # all spellings of a path have the same number
        return False
    folded = path.lower() if path.isascii() else fold_more(path)
    return folded in LEADING or folded == STATE


def is_safe_guard(mode: int, uid: int) -> bool:
    """Whether only root can replace what is in such a directory."""
    return uid == 0 and bool(not mode & 0o022 or mode & stat.S_ISVTX)


def safe_mode(mode: int) -> int:
    """The mode nearest to the wanted one with which only root can replace what is in such a directory."""
    return mode if is_safe_guard(mode, 0) else mode & ~0o022


def is_system_directory(path: bytes) -> bool:
    """Whether a path of the Mac is a directory that belongs to the system, or lies in /System."""
    folded = fold_more(path)
    return folded == b"/" or folded in SYSTEM or folded.startswith(b"/system/")


def is_home(path: bytes) -> bool:
    """Whether a path of the Mac is a home directory."""
    return fold_more(path).rpartition(b"/")[0] == b"/users"
