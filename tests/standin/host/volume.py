# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""The volume of a host's jails: XFS with reflinks in a sparse file, where loop devices work."""

from __future__ import annotations

import os

from host.shell import run
from host.state import Host, StandinError

SIZE = 8 << 30


def make(host: Host) -> str:
    """xfs, or the reason why the jails lie on the host's own file system."""
    image = host.directory / "jails.xfs"
    if image.exists():
        return "xfs"
    if not os.path.exists("/dev/loop-control"):
        return "plain: no loop devices here"
    with open(image, "wb") as handle:
        handle.truncate(SIZE)
    try:
        run("mkfs.xfs", "-q", "-m", "reflink=1", str(image))
        run("losetup", "-f")
    except StandinError as error:
        image.unlink()
        return f"plain: {error}"
    return "xfs"
