# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The register: what this Mac knows of its jails. Whatever decides about a jail is read here.

A jail's own marker is a file that root in the jail can write, so that nothing is decided by it.

    /private/var/db/darwin.jail/jails/      for root only
        NAME-HASH.json                      NAME is the last part of the jail's path, HASH is of all of it

Each file holds one entry, and two while two jails exchange their names: either is found under both names then, whenever
the run is killed. An entry is that of a jail when all of these are as it says:

- the path
- the inode number of the root directory, which root in the jail cannot change. It stays when the volume is mounted
  again, as the device number does not (docs/macos.md).
- the id and the stamp in the marker. Every change of the entry gives both a new stamp, so that an entry or a jail
  that was restored from a backup is told. A jail that forges them is only known no longer.
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
from .system import host
from .system.lock import locked_directory
from .system.mounts import is_mount
from .system.rooted import Root

DIRECTORY = b"/var/db/darwin.jail/jails"
"""By macOS's link /var, so that nothing makes a /private where there is none."""
LARGEST = 1 << 16
LOOKS = 600
"""How often to ask for the right to change it, 20 times a second: it is had for the time of one fsync."""

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
}
"""What an entry can hold; `inode`, `stamps` and `id` are always there."""


def find(path: bytes, inode: int, marker: dict[str, Any]) -> Entry | None:
    """The entry of the jail that is at a path now, with this marker; RecordError when the file makes no sense."""
    for entry in _read(path):
        if entry["inode"] == inode and entry["id"] == marker.get("id") and marker.get("stamp") in entry["stamps"]:
            return entry
    return None


def was_jail(path: bytes, inode: int) -> bool:
    """Whether a directory that has no marker was a jail once.

    Never that of the top of a volume: all tops have one number, and another volume may be mounted there now.
    Nor one that is younger than the entry: outside of APFS, numbers are given again.
    """
    born = host.birth_time(path) or 0
    try:
        known = [entry for entry in _read(path) if born < entry.get("created", born) + 1]
        return any(entry["inode"] == inode for entry in known) and not is_mount(path)
    except RecordError:
        return False


def all_known() -> dict[bytes, list[Entry]]:
    """What is known of all jails, by their paths; a file that makes no sense is left out."""
    place = host.real_path(DIRECTORY)
    if not os.path.lexists(place):
        return {}
    found = {}
    with Root(place) as root, suppress(RecordError):
        _refuse_writable(root)
        for name in root.names(b""):
            path, entries = _parsed(root.read(name, LARGEST) or b"")
            if path is not None and _name(path) == name:
                found[path] = entries
    return found


def gone_paths(inode: int, marker: dict[str, Any]) -> dict[bytes, list[Entry]]:
    """Where, and as what, this Mac knew the jail that has this marker before somebody moved it: nothing is there now.

    What was on a volume that is not mounted may be there. This jail may be in a copy of that volume.
    """
    of = inode, marker.get("id")
    return {
        path: entries
        for path, entries in all_known().items()
        if of in [(entry["inode"], entry["id"]) for entry in entries]
        and not os.path.lexists(path)
        and not mounted_volume.unmounted(path)
    }


def write(path: bytes, entries: Sequence[Entry]) -> None:
    """Put these in the place of what is known of the jail at a path, atomically."""
    place = host.real_path(DIRECTORY)
    above, name = os.path.split(place)
    host.make_dirs(above)
    with Root(above) as root:
        root.make_dir(name, 0o700, 0, 0)
    data = {"format": 1, "path": os.fsdecode(path), "jails": entries}
    with _changing() as root:
        root.write(_name(path), json.dumps(data, indent=1, sort_keys=True).encode() + b"\n", mode=0o600)


def known(path: bytes) -> list[Entry]:
    """What `forget` is to forget of the jail at a path, whether it can be believed or not."""
    place = host.real_path(DIRECTORY)
    if not os.path.lexists(place):
        return []
    with Root(place) as root:
        return _known(root, path)


def _known(root: Root, path: bytes) -> list[Entry]:
    return _parsed(root.read(_name(path), LARGEST) or b"")[1]


def forget(path: bytes, was: Sequence[Entry]) -> None:
    """Remove what is known of a jail that was at a path, and not what another run has entered for one there since."""
    if os.path.lexists(host.real_path(DIRECTORY)):
        with _changing() as root:
            if _known(root, path) == was:
                root.sweep(_name(path))
                root.unlink(_name(path))


@contextmanager
def _changing() -> Iterator[Root]:
    """The directory of the register, in which no other run changes anything meanwhile."""
    with Root(host.real_path(DIRECTORY)) as root, locked_directory(root, attempts=LOOKS):
        yield root


def finish(path: bytes, entry: Entry) -> None:
    """Let nothing but this be known of the jail at a path, and leave nothing of a run that was killed meanwhile."""
    with _changing() as root:
        root.sweep(_name(path))
    if _read(path) != [entry]:
        write(path, [entry])


def _name(path: bytes) -> bytes:
    """The name of the file of a jail, by its real path."""
    readable = re.sub(rb"[^A-Za-z0-9]+", b"-", os.path.basename(path)).strip(b"-")[:40]
    return b"%s-%s.json" % (readable, hashlib.sha256(path).hexdigest()[:32].encode())


def _read(path: bytes) -> list[Entry]:
    """What the file of a jail holds; RecordError when it is damaged, or anybody else could have written it."""
    name, place = _name(path), host.real_path(DIRECTORY)
    try:
        with Root(place) as root:
            _refuse_writable(root)
            data = root.read(name, LARGEST)
    except OperationError as exc:
        if exc.errno == errno.ENOENT:
            return []
        if exc.errno:  # a passing failure must not make a known jail an unknown one
            raise
        raise RecordError(str(exc)) from exc
    if data is None:
        return []
    found, entries = _parsed(data)
    if found != path:
        raise RecordError(f"its entry {show(os.path.join(place, name))} is damaged or of a newer version")
    return entries


def _refuse_writable(root: Root) -> None:
    status = root.status()
    if status.st_uid != 0 or status.st_mode & 0o022:
        raise RecordError(f"{show(root.path)} is not root's alone")


def _parsed(data: bytes) -> tuple[bytes | None, list[Entry]]:
    """The path of a jail and what is known of it; no path when the data makes no sense."""
    try:
        found = json.loads(data)
        if found["format"] == 1:
            return os.fsencode(found["path"]), [_checked(entry) for entry in found["jails"]]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    return None, []


def _is_a(kind: type, value: object) -> bool:
    """Whether a value is of this type; a truth value is no number here."""
    return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)


def _checked(entry: Entry) -> Entry:
    if not {"inode", "stamps", "id"} <= entry.keys() or not all(isinstance(stamp, str) for stamp in entry["stamps"]):
        raise ValueError(entry)
    if not all(_is_a(TYPES[key], value) for key, value in entry.items()):
        raise ValueError(entry)
    return entry
