# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program as the user nobody: one that others than root can replace, or that reads untrusted data.

It gets no group, no file and no environment of root's. The files that it needs are given to it (nobody_files.py).
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from typing import Any

USER = "nobody"
PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
KEPT_VARIABLES = (
    "LANG",
    "LC_ALL",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "ALL_PROXY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)
"""Variables that a program gets from this process's environment, also in lower case, as proxies have them."""
HINT = "it runs as the user nobody, which must be able to reach and run it"


def ids() -> tuple[int, int]:
    """The user and group of such programs; those of this process when it is not root."""
    if os.geteuid():
        return os.geteuid(), os.getegid()
    entry = pwd.getpwnam(USER)
    return entry.pw_uid, entry.pw_gid


def options(settings: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Arguments for subprocess.Popen; `settings` are additional environment variables."""
    kept = {name: os.environ[name] for key in KEPT_VARIABLES for name in (key, key.lower()) if name in os.environ}
    found: dict[str, Any] = {"env": {**kept, "PATH": PATH, "HOME": "/var/empty", **(settings or {})}, "cwd": "/"}
    if not os.geteuid():
        uid, gid = ids()
        found.update(user=uid, group=gid, extra_groups=[gid])
    return found
