# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspect an image and put it into a new jail in one pass.

Each entry is inspected before it is put into the jail, which only root can
enter meanwhile; the digests come last. Whatever is wrong with an image, the
jail is removed, and the image is inspected without unpacking it, which names
the error. So this accepts nothing that the inspection refuses. It gives up on
some images that the inspection accepts: with a whiteout behind entries of its
own layer at the same path, or larger than half of the free space.

Memory: as the inspection.
"""

from __future__ import annotations

from ..errors import JailError
from .applier_process import AnyApplier
from .config import Layer
from .inspection import Inspection
from .layer_reader import Entry, LayerReader
from .layout import Layout


class OnePassError(JailError):
    """It cannot be done in one pass."""


class OnePassInspection(Inspection):
    """Layers that are put into a jail while they are inspected, the lowest first."""

    def __init__(self, layout: Layout, target: bytes, applier: AnyApplier) -> None:
        super().__init__(layout, target)
        self._applier = applier
        self._touched: dict[int, bool] = {}
        """Above the lowest layer: False for each path that the layer made or linked to, True for its parents.

        By the hash of its key, for a short archive can imply millions of long paths.
        """
        self._last_touched: bytes | None = None
        """The key of the directory whose entry came last: the next one is often there, too."""
        self._number = 0

    def add_layer(self, layer: Layer) -> None:
        """Add the next layer to the others; InputError, SpaceError or OnePassError at an entry that is wrong."""
        self._number += 1
        self._touched, self._last_touched = {}, None
        self._merged.begin_layer()
        self.inspect((layer,))

    def _add_entry(self, entry: Entry, stream: LayerReader) -> None:
        path, first = entry.path, entry.first if entry.kind == "hardlink" else b""
        self._merge_entry(path, entry.kind, first)
        if self._number > 1:
            self._touch(self._names.key(path))
            if first:
                self._touch(self._names.key(first))
        self._applier.put(entry, stream)

    def _touch(self, key: bytes) -> None:
        touched, above = self._touched, key.rpartition(b"/")[0]
        touched.setdefault(hash(key), False)
        if not key or above == self._last_touched:
            return
        self._last_touched = above
        while not touched.get(hash(above)):
            touched[hash(above)] = True
            if not above:
                break
            above = above.rpartition(b"/")[0]

    def _add_whiteout(self, entry: Entry) -> None:
        opaque = entry.kind == "opaque"
        self._whiteouts.append(entry)
        if self._number > 1 and self._merged.hide(entry.path, opaque):
            key = hash(self._names.key(entry.path))
            if self._touched.get(key, False) if opaque else key in self._touched:
                raise OnePassError("a whiteout hides what its own layer has touched")
            self._applier.hide(entry)

    def _merge(self) -> None:
        self._refuse_whiteouts()

    def _count(self, count: int) -> None:
        super()._count(count)
        if self.bytes > self._free // 2:
            raise OnePassError("it takes more than half of the free space")
