# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""What the machine itself needs before a host can be made."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import sys

from host import lower, network
from host.shell import run
from host.state import StandinError, checkout_directory, locked, state_directory

# Debian package -> a file that proves it.
PACKAGES = {
    "mmdebstrap": "/usr/bin/mmdebstrap",
    "debian-archive-keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "iproute2": "/usr/bin/ip|/usr/sbin/ip|/sbin/ip",
    "openssh-client": "/usr/bin/ssh",
    "util-linux": "/usr/bin/nsenter",
    "xfsprogs": "/usr/sbin/mkfs.xfs|/sbin/mkfs.xfs",
    "fuse3": "/usr/bin/fusermount3",
    "bindfs": "/usr/bin/bindfs",
    "rsync": "/usr/bin/rsync",
    "gcc": "/usr/bin/gcc",
    "libc6-dev": "/usr/include/stdio.h",
}


def missing_for_hosts() -> str | None:
    """Why this machine cannot run stand-ins, in one sentence; None when it can."""
    if sys.platform != "linux":
        return f"stand-in Macs need Linux (this is {platform.system()})"
    if os.geteuid() != 0:
        return "stand-in Macs need root (namespaces, overlay and loop mounts): run this as root"
    if not os.path.exists("/dev/fuse"):
        return "stand-in Macs need FUSE: /dev/fuse does not exist (load the fuse module)"
    with open("/proc/filesystems", encoding="utf-8") as lines:
        if not any(line.split()[-1] == "overlay" for line in lines):
            return "stand-in Macs need overlayfs: /proc/filesystems does not name overlay"
    return None


def install_packages() -> None:
    absent = [name for name, proofs in PACKAGES.items() if not any(map(os.path.exists, proofs.split("|")))]
    if not absent:
        return
    if shutil.which("apt-get") is None:
        raise StandinError(f"install these first, there is no apt-get here: {' '.join(absent)}")
    print(f"installing {' '.join(absent)}", flush=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with open("/run/lock/darwin.jail.packages", "w", encoding="utf-8") as build_lock:
        fcntl.flock(
            build_lock, fcntl.LOCK_EX
        )  # apt does not wait for another apt: tests/tools/peers takes this turn, too
        run("apt-get", "update", "-qq", env=env)
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *absent, env=env)


def make_key() -> None:
    key = checkout_directory() / "id_ed25519"
    if not key.exists():
        key.parent.mkdir(parents=True, exist_ok=True)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "standin", "-f", str(key))


def setup() -> None:
    """Idempotent: everything that create needs is there afterwards."""
    reason = missing_for_hosts()
    if reason is not None:
        raise StandinError(reason)
    with locked(state_directory() / "setup.lock"):
        install_packages()
        lower.ensure()
        make_key()
        network.subnet()
