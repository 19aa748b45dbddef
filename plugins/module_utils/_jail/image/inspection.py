# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify an image, and that unpacking it does no harm.

Digests are compared, and every entry of every layer is checked: before
anything is written, or each right before it is written, where the jail is
removed when something is refused (one_pass.py). Names that are absolute, hold `..` or lie
below a link or a file are refused, and so are hard links to anything but a
file or link of the image, links that climb out of the jail, devices that a Mac
has not in /dev, whatever touches the collection's own directory, whiteouts that
hide no name, names that the jail's volume cannot hold or takes for one, and what
unpacks to more than a layer can hold or the volume has room for.

What is accepted here can be unpacked.

Memory grows with the number of files: a name for each, and for those of one
layer a second one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from typing import BinaryIO

from ..errors import InputError, SpaceError, show
from ..limits import IMAGE_ENTRIES
from ..protected import STATE
from ..sizes import size
from ..system import host, progress
from ..system.name_collisions import CollisionFinder
from ..system.volume_names import names_at
from ..tar.names import MAX_PATH, climbs, error_in_name, plain_name
from .config import Layer
from .entry_names import error_in_entry
from .layer_reader import Entry, LayerReader, PlainReader, entries
from .layout import Descriptor, Layout
from .merging import MergedTree
from .zstd import MEDIA_TYPE, ZstdReader

DEVICES = frozenset(b"dev/" + name for name in b"null zero random urandom tty ptmx".split())
"""The devices that a jail may have; they get the device numbers of the Mac's own."""
CHECKED_KINDS = frozenset(("other", "device", "symlink"))
"""Kinds of entries with checks of their own."""
LONGEST_XATTR = 127
"""XATTR_MAXNAMELEN of macOS."""

READERS: dict[str, type[LayerReader]] = {
    "application/vnd.oci.image.layer.v1.tar": PlainReader,
    "application/vnd.oci.image.layer.v1.tar+gzip": LayerReader,
    MEDIA_TYPE: ZstdReader,
    "application/vnd.docker.image.rootfs.diff.tar": PlainReader,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": LayerReader,
    "application/vnd.docker.image.rootfs.diff.tar.zstd": ZstdReader,
}
"""The types of layers that are read."""


def open_layer(file: BinaryIO, blob: Descriptor, where: str) -> LayerReader:
    """The tar stream of a layer, whichever way it is packed."""
    return READERS[blob.media_type](file, blob.size, where)


def verify_digests(stream: LayerReader, layer: Layer, where: str) -> None:
    """Read the rest of a layer; InputError when it is not what its digests say."""
    if stream.digests() != (layer.diff_id, layer.blob.digest):
        raise InputError(f"{where} does not match its digest: it was damaged or replaced")


class Inspection:
    """Inspects the layers one after the other, and keeps what unpacking needs to know."""

    def __init__(self, layout: Layout, target: bytes) -> None:
        self._layout = layout
        self._free = host.free_bytes(target)
        self.bytes = self.files = self._entries = 0
        self.effective_whiteouts: list[list[Entry]] = []
        """For each layer, the whiteouts in it that hide something."""
        self.can_resume: list[bool] = []
        """For each layer, whether a run after a killed one may go on with it."""
        self.warnings: list[str] = []
        """Warnings about attributes that the volume refused, once it is unpacked."""
        self.top: Entry | None = None
        """The last entry for the directory that becomes the jail."""
        self._names = names_at(target)
        self._spellings, self._target = CollisionFinder(self._names), target
        self._spellings.add(STATE)
        self._spellings.end_layer()
        self._merged = MergedTree(self._names.key, host.max_links(target))
        self._whiteouts: list[Entry] = []
        self._entries_of_layer: list[tuple[bytes, str, bytes]] = []
        """The rest of a layer: paths, kinds, and what hard links lead to."""
        self._where = ""

    def inspect(self, layers: Sequence[Layer]) -> None:
        for layer in layers:
            self._inspect_layer(layer)

    def _inspect_layer(self, layer: Layer) -> None:
        self._where = f"the layer {layer.blob.digest}"
        self._whiteouts, self._entries_of_layer = [], []
        with self._layout.open_blob(layer.blob) as file:
            with closing(open_layer(file, layer.blob, self._where)) as stream:
                for entry in entries(stream, self._where):
                    self._inspect_entry(entry, stream)
                verify_digests(stream, layer, self._where)
        progress.done(progress.INSPECT)
        self._merge()
        self._spellings.end_layer()
        self._refuse_clash()

    def _merge(self) -> None:
        """Put the layer upon the lower ones, as it will be applied."""
        self._merged.begin_layer()
        hiding = [one for one in self._whiteouts if self._merged.hide(one.path, one.kind == "opaque")]
        self.effective_whiteouts.append(hiding)
        for entry in self._entries_of_layer:
            self._merge_entry(*entry)
        self.can_resume.append(self._merged.can_resume)
        self._refuse_whiteouts()

    def _merge_entry(self, path: bytes, kind: str, first: bytes) -> None:
        wrong = self._merged.add(path, kind, first)
        if wrong:
            self._refuse(path, wrong)
        if self._merged.size > IMAGE_ENTRIES:
            self._refuse_too_many()

    def _refuse_whiteouts(self) -> None:
        for whiteout in self._whiteouts:
            directory = whiteout.path if whiteout.kind == "opaque" else os.path.dirname(whiteout.path)
            self._refuse(whiteout.raw, self._merged.error_in_whiteout(directory))

    def _refuse_too_many(self) -> None:
        raise InputError(IMAGE_ENTRIES.exceeded("unpack", self._where))

    def _refuse(self, name: bytes, wrong: str) -> None:
        if wrong:
            raise InputError(f"refusing {self._where}: '{show(name[:MAX_PATH])}' in it {wrong}")

    def _refuse_clash(self) -> None:
        if self._spellings.collision:
            one, other = map(show, self._spellings.collision)
            raise InputError(
                f"refusing {self._where}: '{one}' and '{other}' of the image are one name on the volume of "
                f"{show(self._target)}, and one of the two would be lost: unpack it on a volume that tells them apart"
            )

    def _inspect_entry(self, entry: Entry, stream: LayerReader) -> None:
        self._entries += 1
        if self._entries > IMAGE_ENTRIES:
            self._refuse_too_many()
        wrong = error_in_entry(entry) or self._error_in(entry)
        if wrong:
            self._refuse(entry.raw, wrong)
        path = entry.path
        if entry.kind in ("whiteout", "opaque"):
            self._spellings.hide(path, entry.kind == "opaque")
            self._add_whiteout(entry._replace(raw=plain_name(entry.raw), link=b"", xattrs={}))
            return
        self._spellings.add(path)
        if self._spellings.size > IMAGE_ENTRIES:
            self._refuse_too_many()
        if not path:
            self.top = entry
        if entry.kind != "directory":
            self._count(entry.size if entry.kind == "file" else 0)
        self._add_entry(entry, stream)

    def _add_whiteout(self, entry: Entry) -> None:
        self._whiteouts.append(entry)

    def _add_entry(self, entry: Entry, _stream: LayerReader) -> None:
        self._entries_of_layer.append((entry.path, entry.kind, entry.first if entry.kind == "hardlink" else b""))

    def _count(self, count: int) -> None:
        self.files += 1
        self.bytes += count
        if self.bytes > self._free:
            raise SpaceError(f"the image needs more than {size(self.bytes)}, {size(self._free)} free: free some space")

    def _error_in(self, entry: Entry) -> str:
        path = entry.path
        if len(path) > MAX_PATH or len(entry.link) > MAX_PATH:
            return "is longer than a path can be"
        wrong = self._names.name_error(path)
        if wrong:
            return f"{wrong}, which is not supported by the volume of {show(self._target)}"
        if entry.xattrs and any(map(_is_invalid_xattr, entry.xattrs)):
            return "has an extended attribute without a proper name"
        if entry.kind == "hardlink" and error_in_name(entry.link):
            return f"is a hard link to {show(entry.link)}, which is not an earlier file of the image"
        return self.error_by_kind(entry)

    @classmethod
    def error_by_kind(cls, entry: Entry) -> str:
        """Why an entry of its kind is refused, whatever else the image holds; empty when it is not."""
        return str(getattr(cls, f"_error_in_{entry.kind}")(entry)) if entry.kind in CHECKED_KINDS else ""

    @staticmethod
    def _error_in_other(entry: Entry) -> str:
        return "is neither file, directory nor link"

    @staticmethod
    def _error_in_device(entry: Entry) -> str:
        return "" if entry.path in DEVICES else "is a device that a jail has no use for"

    @staticmethod
    def _error_in_symlink(entry: Entry) -> str:
        if len(entry.link) > MAX_PATH:
            return "is longer than a path can be"
        if not entry.link or b"\0" in entry.link:
            return "is a link to nowhere"
        return f"is a link that climbs out of the jail: {show(entry.link)}" if climbs(entry.path, entry.link) else ""


def _is_invalid_xattr(name: str) -> bool:
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        return True
    return "\0" in name or "/" in name or not 0 < length <= LONGEST_XATTR
