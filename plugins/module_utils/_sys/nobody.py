# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program as the user nobody: one that others than root can replace, or that reads what strangers sent.

It gets no group, no file and no environment of root's. What it is to have, and may change, is lent to it.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from . import runs
from .rooted import Root

USER = "nobody"
PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
KEPT = ("LANG", "LC_ALL", "SSL_CERT_DIR", "SSL_CERT_FILE", "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
"""What a program may need of this process's environment; those for proxies in small letters, too."""
HINT = "it runs as the user nobody, who must be able to reach and to run it"
LENT = b"lent"


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


@contextmanager
def directory(
    place: bytes, files: Mapping[str, bytes], links: Mapping[str, str] | None = None, folders: Sequence[str] = ()
) -> Iterator[str]:
    """A directory that nobody but root and the user nobody can enter, with these files, links and directories.

    It is there for the time of the block, in a directory of this run in `place` (runs.py), which is made for it. The
    user nobody must be able to reach that.
    """
    with runs.own_directory(place, passable=True) as path:
        with Root(path) as root:
            _fill(root, files, links or {}, folders)
        yield os.fsdecode(os.path.join(path, LENT))


def _fill(root: Root, files: Mapping[str, bytes], links: Mapping[str, str], folders: Sequence[str]) -> None:
    uid, gid = ids()
    made = [LENT, *(LENT + b"/" + os.fsencode(folder) for folder in folders)]
    for path in made:
        root.make_dir(path, 0o700, 0, 0)
    for name, data in files.items():
        root.write(LENT + b"/" + os.fsencode(name), data, 0o600, uid, gid)
    for name, target in links.items():
        root.write_link(LENT + b"/" + os.fsencode(name), os.fsencode(target), 0, 0)
    for path in reversed(made):  # the top last
        root.make_dir(path, 0o700, uid, gid)
