# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what to do in one directory of the jail. Reads; never writes.

Whose is a file? Three classes, one rule each:

- *system*: restored to the source;
- *configuration* (/private/etc and what a profile marks): compared with the
  record and the source. Unchanged in the jail, it follows the source; changed
  or removed in the jail, it is kept and reported;
- *foreign* (installed by nobody of ours, and all below a mount): not looked at.

Cost: one fstatat for each wanted name, and one line of record; the record is
consulted only when the directory's block differs from it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import Callable, NamedTuple

from .. import mtree
from .._sys import at
from .._sys.backend import backend
from ..errors import failed
from .operation import CREATE, METADATA, REMOVE, REPLACE, Operation
from .record import Block, Record
from .wanted import Listing, WantedDir, WantedFile

CONFIGURATION = (b"private/etc",)


class Linked(NamedTuple):
    """A file that has several names in the source: links.py sees to it when all are known."""

    path: bytes
    parent: bytes
    name: bytes
    status: os.stat_result


class Decision:
    """What is to be done in one directory, its subdirectories left out."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.lines: list[bytes] = []
        """The block of the record that will be true afterwards."""
        self.linked: list[Linked] = []
        self.kept: list[tuple[bytes, str]] = []
        """Configuration that is left as the jail has it, and why."""
        self.conflicts: list[tuple[bytes, str]] = []
        """What cannot be made as wanted, and why."""
        self.dropped: list[bytes] = []
        """Directories that leave the record."""
        self.unchanged = False
        """True when neither the directory nor its block of the record changes."""

    def block(self) -> bytes:
        return b"".join(self.lines)


class Comparer:
    """Decides, directory by directory."""

    def __init__(
        self,
        record: Record,
        mounts: set[bytes],
        dev: int,
        configuration: Sequence[bytes] = (),
        full: bool = False,
        prune: bool = True,
    ) -> None:
        self.record, self.mounts, self.dev = record, mounts, dev
        self._configuration = (*CONFIGURATION, *configuration)
        self._full, self._prune = full, prune
        self._backend = backend()

    def is_configuration(self, path: bytes) -> bool:
        return any(path == mark or path.startswith(mark + b"/") for mark in self._configuration)

    def is_mounted(self, path: bytes, have: os.stat_result) -> bool:
        """Whether a directory of the jail is, or lies on, another file system."""
        return have.st_dev != self.dev or path in self.mounts

    def directory(self, path: bytes, want: WantedDir, listing: Listing, fd: int | None) -> Decision:
        """Compare a directory, open in the jail as `fd` (None: it is not there yet)."""
        below = path + b"/" if path else b""
        recorded = self.record.block(path)
        marked = any(mark.startswith(below) for mark in self._configuration)
        configuration = self.is_configuration(path)
        decision = Decision()
        self._own_line(path, want, fd, decision, configuration)
        names = sorted(listing.files)
        if configuration or marked or self.mounts or not self._unchanged_files(names, listing, fd, decision, recorded):
            self._files(path, names, listing, fd, decision, configuration)
            if recorded.text != decision.block() or self.record.interrupted:
                self._stale_files(path, listing, fd, decision)
        self._linked(below, names, listing, decision)
        for name in self.record.children.get(path, ()):
            if name not in listing.dirs:
                self._stale_dir(below + name, fd, decision)
        return decision

    def _unchanged_files(
        self, names: list[bytes], listing: Listing, fd: int | None, decision: Decision, recorded: Block
    ) -> bool:
        """The short way for a directory of system files that are all recorded and just as wanted.

        It is what a run mostly meets. No line is written or read for it: for what is
        equal to the source, the record only has to know the names.
        """
        if fd is None or self._full or self.record.interrupted:
            return False
        lstat, files, flags = os.stat, listing.files, self._backend.flags
        try:
            for name in names:
                want = files[name].status
                have = lstat(name, dir_fd=fd, follow_symlinks=False)
                if (
                    want.st_mtime_ns != have.st_mtime_ns
                    or want.st_mode != have.st_mode
                    or want.st_size != have.st_size
                    or want.st_uid != have.st_uid
                    or want.st_gid != have.st_gid
                    or want.st_rdev != have.st_rdev
                    or flags(want) != flags(have)
                ):
                    return False
                if want.st_mode & 0o170000 == 0o120000 and os.readlink(name, dir_fd=fd) != files[name].link():
                    return False
        except FileNotFoundError:
            return False
        if recorded.names() != [mtree.encode(name) for name in names]:
            return False
        decision.unchanged = not decision.operations and decision.lines == [recorded.own()]
        decision.lines += recorded.lines()
        return True

    def _files(
        self, path: bytes, names: list[bytes], listing: Listing, fd: int | None, decision: Decision, configuration: bool
    ) -> None:
        below = path + b"/" if path else b""
        for name in names:
            wanted = listing.files[name]
            have = None if fd is None else at.lstat(name, fd)
            if have is not None and below + name in self.mounts:
                decision.lines += self._recorded_lines(path, name)
            elif configuration or self.is_configuration(below + name):
                self._configuration_file(path, name, wanted, have, fd, decision)
            else:
                self._system_file(below + name, name, wanted, have, fd, decision)

    def _linked(self, below: bytes, names: list[bytes], listing: Listing, decision: Decision) -> None:
        """Set aside the files that have other names too."""
        for name in names:
            want = listing.files[name]
            status = want.status
            if status.st_nlink > 1 and stat.S_ISREG(status.st_mode) and not self.is_configuration(below + name):
                decision.linked.append(Linked(below + name, want.parent, want.name, status))

    # -- the directory itself ---------------------------------------------

    def _own_line(self, path: bytes, want: WantedDir, fd: int | None, decision: Decision, configuration: bool) -> None:
        line = mtree.line(os.path.basename(path) or b".", want.status)
        if fd is None:
            decision.lines.append(line)
            return
        have, status = os.fstat(fd), want.status
        why = _metadata_difference(status, have, self._backend.flags)
        former = self.record.block(path).own()
        if configuration and why and not self._unchanged(path, b".", have, None):
            decision.lines.append(former or line)
            decision.kept.append((path, why))
            return
        # Whoever adds a file changes the time of its directory: that alone is no drift. It is set
        # again only when the source's has changed since it was set, or may never have been set.
        if status.st_mtime_ns not in (None, have.st_mtime_ns) and (line != former or self.record.interrupted):
            why = why or "time"
        if why:
            decision.operations.append(Operation(METADATA, path, want, why, have))
        decision.lines.append(line)

    # -- system files -------------------------------------------------------

    def _system_file(
        self,
        path: bytes,
        name: bytes,
        want: WantedFile,
        have: os.stat_result | None,
        fd: int | None,
        decision: Decision,
    ) -> None:
        status = want.status
        kind = status.st_mode & 0o170000
        decision.lines.append(mtree.line(name, status, want.link() if kind == 0o120000 else None))
        if kind == 0o100000 and status.st_nlink > 1:
            return  # links.py sees to it
        if have is None or fd is None:
            decision.operations.append(Operation(CREATE, path, want))
        else:
            why = self.difference(want, have, name, fd)
            if why:
                self._mend(path, want, have, why, fd, decision)

    def _mend(self, path: bytes, want: WantedFile, have: os.stat_result, why: str, fd: int, decision: Decision) -> None:
        if stat.S_ISDIR(have.st_mode):
            if not self._clear(path, fd, decision):
                text = "a directory with files that were not installed by this collection is in the way"
                decision.conflicts.append((path, text))
                return
            decision.operations.append(Operation(CREATE, path, want))
            return
        same = _same_contents(want.status, have)
        # Changing a file in place changes all its names, and one may be outside the jail.
        action = METADATA if same and have.st_nlink == 1 and not why.startswith("contents") else REPLACE
        decision.operations.append(Operation(action, path, want, why, have))

    def difference(self, want: WantedFile, have: os.stat_result, name: bytes, fd: int) -> str:
        """What differs between what is wanted and what is there; empty when nothing does."""
        status = want.status
        kind = status.st_mode & 0o170000
        if kind != have.st_mode & 0o170000:
            return f"is a {mtree.TYPES.get(have.st_mode & 0o170000, b'socket').decode()}"
        why = self._other_contents(kind, want, have, name, fd)
        if not why:
            why = _metadata_difference(status, have, self._backend.flags)
        if not why and status.st_mtime_ns not in (None, have.st_mtime_ns):
            why = "time"
        return why

    def _other_contents(self, kind: int, want: WantedFile, have: os.stat_result, name: bytes, fd: int) -> str:
        status = want.status
        if kind == 0o100000:
            if status.st_size != have.st_size:
                return f"size {have.st_size}, wanted {status.st_size}"
            if self._full and not self._equal_files(want, name, fd):
                return "contents or extended attributes"
        elif kind == 0o120000:
            target = os.readlink(name, dir_fd=fd)
            if target != want.link():
                return f"points to {os.fsdecode(target)}"
        elif kind in (0o020000, 0o060000) and status.st_rdev != have.st_rdev:
            return f"device {os.major(have.st_rdev)},{os.minor(have.st_rdev)}"
        return ""

    def _equal_files(self, want: WantedFile, name: bytes, fd: int) -> bool:
        """Whether contents, xattrs and ACLs are the same."""
        try:
            return at.equal(want.name, want.dir_fd, name, fd)
        except OSError as exc:
            raise failed("compare", name, exc) from exc

    # -- configuration --------------------------------------------------------

    def _configuration_file(
        self,
        directory: bytes,
        name: bytes,
        want: WantedFile,
        have: os.stat_result | None,
        fd: int | None,
        decision: Decision,
    ) -> None:
        path = directory + b"/" + name if directory else name
        former = self._recorded_lines(directory, name)
        line = self._configuration_line(name, want, former)
        if have is None or fd is None:
            if former and fd is not None and not self.record.interrupted:
                decision.kept.append((path, "removed in the jail"))
                decision.lines += former[-1:]
            else:
                decision.operations.append(Operation(CREATE, path, want))
                decision.lines.append(line)
            return
        why = self.difference(want, have, name, fd)
        if not why or self._same_text(line, want, have, name, fd):
            decision.lines.append(line)
        elif self._unchanged(directory, name, have, fd):
            self._mend(path, want, have, why, fd, decision)
            decision.lines.append(line)
        else:
            decision.lines += former[-1:]
            news = "" if line in former or not former else "; the source has another version"
            decision.kept.append((path, f"changed in the jail{news}"))

    @staticmethod
    def _configuration_line(name: bytes, want: WantedFile, former: list[bytes]) -> bytes:
        """The line with a digest; one that is recorded for just this size and time is not computed again."""
        link = want.link() if stat.S_ISLNK(want.status.st_mode) else None
        plain = mtree.line(name, want.status, link)
        if not stat.S_ISREG(want.status.st_mode):
            return plain
        known = [line for line in former if line.startswith(plain[:-1] + b" sha256digest=")]
        return known[0] if known else mtree.line(name, want.status, None, _digest(want.name, want.dir_fd))

    def _unchanged(self, directory: bytes, name: bytes, have: os.stat_result, fd: int | None) -> bool:
        """Whether the jail has just what was installed, though perhaps touched."""
        for was in self.record.block(directory).fields().get(name, ()):
            if (was.st_uid, was.st_gid, stat.S_IFMT(was.st_mode)) != (
                have.st_uid,
                have.st_gid,
                stat.S_IFMT(have.st_mode),
            ):
                continue
            if was.st_mode != have.st_mode and not stat.S_ISLNK(have.st_mode):
                continue
            if stat.S_ISREG(have.st_mode):
                if was.st_size == have.st_size and fd is not None and was.digest == _digest(name, fd):
                    return True
            elif stat.S_ISLNK(have.st_mode):
                if was.link == os.readlink(name, dir_fd=fd):
                    return True
            else:
                return True
        return False

    @staticmethod
    def _same_text(line: bytes, want: WantedFile, have: os.stat_result, name: bytes, fd: int) -> bool:
        """Whether a configuration file differs from the source in its time only."""
        status = want.status
        if not stat.S_ISREG(have.st_mode) or have.st_size != status.st_size:
            return False
        if (have.st_mode, have.st_uid, have.st_gid) != (status.st_mode, status.st_uid, status.st_gid):
            return False
        return line.endswith(b" sha256digest=%s\n" % _digest(name, fd).encode())

    def _recorded_lines(self, directory: bytes, name: bytes) -> list[bytes]:
        """What the record says of a name in a directory, as lines."""
        return [
            mtree.line(name, was, was.link, was.digest) for was in self.record.block(directory).fields().get(name, ())
        ]

    # -- what is wanted no longer -----------------------------------------------

    def _stale_files(self, path: bytes, listing: Listing, fd: int | None, decision: Decision) -> None:
        """Files that a former run put here and nothing names now."""
        below = path + b"/" if path else b""
        for name in self.record.block(path).fields():
            if name == b"." or name in listing.files or name in listing.dirs:
                continue
            if not self._prune:
                decision.lines += self._recorded_lines(path, name)
            elif fd is not None:
                self._remove_file(path, below + name, fd, decision)

    def _remove_file(self, directory: bytes, path: bytes, fd: int, decision: Decision) -> bool:
        """Remove one recorded file; False when it stays."""
        name = os.path.basename(path)
        have = at.lstat(name, fd)
        if have is None:
            return True
        if stat.S_ISDIR(have.st_mode) or path in self.mounts:
            return False
        if self.is_configuration(path) and not self._unchanged(directory, name, have, fd):
            decision.kept.append((path, "changed in the jail; nothing wants it any more"))
            return False
        decision.operations.append(Operation(REMOVE, path, None, "", have))
        return True

    def _stale_dir(self, path: bytes, fd: int | None, decision: Decision) -> None:
        """A directory that a former run made and nothing names now."""
        if not self._prune or path in self.mounts:
            return
        have = None if fd is None else at.lstat(os.path.basename(path), fd)
        if have is not None and fd is not None and stat.S_ISDIR(have.st_mode) and not self.is_mounted(path, have):
            self._clear(path, fd, decision)
        self._drop(path, decision)

    def _drop(self, path: bytes, decision: Decision) -> None:
        todo = [path]
        while todo:
            path = todo.pop()
            decision.dropped.append(path)
            todo += [path + b"/" + name for name in self.record.children.get(path, ())]

    def _clear(self, path: bytes, parent_fd: int, decision: Decision) -> bool:
        """Remove what the record names in a directory, and it too when nothing is left; False when it stays."""
        try:
            fd = at.open_dir(os.path.basename(path), parent_fd)
        except OSError as exc:
            raise failed("open", path, exc) from exc
        try:
            have = os.fstat(fd)
            if self.is_mounted(path, have):
                return False
            left = set(at.names(fd))
            for name in self.record.children.get(path, ()):
                status = at.lstat(name, fd)
                if status and stat.S_ISDIR(status.st_mode) and self._clear(path + b"/" + name, fd, decision):
                    left.discard(name)
            for name in self.record.block(path).fields():
                if name in left and self._remove_file(path, path + b"/" + name, fd, decision):
                    left.discard(name)
        finally:
            os.close(fd)
        if not left:
            decision.operations.append(Operation(REMOVE, path, None, "", have))
        return not left


def _metadata_difference(status: os.stat_result, have: os.stat_result, flags: Callable[[object], int]) -> str:
    if status.st_mode != have.st_mode and not stat.S_ISLNK(have.st_mode):
        return f"mode {have.st_mode & 0o7777:04o}, wanted {status.st_mode & 0o7777:04o}"
    if status.st_uid != have.st_uid or status.st_gid != have.st_gid:
        return f"owner {have.st_uid}:{have.st_gid}, wanted {status.st_uid}:{status.st_gid}"
    if flags(status) != flags(have):
        return f"flags {flags(have):#x}, wanted {flags(status):#x}"
    return ""


def _same_contents(status: os.stat_result, have: os.stat_result) -> bool:
    """Whether a regular file needs new metadata only, as far as size and time tell."""
    regular = stat.S_ISREG(status.st_mode) and stat.S_ISREG(have.st_mode)
    return regular and status.st_size == have.st_size and status.st_mtime_ns == have.st_mtime_ns


def _digest(name: bytes, fd: int) -> str:
    """SHA-256 of a regular file in an open directory."""
    try:
        return at.digest(name, fd)
    except OSError as exc:
        raise failed("read", name, exc) from exc
