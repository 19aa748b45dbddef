# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""A host whose volume of jails compares names as APFS does: the FUSE volume of the unit tests over its own.

The program is loaded on the machine, since a host says that it is no Linux, and then moves into the namespaces of
the host, with which it ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.util
import os
import sys
import time
import types
from pathlib import Path

from host.namespaces import CLONE_NEWNS, CLONE_NEWPID
from host.state import HERE, Host, StandinError

JAILS, BEHIND = "/private/var/jails", "/private/var/db/standin/jails"
MS_BIND = 0x1000
PATIENCE = 20.0


def missing() -> str | None:
    return None if importlib.util.find_spec("mfusepy") else "--folding needs mfusepy (tests/requirements/test.txt)"


def serve(host: Host, root: Path) -> None:
    """Mount it in a host whose root is mounted."""
    plain = os.stat(root / JAILS[1:]).st_dev
    spaces = [
        (os.open(f"/proc/{host.pid}/ns/{name}", os.O_RDONLY), kind)
        for name, kind in (("mnt", CLONE_NEWNS), ("pid", CLONE_NEWPID))
    ]
    if not os.fork():
        try:
            _detach(host, [fd for fd, _kind in spaces])
            program = _load()
            _move(spaces)
            if not os.fork():
                program.mount(BEHIND, JAILS)
        finally:
            os._exit(0)
    for fd, _kind in spaces:
        os.close(fd)
    deadline = time.monotonic() + PATIENCE
    while os.stat(root / JAILS[1:]).st_dev == plain:
        if time.monotonic() > deadline:
            raise StandinError(f"{host.name}: its volume was not mounted: see {host.directory}/folding.log")
        time.sleep(0.02)


def _detach(host: Host, kept: list[int]) -> None:
    """Of whoever made the host, whose pipes and locks are not to stay open."""
    os.setsid()
    log = os.open(host.directory / "folding.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open("/dev/null", os.O_RDONLY)
    for fd, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(fd, target)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            with contextlib.suppress(OSError):
                os.close(int(name))


def _load() -> types.ModuleType:
    os.environ["FUSE_LIBRARY_NAME"] = "fuse3"
    sys.path.append(str(HERE.parent / "fixtures"))
    return importlib.import_module("folding_volume")


def _move(spaces: list[tuple[int, int]]) -> None:
    """Into the namespaces of a host; processes that are forked then are in that of its processes, too."""
    libc = ctypes.CDLL(None, use_errno=True)
    for fd, kind in spaces:
        if libc.setns(fd, kind):
            raise OSError(ctypes.get_errno(), "setns")
    os.makedirs(BEHIND, exist_ok=True)
    if libc.mount(JAILS.encode(), BEHIND.encode(), None, MS_BIND, None):
        raise OSError(ctypes.get_errno(), "mount")
