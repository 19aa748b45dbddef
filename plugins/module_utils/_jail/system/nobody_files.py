# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A temporary directory with files for programs of the user nobody."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from . import run_directories
from .nobody import ids
from .rooted import Root

FOLDER = b"files"


@contextmanager
def directory(
    place: bytes, files: Mapping[str, bytes], links: Mapping[str, str] | None = None, folders: Sequence[str] = ()
) -> Iterator[str]:
    """Yield the path of a directory with these files, links and directories, which only root and nobody can enter.

    The block owns it. It lies in a directory of this run in `place` (run_directories.py), which is created for it. The
    user nobody must be able to reach `place`.
    """
    with run_directories.own_directory(place, passable=True) as path:
        with Root(path) as root:
            _fill(root, files, links or {}, folders)
        yield os.fsdecode(os.path.join(path, FOLDER))


def _fill(root: Root, files: Mapping[str, bytes], links: Mapping[str, str], folders: Sequence[str]) -> None:
    uid, gid = ids()
    made = [FOLDER, *(FOLDER + b"/" + os.fsencode(folder) for folder in folders)]
    for path in made:
        root.make_dir(path, 0o700, 0, 0)
    for name, data in files.items():
        root.write(FOLDER + b"/" + os.fsencode(name), data, 0o600, uid, gid)
    for name, target in links.items():
        root.write_link(FOLDER + b"/" + os.fsencode(name), os.fsencode(target), 0, 0)
    for path in reversed(made):  # the top last
        root.make_dir(path, 0o700, uid, gid)
