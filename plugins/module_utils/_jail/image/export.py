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
from contextlib import closing
from typing import Any, Callable, Union

from ..errors import InputError, show
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


class _Exporter:
    """One export."""

    def __init__(self, jail: Jail, store: Layout, settings: Settings) -> None:
        self._jail, self._store, self._settings = jail, store, settings
        self._cache = LayerCache(jail.path)
        self._scan = Scan(jail.root, jail.mounts())
        self._new_layers: list[Layer] = []
        self._fingerprints: dict[str, Layer] = {}
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
        return [self._layer(*one) for one in zip(plans, fingerprints, found)]

    def _cached_layer(self, fingerprint: str) -> Layer | None:
        """The layer of this fingerprint, when the layout still has it."""
        layer = self._cache.layer(fingerprint)
        return layer if layer and self._store.has(layer.blob.digest, layer.blob.size) else None

    def _layer(self, plan: LayerPlan, fingerprint: str, layer: Layer | None) -> Layer:
        if layer is None:
            layer, certain = self._write(plan, self._packer)
            if not certain:
                self.warnings += layer.left_out
                return layer
        self.warnings += layer.left_out
        self._fingerprints[fingerprint] = layer
        return layer

    def _write(self, plan: LayerPlan, packer: Packer) -> tuple[Layer, bool]:
        """Write a layer; whether it certainly belongs to the fingerprint."""
        previous = self._cache.blocks.get(plan.name)
        blob = Descriptor("", previous.digest, previous.size) if previous and packer is Gzip else None
        if previous is None or blob is None or not self._store.is_intact(blob):
            return self._pack(plan, packer, None)
        with self._store.open_blob(blob) as file:
            return self._pack(plan, packer, PreviousBlocks(file, previous))

    def _pack(self, plan: LayerPlan, packer: Packer, previous: PreviousBlocks | None) -> tuple[Layer, bool]:
        blob = self._store.blob()
        stream = packer(blob.write)
        if isinstance(stream, Gzip):
            stream.former = previous
        try:
            writer = LayerWriter(self._jail.root, self._scan, plan, self._settings.epoch, stream)
            writer.run()
            diff_id, digest = stream.finish()
            if packer is not Gzip and stream.plain_size > max(SMALL, DENSEST * stream.packed_size):
                return self._write(plan, Gzip)
            layer = Layer(plan.name, diff_id, Descriptor(stream.media_type, digest, stream.packed_size))
            layer = layer._replace(left_out=tuple(writer.left_out.warnings))
            if isinstance(stream, Gzip):
                start = stream.packed_size - TRAILER - sum(length for _key, length in stream.blocks)
                self._cache.blocks[plan.name] = Blocks.of(digest, stream.packed_size, start, stream.blocks)
            if not self._store.is_intact(layer.blob):
                blob.commit(digest)
                self._new_layers.append(layer)
        finally:
            stream.close()
            blob.abort()
        self.warnings += writer.warnings
        return layer, not writer.warnings and self._scan.is_settled(plan)
