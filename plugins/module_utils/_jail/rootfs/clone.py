# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a jail a copy-on-write clone of another one, the base.

Everything in the base is cloned file by file; mounts, sockets, the lock and
temporary files are left out. The clone is a pass over an empty jail with the
base as its source, with journals, so that a run that was killed continues. When
it is complete, the record of the base replaces the journals: the same files were
installed in both. Where blocks cannot be shared, the clone is refused unless
copies are allowed.

    entry: clone_of       before anything is cloned
    pass                  journals name what is put there
    record of the base    takes its place, then the journals go
    entry: cloned         from now on the base is not looked at any more

Cost: that of a build, without the data. On Btrfs one process at a time makes
files, which takes longer than two at once but no more space than cp: its trees
become 2.8 % larger when new files of two processes alternate in them.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import closing
from typing import Any

from .. import jail as jails
from ..errors import InputError, RecordError, failed, show
from ..jail import STATE, TEMPORARY, Jail
from ..marker import MARKER
from ..record import record
from ..system import progress
from ..system.build_lock import BuildLock
from ..system.platform.current import backend
from ..system.volume_names import names_at, names_of
from .apply.build_report import BuildReport
from .apply.install import Installer
from .apply.sync import SyncPass
from .diff.compare import Comparer
from .diff.ownership import FileOwnership
from .remove import undo_create
from .spec.desired_tree import DesiredTree
from .spec.globs import ExcludeGlobs
from .spec.merged_entries import MergedEntry
from .spec.source_tree import Source

NOT_ONE_VOLUME = (errno.EXDEV, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY, errno.ENOSYS)
"""How a system says that two files do not lie on one volume, or that it cannot clone: Linux in the last two ways."""

COPIED_FIELDS = ("built", "bytes", "source", "macos_version", "macos_build")
"""Fields of the entry that a clone copies from its base."""


def is_clone(path: bytes, of: str) -> bool:
    """Whether a jail is a complete clone already; InputError when it is something else."""
    if jails.is_empty(path):
        return False
    with jails.open_jail(os.fsdecode(path)) as jail:
        jail.refuse_unknown(f"make a clone of {of} at", "remove it first, or leave clone_of out")
        if jail.entry.get("clone_of") != os.fsdecode(jails.jail_path(of)):
            raise InputError(f"{show(path)} is a jail already and no clone of {of}: remove it, or leave clone_of out")
        return "cloned" in jail.entry


class Base:
    """The jail to clone, locked against changes while this is open."""

    def __init__(self, path: str, check: bool, copies: bool = False) -> None:
        """InputError when the base is not complete. `copies` allows copies where blocks cannot be shared."""
        self._copies = copies
        self.jail = jails.open_jail(path)
        try:
            self.jail.lock_for_reading(check)
            self.record = record.Record.load(self.jail.root)
            self.jail.refuse_unknown("clone")
            if self.jail.entry.get("state") != "complete" or self.record.interrupted:
                raise InputError(f"cannot clone {show(self.jail.path)}: its last build did not end: run that again")
            self._source = Source(os.fsdecode(self.jail.path))
        except BaseException:
            self.jail.close()
            raise
        self.warnings: list[str] = []

    def close(self) -> None:
        self._source.close()
        self.jail.close()

    def clone(self, path: bytes, count: int | None, check: bool, registered: bool = True) -> BuildReport:
        """Make the jail at `path` a clone, or predict that. With `registered`, the register gets an entry."""
        if not check and not names_at(path).tells_apart(self._source.names):
            self.predict(jails.not_built(path))  # refuses two names that are one there
        if not jails.is_empty(path):
            with jails.open_jail(os.fsdecode(path)) as jail:
                jail.lock(check)
                jail.refuse_unknown("make a clone at")
                return self._fill(jail, count) if not check else self.predict(jail)
        if check:
            return self.predict(jails.not_built(path))
        there = os.path.lexists(path)
        with jails.create(
            path, registered, **self._clone_fields()
        ) as jail:  # a run that is killed right then is taken up again
            jail.lock()
            try:
                return self._fill(jail, count)
            except NoCloneError:
                undo_create(jail, keep_directory=there)
                raise

    def predict(self, jail: Jail) -> BuildReport:
        """Predict a clone."""
        with self._pass(jail, 1, act=False) as sync:
            return sync.run(self._tree(jail))

    def _fill(self, jail: Jail, count: int | None) -> BuildReport:
        jail.update_entry(**self._clone_fields())
        build_lock = BuildLock(f"clone {show(jail.path)}")
        with closing(build_lock), build_lock, self._pass(jail, count, act=True) as sync:
            progress.begin(progress.COPY)
            if sync.installer:
                sync.installer.refuses_sparse = not self._try_to_clone(sync.installer, jail)
            report = sync.run(self._tree(jail))
            if sync.installer:
                self._copy_record(sync.installer, jail)
            self.warnings += build_lock.remarks
        jail.update_entry(state="complete", cloned=True, **self._copied_fields())
        return report

    def _pass(self, jail: Jail, count: int | None, act: bool) -> SyncPass:
        root = jail.root
        was = record.Record.load(root)
        ownership = FileOwnership(
            was, jail.mounts(), root.dev, just_created=jail.just_created, where=jail.path, all_system=True
        )
        return SyncPass(
            root, self._source.root, Comparer(ownership), act=act, count=count, only_clones=not self._copies
        )

    def _tree(self, jail: Jail) -> DesiredTree:
        everything = MergedEntry()
        everything.sources = [b""]
        own = jail.root.lstat(b"")
        return DesiredTree(
            self._source, everything, ExcludeGlobs(), (own.st_dev, own.st_ino) if own else (-1, -1), names_of(jail.root)
        )

    # -- what is special about clones -------------------------------------------------

    def _try_to_clone(self, installer: Installer, jail: Jail) -> bool:
        """Clone one file, to find out whether blocks can be shared; the jail has no other file yet."""
        name = TEMPORARY + b"try"
        shared = self._copy_state_file(installer, jail, os.path.basename(MARKER), name)
        if not shared and not self._copies:
            code = backend().clone_errno
            why, remedy = os.strerror(code), ""
            if code in NOT_ONE_VOLUME:
                why = "they do not lie on one volume that lets files share blocks (APFS; on Linux XFS or Btrfs)"
                remedy = "put the jail on the volume of the other, or "
            raise NoCloneError(
                f"cannot clone {show(self.jail.path)} to {show(jail.path)}: {why}: {remedy}set allow_full_copy for a "
                "plain copy, which takes as much space as the other"
            )
        jail.root.unlink(STATE + b"/" + name)
        return shared

    def _copy_state_file(self, installer: Installer, jail: Jail, name: bytes, new: bytes) -> bool:
        try:
            with self._source.root.directory(STATE) as base, jail.root.directory(STATE) as target:
                return installer.copy_atomically(base, name, target, new)
        except OSError as exc:
            raise failed("copy to", jail.root.host_path(STATE + b"/" + new), exc) from exc

    def _copy_record(self, installer: Installer, jail: Jail) -> None:
        name = os.path.basename(record.RECORD)
        if self._source.root.lstat(record.RECORD) is None:
            jail.root.unlink(record.RECORD)
        elif not self._copy_state_file(installer, jail, name, name) and not self._copies:
            raise RecordError(
                f"{show(self._source.root.host_path(record.RECORD))} changed while it was cloned: run again"
            )
        record.remove_journals(jail.root)

    def _clone_fields(self) -> dict[str, Any]:
        path, known = os.fsdecode(self.jail.path), self.jail.entry["id"]
        return {"clone_of": path, "clone_id": known, "clone_time": time.time()}

    def _copied_fields(self) -> dict[str, Any]:
        return {name: self.jail.entry[name] for name in COPIED_FIELDS if name in self.jail.entry}


class NoCloneError(InputError):
    """The two places cannot share blocks."""
