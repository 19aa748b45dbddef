# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is an image what it claims to be, and can it be unpacked without harm?

All of it is read before anything is written: digests are compared, and every
entry of every layer is looked at. Names that are absolute, hold `..` or lie
below a link or a file are refused, and so are hard links to anything but a
file of the image, links that climb out of the jail, devices that a Mac has not
in /dev, whatever touches the collection's own directory, whiteouts that hide no
name, two names that are one on the jail's volume, and what unpacks to more than
a layer can hold or the volume has room for.

Memory grows with the number of files: a name for each.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from typing import BinaryIO

from .._sys import host
from .._sys.limits import IMAGE_ENTRIES
from .._sys.names import names_at
from ..errors import InputError, SpaceError, show
from ..protected import STATE
from ..sizes import size
from ..spellings import Spellings
from ..tree.archive import climbs, fault_of_name
from .config import Layer
from .entry_names import fault_of_entry
from .layout import Descriptor, Layout
from .unpacking import Entry, Unpacked, entries
from .zstd import MEDIA_TYPE, UnpackedZstd

DEVICES = frozenset(b"dev/" + name for name in b"null zero random urandom tty ptmx".split())
"""Those that a jail may have; they get the numbers that the Mac's own have."""
LONGEST = 1024
"""PATH_MAX of macOS."""


GZIPPED = (
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
)
PACKED = (*GZIPPED, MEDIA_TYPE)
"""The types of layers that are read."""


def unpacked(file: BinaryIO, blob: Descriptor, where: str) -> Unpacked:
    """What a layer holds, whichever way it is packed."""
    kind = UnpackedZstd if blob.media_type == MEDIA_TYPE else Unpacked
    return kind(file, blob.size, where)


class Inspection:
    """What is found out about the layers, one after the other."""

    def __init__(self, layout: Layout, target: bytes) -> None:
        self._layout = layout
        self._free = host.free_bytes(target)
        self.bytes = self.files = self._entries = 0
        self.hidden: list[list[Entry]] = []
        """For each layer, the whiteouts in it."""
        names = names_at(target)
        self._key, self._spellings, self._target = names.key, Spellings(names), target
        self._spellings.add(STATE)
        self._spellings.end_layer()
        self._kinds: dict[bytes, str] = {}
        """What is no directory, by the key of its path."""
        self._where = ""

    def look(self, layers: Sequence[Layer]) -> None:
        for layer in layers:
            self._layer(layer)

    def _layer(self, layer: Layer) -> None:
        self._where = f"the layer {layer.blob.digest}"
        self.hidden.append([])
        with self._layout.open_blob(layer.blob) as file:
            with closing(unpacked(file, layer.blob, self._where)) as stream:
                for entry in entries(stream, self._where):
                    self._entry(entry)
                digests = stream.digests()
            if digests != (layer.diff_id, layer.blob.digest):
                raise InputError(f"{self._where} is not what its digest says: it was damaged or exchanged")
        self._spellings.end_layer()
        self._refuse_clash()

    def _refuse_clash(self) -> None:
        if self._spellings.clash:
            one, other = map(show, self._spellings.clash)
            raise InputError(
                f"refusing {self._where}: '{one}' and '{other}' of the image are one name on the volume of "
                f"{show(self._target)}, and one of the two would be lost: unpack it on a volume that tells them apart"
            )

    def _entry(self, entry: Entry) -> None:
        self._entries += 1
        if self._entries > IMAGE_ENTRIES:
            raise InputError(IMAGE_ENTRIES.exceeded("unpack", self._where))
        wrong = fault_of_entry(entry) or self._fault(entry)
        if wrong:
            raise InputError(f"refusing {self._where}: '{show(entry.raw)}' in it {wrong}")
        path = entry.path
        key = self._key(path)
        if entry.kind in ("whiteout", "opaque"):
            self.hidden[-1].append(entry._replace(xattrs={}))
            self._spellings.hide(path, entry.kind == "opaque")
            self._kinds.pop(key, None)
            return
        self._spellings.add(path)
        if entry.kind == "directory":
            self._kinds.pop(key, None)
        else:
            self._kinds[key] = entry.kind
            self._count(entry.size if entry.kind == "file" else 0)

    def _count(self, count: int) -> None:
        self.files += 1
        self.bytes += count
        if self.bytes > self._free:
            raise SpaceError(f"the image needs more than {size(self.bytes)}, {size(self._free)} free: free some space")

    def _fault(self, entry: Entry) -> str:
        if len(entry.path) > LONGEST or len(entry.link) > LONGEST:
            return "is longer than a path can be"
        if any(fault in key for key in entry.xattrs for fault in ("\0", "/")):
            return "has an extended attribute without a proper name"
        return self._fault_of_place(entry) or self._fault_of_first(entry) or self.fault_alone(entry)

    @classmethod
    def fault_alone(cls, entry: Entry) -> str:
        """What is wrong with an entry for what it is, whatever else the image holds."""
        return str(getattr(cls, f"_fault_of_{entry.kind}", cls._none)(entry))

    def _fault_of_place(self, entry: Entry) -> str:
        path = self._key(entry.path)
        while path:
            path = os.path.dirname(path)
            if path in self._kinds:
                return f"lies below {show(path)}, which is no directory"
        return ""

    @staticmethod
    def _none(entry: Entry) -> str:
        return ""

    @staticmethod
    def _fault_of_other(entry: Entry) -> str:
        return "is neither file, directory nor link"

    @staticmethod
    def _fault_of_device(entry: Entry) -> str:
        return "" if entry.path in DEVICES else "is a device that a jail has no use for"

    @staticmethod
    def _fault_of_symlink(entry: Entry) -> str:
        if len(entry.link) > LONGEST:
            return "is longer than a path can be"
        if not entry.link or b"\0" in entry.link:
            return "is a link to nowhere"
        return f"is a link that climbs out of the jail: {show(entry.link)}" if climbs(entry.path, entry.link) else ""

    def _fault_of_first(self, entry: Entry) -> str:
        if entry.kind != "hardlink":
            return ""
        if fault_of_name(entry.link) or self._kinds.get(self._key(entry.first)) not in ("file", "hardlink"):
            return f"is a hard link to {show(entry.link)}, which is no earlier file of the image"
        return ""
