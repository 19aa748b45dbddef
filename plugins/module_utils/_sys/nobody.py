# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program as the user nobody: one that others than root can replace, or that reads what strangers sent.

It gets no group, no file and no environment of root's. What it is to have, and may change, is lent to it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import pwd
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from ..errors import OperationError, failed
from . import host
from .rooted import Root

USER = "nobody"
PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
KEPT = ("LANG", "LC_ALL", "SSL_CERT_DIR", "SSL_CERT_FILE", "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
"""What a program may need of this process's environment; those for proxies in small letters, too."""
HINT = "it runs as the user nobody, who must be able to reach and to run it"
PREFIX = b".darwin.jail.lent."
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

    It is there for the time of the block, in a directory of root's that is locked as long as this process lives: the
    next one that comes removes what a killed one left. The user nobody must be able to reach `place`.
    """
    host.make_dirs(place)
    with Root(place) as root:
        try:
            _sweep(root)
            name, fd = _begin(root)
            top = name + b"/" + LENT
            try:
                _fill(root, top, files, links or {}, folders)
                os.fchmod(fd, 0o711)
                yield os.fsdecode(os.path.join(place, top))
            finally:
                root.remove_tree(name)
                os.close(fd)
        except OSError as exc:
            raise failed("lend a directory in", place, exc) from exc


def _fill(root: Root, top: bytes, files: Mapping[str, bytes], links: Mapping[str, str], folders: Sequence[str]) -> None:
    uid, gid = ids()
    made = [top, *(top + b"/" + os.fsencode(folder) for folder in folders)]
    for path in made:
        root.make_dir(path, 0o700, 0, 0)
    for name, data in files.items():
        root.write(top + b"/" + os.fsencode(name), data, 0o600, uid, gid)
    for name, target in links.items():
        parent, base = os.path.split(top + b"/" + os.fsencode(name))
        with root.directory(parent) as fd:
            os.symlink(target, base, dir_fd=fd)
    for path in reversed(made):  # the top last
        root.make_dir(path, 0o700, uid, gid)


def _begin(root: Root) -> tuple[bytes, int]:
    """Make a directory for root only, and lock it; another process may remove it before it is locked."""
    while True:
        name = PREFIX + os.urandom(6).hex().encode()
        root.make_dir(name, 0o700, 0, 0)
        try:
            fd = root.open_dir(name)
        except OperationError as exc:
            if exc.errno != errno.ENOENT:
                raise
            continue
        fcntl.flock(fd, fcntl.LOCK_EX)
        if root.lstat(name):
            return name, fd
        os.close(fd)


def _sweep(root: Root) -> None:
    """Remove what killed processes left."""
    for name in root.names(b""):
        if name.startswith(PREFIX):
            with suppress(OperationError), root.directory(name) as fd:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                root.remove_tree(name)
