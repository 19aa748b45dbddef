# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program as the user nobody: one that others than root can replace, or that reads what strangers sent.

It gets no group, no file and no environment of root's. What it is to have, and may change, is lent to it.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from typing import Any

USER = "nobody"
PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
KEPT = ("LANG", "LC_ALL", "SSL_CERT_DIR", "SSL_CERT_FILE", "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
"""What a program may need of this process's environment; those for proxies in small letters, too."""
HINT = "it runs as the user nobody, who must be able to reach and to run it"


def ids() -> tuple[int, int]:
    """User and group to run it as; those of this process when it is not root's."""
    if os.geteuid():
        return os.geteuid(), os.getegid()
    entry = pwd.getpwnam(USER)
    return entry.pw_uid, entry.pw_gid


def options(settings: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What subprocess.Popen is to be given; `settings` are environment variables besides."""
    kept = {name: os.environ[name] for key in KEPT for name in (key, key.lower()) if name in os.environ}
    found: dict[str, Any] = {"env": {**kept, "PATH": PATH, "HOME": "/var/empty", **(settings or {})}, "cwd": "/"}
    if not os.geteuid():
        uid, gid = ids()
        found.update(user=uid, group=gid, extra_groups=[gid])
    return found
