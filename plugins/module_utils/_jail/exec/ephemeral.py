# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A clone of a jail for one run, removed at its end.

It is made in a directory of the run's own (system/run_directories.py), beside the jail, since
only files of one volume can share blocks:

    PARENT/.darwin.jail.runs/xxxxxxxxxxxx/jail
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from .. import jail as jails
from ..accounts import user_tmp
from ..accounts.directory_services import Account
from ..errors import JailError
from ..programs.dns_relay import FOLDER, NAME, SERVER
from ..rootfs.clone import Base
from ..system import at, run_directories
from ..system.rooted import Root

SOCKET = f"{FOLDER}/{NAME}".encode()


@contextmanager
def ephemeral_clone(path: str, account: Account) -> Iterator[tuple[str, list[str]]]:
    """Yield the path of a clone, which exists within the block, and warnings, which may grow until its end."""
    place = os.path.join(os.path.dirname(jails.jail_path(path)), run_directories.FOLDER)
    warnings: list[str] = []
    with run_directories.own_directory(place, warnings) as folder:
        clone = os.path.join(folder, b"jail")
        with closing(Base(path, check=False)) as base:
            base.clone(clone, None, check=False, registered=False)
        warnings += base.warnings
        _set_up(os.fsdecode(clone), account)
        yield os.fsdecode(clone), warnings


def _set_up(clone: str, account: Account) -> None:
    """Add what a clone lacks and needs no job: temporary directories and DNS."""
    if user_tmp.uuid_of(account):
        user_tmp.ensure(clone, account.name, None, None, None, "present", False)
    folder, name = os.path.split(os.fsencode(SERVER))
    try:
        with Root(folder) as mac, Root(clone) as root, root.holder(SOCKET) as (there, socket):
            at.make_hardlink(name, mac.fd, socket, there)
    except (OSError, JailError):
        pass  # another volume: names do not resolve, as documented
