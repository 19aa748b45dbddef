# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words that identify the Mac and its users, and that nothing published may contain."""

from __future__ import annotations

import os
import pwd
import re
import socket

from ..errors import OperationError
from ..programs.passwd_lookup import FIRST_UID
from ..system.process import run

VOLUMES, DEFAULT_NAME = "/Volumes", "Macintosh HD"
SERIAL = re.compile(rb'"(?:IOPlatformSerialNumber|IOPlatformUUID)" = "([^"]+)"')


def collect() -> list[str]:
    """Names of the Mac, of its volumes and users, homes, serial numbers and addresses."""
    found = [*_names(socket.gethostname())]
    for key in ("ComputerName", "LocalHostName", "HostName"):
        found += _names(_output("/usr/sbin/scutil", "--get", key).decode("utf-8", "replace"))
    found += [number.decode("ascii", "replace") for number in SERIAL.findall(_output(*IOREG))]
    found += [name for name in _volumes() if name != DEFAULT_NAME]
    for entry in pwd.getpwall():
        if entry.pw_uid >= FIRST_UID and not entry.pw_name.startswith("_") and entry.pw_name != "nobody":
            full = entry.pw_gecos.split(",")[0]
            found += [entry.pw_name, full, *full.split(), entry.pw_dir]
    found += [os.environ.get(name, "") for name in ("SUDO_USER", "SSH_CLIENT", "SSH_CONNECTION")]
    return [word for word in found if word.strip("/") and word not in ("root", "/var/empty")]


IOREG = ("/usr/sbin/ioreg", "-rd1", "-c", "IOPlatformExpertDevice")


def _names(name: str) -> list[str]:
    """The name of a host, and its first part."""
    name = name.strip()
    return [name, name.split(".")[0]] if name else []


def _volumes() -> list[str]:
    return os.listdir(VOLUMES) if os.path.isdir(VOLUMES) else []


def _output(*argv: str) -> bytes:
    try:
        ended = run(argv, timeout=10)
    except OperationError:
        return b""
    return b"" if ended.rc else ended.stdout
