# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The register: an entry for each jail of this Mac. Only the register decides about a jail.

Root in the jail can write the jail's own marker, so nothing is decided by that.

    /private/var/db/darwin.jail/jails/      for root only
        NAME-HASH.json                      NAME is the last part of the jail's path, HASH is of all of it

Each file holds one entry, and two while two jails swap their names, so that each is found under both names whenever
the run is killed. An entry belongs to a jail when all of these match:

- the path
- the inode number of the root directory, which root in the jail cannot change. It stays when the volume is mounted
  again, as the device number does not (docs/macos.md).
- the id and the stamp in the marker. Every change of the entry gives both a new stamp, which tells an entry or a jail
  that was restored from a backup. A jail that forges them only loses its entry.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from . import mounted_volume
from .errors import OperationError, RecordError, show
from .programs.jail_entry import belongs
from .system import host
from .system.build_lock import locked_directory
from .system.mounts import is_mount
from .system.rooted import Root

DIRECTORY = b"/var/db/darwin.jail/jails"
"""Through macOS's link /var, so that /private is never made where there is none."""
MAX_SIZE = 1 << 16
ATTEMPTS = 600
"""How often to try to lock it, 20 times a second: a run keeps the lock for the time of one fsync."""

Entry = dict[str, Any]
TYPES: dict[str, type] = {
    "inode": int,
    "stamps": list,
    "id": str,
    "state": str,
    "created": int,
    "built": int,
    "bytes": int,
    "source": str,
    "macos_version": str,
    "macos_build": str,
    "adopted": bool,
    "fingerprint": str,
    "image": str,
    "layers": int,
    "closed": bool,
    "clone_of": str,
    "clone_id": str,
    "clone_time": float,
    "cloned": bool,
    "replaces": str,
    "replaced_by": str,
    "inherited": bool,
    "swapped_at": float,
    "goes_back": bool,
}
"""What an entry can hold; `inode`, `stamps` and `id` are always there."""


def find(path: bytes, inode: int, marker: dict[str, Any]) -> Entry | None:
    """The entry of the jail that is at a path now, with this marker; RecordError when the file is not valid."""
    for entry in _read(path):
        if belongs(entry, inode, marker):
            return entry
    return None


def was_jail(path: bytes, inode: int) -> bool:
    """Whether a directory that has no marker was a jail once.

    False for the top of a volume: all tops have the same inode number, and another volume may be mounted there now.
    False for a directory that is younger than the entry: outside of APFS, inode numbers are used again.
    """
    born = host.birth_time(path) or 0
    try:
        known = [entry for entry in _read(path) if born < entry.get("created", born) + 1]
        return any(entry["inode"] == inode for entry in known) and not is_mount(path)
    except RecordError:
        return False


def all_known() -> dict[bytes, list[Entry]]:
    """The entries of all jails, by path; files that are not valid are left out."""
    directory = host.real_path(DIRECTORY)
    if not os.path.lexists(directory):
        return {}
    found = {}
    with Root(directory) as root, suppress(RecordError):
        _refuse_writable(root)
        for name in root.names(b""):
            path, entries = _parsed(root.read(name, MAX_SIZE) or b"")
            if path is not None and _name(path) == name:
                found[path] = entries
    return found


def former_paths(inode: int, marker: dict[str, Any]) -> dict[bytes, list[Entry]]:
    """Entries at other paths for the jail with this marker, which was moved from there: nothing is there now.

    Paths on volumes that are not mounted do not count: this jail may be in a copy of such a volume.
    """
    of = inode, marker.get("id")
    return {
        path: entries
        for path, entries in all_known().items()
        if of in [(entry["inode"], entry["id"]) for entry in entries]
        and not os.path.lexists(path)
        and not mounted_volume.missing_mount(path)
    }


def write(path: bytes, entries: Sequence[Entry]) -> None:
    """Replace the entries of the jail at a path, atomically."""
    directory = host.real_path(DIRECTORY)
    above, name = os.path.split(directory)
    host.make_dirs(above)
    with Root(above) as root:
        root.make_dir(name, 0o700, 0, 0)
    data = {"format": 1, "path": os.fsdecode(path), "jails": entries}
    with _locked_register() as root:
        root.write(_name(path), json.dumps(data, indent=1, sort_keys=True).encode() + b"\n", mode=0o600)


def known(path: bytes) -> list[Entry]:
    """The entries that `forget` removes for a path, whether they are valid or not."""
    directory = host.real_path(DIRECTORY)
    if not os.path.lexists(directory):
        return []
    with Root(directory) as root:
        return _known(root, path)


def _known(root: Root, path: bytes) -> list[Entry]:
    return _parsed(root.read(_name(path), MAX_SIZE) or b"")[1]


def forget(path: bytes, expected: Sequence[Entry]) -> None:
    """Remove the entries of a jail that was at a path, unless another run has written others since."""
    if os.path.lexists(host.real_path(DIRECTORY)):
        with _locked_register() as root:
            if _known(root, path) == expected:
                root.sweep(_name(path))
                root.unlink(_name(path))


@contextmanager
def _locked_register() -> Iterator[Root]:
    """The directory of the register, locked against other runs."""
    with Root(host.real_path(DIRECTORY)) as root, locked_directory(root, attempts=ATTEMPTS):
        yield root


def finish_write(path: bytes, entry: Entry) -> None:
    """Make this the only entry of the jail at a path, and remove the temporary files of a run that was killed."""
    with _locked_register() as root:
        root.sweep(_name(path))
    if _read(path) != [entry]:
        write(path, [entry])


def _name(path: bytes) -> bytes:
    """The name of the file of a jail, by its real path."""
    readable = re.sub(rb"[^A-Za-z0-9]+", b"-", os.path.basename(path)).strip(b"-")[:40]
    return b"%s-%s.json" % (readable, hashlib.sha256(path).hexdigest()[:32].encode())


def _read(path: bytes) -> list[Entry]:
    """The entries in the file of a jail; RecordError when it is damaged, or when others than root could write it."""
    name, directory = _name(path), host.real_path(DIRECTORY)
    try:
        with Root(directory) as root:
            _refuse_writable(root)
            data = root.read(name, MAX_SIZE)
    except OperationError as exc:
        if exc.errno == errno.ENOENT:
            return []
        if exc.errno:  # a temporary failure must not take the jail's entry away
            raise
        raise RecordError(str(exc)) from exc
    if data is None:
        return []
    found, entries = _parsed(data)
    if found != path:
        raise RecordError(f"its entry {show(os.path.join(directory, name))} is damaged or of a newer version")
    return entries


def _refuse_writable(root: Root) -> None:
    status = root.status()
    if status.st_uid != 0 or status.st_mode & 0o022:
        raise RecordError(f"{show(root.path)} is not root's alone")


def _parsed(data: bytes) -> tuple[bytes | None, list[Entry]]:
    """The path of a jail and its entries; no path when the data is not valid."""
    try:
        found = json.loads(data)
        if found["format"] == 1:
            return os.fsencode(found["path"]), [_checked(entry) for entry in found["jails"]]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    return None, []


def _is_a(kind: type, value: object) -> bool:
    """Whether a value is of this type; bool does not count as int."""
    return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)


def _checked(entry: Entry) -> Entry:
    if not {"inode", "stamps", "id"} <= entry.keys() or not all(isinstance(stamp, str) for stamp in entry["stamps"]):
        raise ValueError(entry)
    if not all(_is_a(TYPES[key], value) for key, value in entry.items()):
        raise ValueError(entry)
    return entry
