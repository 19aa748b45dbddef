# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make an image of a jail.

    scan -> for each layer: taken from the cache, or written -> config -> manifest -> index

The index is written last, so that an image is in it complete or not at all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Lock
from typing import Any, Callable, NamedTuple, Union

from ..errors import InputError, JailError, show
from ..jail import Jail, is_empty, jail_path, open_jail
from ..predicted import not_built_yet_warning
from ..result import Result
from ..sizes import size
from ..system import host, progress
from ..system.build_lock import locked_directory
from . import config as configs
from .blocks import Blocks, PreviousBlocks
from .config import Layer, Settings
from .layer_cache import LayerCache
from .layer_writer import LayerWriter
from .layout import CONFIG_TYPE, MANIFEST_TYPE, Descriptor, Layout, encode, open_layout
from .packing import DENSEST, SMALL, TRAILER, Gzip
from .scan import LayerPlan, Scan
from .zstd import Zstd
from .zstd import recipe as zstd_recipe

FORMAT = 4
"""Raise it when the same jail gives other layers than before."""
Packer = Callable[[Callable[[bytes], None]], Union[Gzip, Zstd]]


def export(jail: str, layout: str, name: str, settings: Settings, check: bool) -> Result:
    """Make the image of a jail in a layout; nothing changes when it is there already."""
    started = time.monotonic()
    place = _layout_path(layout)
    path = jail_path(jail)
    if check and is_empty(path):
        return Result(True, {"layers": []}, [f"+ image {name}"], [not_built_yet_warning(path)])
    with open_jail(jail) as opened:
        if (place + b"/").startswith(opened.path + b"/"):
            raise InputError(f"{layout} lies in the jail {show(opened.path)}: choose a directory outside of it")
        opened.refuse_unknown("make an image of")
        if opened.entry.get("state") != "complete":
            raise InputError(f"{show(opened.path)} is not complete: let darwin_jail_rootfs finish it first")
        configs.config(opened.root, settings, ())
        opened.lock(check)
        with closing(open_layout(place, check)) as store:
            result = _export(opened, store, settings, name, check)
    result.values["stats"]["seconds"] = round(time.monotonic() - started, 3)
    return result


def _export(jail: Jail, store: Layout, settings: Settings, name: str, check: bool) -> Result:
    if check:
        return _Exporter(jail, store, settings).result(name, check)
    with locked_directory(store.root):
        store.clean_up()
        return _Exporter(jail, store, settings).result(name, check)


def _layout_path(layout: str) -> bytes:
    place = host.real_path(layout)
    if os.path.lexists(place) and not os.path.isdir(place):
        raise InputError(f"{layout} is not a directory, and so not an image layout: choose another path")
    return place


class _Made(NamedTuple):
    """A layer that is there."""

    layer: Layer
    warnings: Sequence[str] = ()
    is_new: bool = False
    is_certain: bool = True
    """Whether it certainly belongs to its fingerprint."""


class _StoppedError(JailError):
    """The other layer that is written cannot be."""


class _Exporter:
    """One export."""

    def __init__(self, jail: Jail, store: Layout, settings: Settings) -> None:
        self._jail, self._store, self._settings = jail, store, settings
        self._cache = LayerCache(jail.path)
        self._scan = Scan(jail.root, jail.mounts())
        self._new_layers: list[Layer] = []
        self._fingerprints: dict[str, Layer] = {}
        self._lock, self._is_stopped = Lock(), False
        """For the layout, while two layers are written; and whether one of them has failed."""
        self.warnings = list(self._scan.warnings)
        by_zstd = settings.compression == "zstd"
        self._packer: Packer = Zstd if by_zstd else Gzip
        self._recipe = zstd_recipe() if by_zstd else Gzip.recipe

    def result(self, name: str, check: bool) -> Result:
        layers = self._layers(check)
        config = self._store.put(CONFIG_TYPE, encode(configs.config(self._jail.root, self._settings, layers)))
        manifest = self._store.put(MANIFEST_TYPE, encode(configs.manifest(config, layers)))
        previous = self._store.find(name)
        changed = previous is None or previous.get("digest") != manifest.digest or bool(self._new_layers)
        if not check:
            if changed:
                self._store.add(name, self._index_entry(manifest))
            self._cache.save(self._fingerprints)
        diff = [f"+ layer {layer.name} ({size(layer.blob.size)}, {layer.blob.digest})" for layer in self._new_layers]
        if changed:
            diff.append(f"+ image {name} ({manifest.digest})")
        return Result(changed, self._values(manifest, layers), diff, self.warnings)

    def _index_entry(self, manifest: Descriptor) -> dict[str, Any]:
        config = configs.config(self._jail.root, self._settings, ())
        platform = {key: config[key] for key in ("architecture", "os", "os.version")}
        return {**manifest.as_json(), "platform": platform}

    def _values(self, manifest: Descriptor, layers: list[Layer]) -> dict[str, Any]:
        made = {layer.blob.digest for layer in self._new_layers}
        return {
            "digest": manifest.digest,
            "layers": [
                {
                    "name": layer.name,
                    "digest": layer.blob.digest,
                    "diff_id": layer.diff_id,
                    "size": layer.blob.size,
                    "new": layer.blob.digest in made,
                }
                for layer in layers
            ],
            "stats": {
                "files": sum(plan.files for plan in self._scan.layers),
                "bytes": sum(plan.bytes for plan in self._scan.layers),
                "bytes_packed": sum(layer.blob.size for layer in layers),
                "bytes_new": sum(layer.blob.size for layer in self._new_layers),
            },
        }

    # -- layers -------------------------------------------------------------------

    def _layers(self, check: bool) -> list[Layer]:
        recipe = f"{FORMAT} {self._recipe} {self._settings.epoch}"
        plans = [plan for plan in self._scan.layers if plan.directories]
        fingerprints = [plan.fingerprint(recipe) for plan in plans]
        found = [self._cached_layer(one) for one in fingerprints]
        lacking = [plan for plan, layer in zip(plans, found) if layer is None]
        free = 0 if check else host.free_bytes(self._store.root.path)
        progress.begin(progress.PACK, sum(one.files for one in lacking), sum(one.bytes for one in lacking), free)
        written = self._write_all(lacking)
        made = [written[plan.number] if layer is None else _Made(layer) for plan, layer in zip(plans, found)]
        for fingerprint, one in zip(fingerprints, made):
            self._note(fingerprint, one)
        return [one.layer for one in made]

    def _write_all(self, plans: list[LayerPlan]) -> dict[int, _Made]:
        """Write layers, the largest in a thread of its own: it mostly waits for what packs and digests it."""
        if not plans:
            return {}
        *others, largest = sorted(plans, key=lambda plan: plan.bytes)
        with ThreadPoolExecutor(1) as thread:
            aside = thread.submit(self._write_or_stop, largest)
            try:
                made = {plan.number: self._write_or_stop(plan) for plan in others}
            except _StoppedError:
                made = {}
            return {**made, largest.number: aside.result()}

    def _write_or_stop(self, plan: LayerPlan) -> _Made:
        """Write a layer, and end the writing of the other one when that fails."""
        try:
            return self._write(plan, self._packer)
        except BaseException:
            self._is_stopped = True
            raise

    def _note(self, fingerprint: str, made: _Made) -> None:
        self.warnings += [*made.warnings, *made.layer.left_out]
        if made.is_new:
            self._new_layers.append(made.layer)
        if made.is_certain:
            self._fingerprints[fingerprint] = made.layer

    def _cached_layer(self, fingerprint: str) -> Layer | None:
        """The layer of this fingerprint, when the layout still has it."""
        layer = self._cache.layer(fingerprint)
        return layer if layer and self._store.has(layer.blob.digest, layer.blob.size) else None

    def _write(self, plan: LayerPlan, packer: Packer) -> _Made:
        previous = self._cache.blocks.get(plan.name)
        if not previous or packer is not Gzip:
            return self._pack(plan, packer, None)
        blob = Descriptor("", previous.digest, previous.size)
        with self._lock:
            is_intact = self._store.is_intact(blob)
        if not is_intact:
            return self._pack(plan, packer, None)
        with self._store.open_blob(blob) as file:
            return self._pack(plan, packer, PreviousBlocks(file, previous))

    def _pack(self, plan: LayerPlan, packer: Packer, previous: PreviousBlocks | None) -> _Made:
        with self._lock:
            blob = self._store.blob()

        def write(data: bytes) -> None:
            if self._is_stopped:
                raise _StoppedError("another layer cannot be written")
            blob.write(data)

        try:
            with closing(packer(write)) as stream, closing(self._jail.root.duplicate()) as root:
                if isinstance(stream, Gzip):
                    stream.former = previous
                writer = LayerWriter(root, self._scan, plan, self._settings.epoch, stream)
                writer.run()
                diff_id, digest = stream.finish()
            if packer is not Gzip and stream.plain_size > max(SMALL, DENSEST * stream.packed_size):
                return self._write(plan, Gzip)
            layer = Layer(plan.name, diff_id, Descriptor(stream.media_type, digest, stream.packed_size))
            layer = layer._replace(left_out=tuple(writer.left_out.warnings))
            if isinstance(stream, Gzip):
                start = stream.packed_size - TRAILER - sum(length for _key, length in stream.blocks)
                self._cache.blocks[plan.name] = Blocks.of(digest, stream.packed_size, start, stream.blocks)
            with self._lock:
                is_new = not self._store.is_intact(layer.blob)
                if is_new:
                    blob.commit(digest)
        finally:
            blob.abort()
        return _Made(layer, writer.warnings, is_new, not writer.warnings and self._scan.is_settled(plan))
