# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user nobody gets of root's: a directory with files, for the time of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from . import run_directories
from .nobody import ids
from .rooted import Root

LENT = b"lent"


@contextmanager
def directory(
    place: bytes, files: Mapping[str, bytes], links: Mapping[str, str] | None = None, folders: Sequence[str] = ()
) -> Iterator[str]:
    """A directory that nobody but root and the user nobody can enter, with these files, links and directories.

    It is there for the time of the block, in a directory of this run in `place` (run_directories.py), which is made for
    it. The user nobody must be able to reach that.
    """
    with run_directories.own_directory(place, passable=True) as path:
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
