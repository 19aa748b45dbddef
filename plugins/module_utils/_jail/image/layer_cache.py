# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers that were made of a jail, by fingerprint, and the blocks that they are packed in.

The Mac keeps it, where nobody in the jail can change it. Without it all layers
are packed again, with the same result.
"""

from __future__ import annotations

import json
import os
from typing import Any

from .. import host_state
from ..errors import InputError
from ..host_state import layer_note_name
from ..system import host, run_directories
from ..system.rooted import Root
from .blocks import Blocks
from .config import Layer
from .layout import DIGEST, Descriptor

MAX_SIZE = 1 << 24
BLOCKS = "blocks of "
"""Prefix of keys that are not fingerprints; the name of a layer follows."""


class LayerCache:
    """By fingerprint, the layers of one jail."""

    def __init__(self, jail: bytes) -> None:
        self._name = layer_note_name(jail)
        self.blocks: dict[str, Blocks] = {}
        """By the name of a layer, those of its last blob."""
        self._layers = self._load()
        self._saved = dict(self.blocks)

    def _load(self) -> dict[str, Layer]:
        """Empty when the note cannot be read."""
        if not os.path.isdir(host_state.NOTES):
            return {}
        with Root(host_state.NOTES) as root:
            data = root.read(self._name, MAX_SIZE) or b"{}"
        try:
            found = json.loads(data)
            blocks = {key[len(BLOCKS) :]: _blocks(found[key]) for key in found if key.startswith(BLOCKS)}
            layers = {key: _layer(found[key]) for key in found if not key.startswith(BLOCKS)}
            self.blocks = blocks
            return layers
        except (ValueError, TypeError, KeyError, AttributeError, InputError):
            return {}

    def layer(self, fingerprint: str) -> Layer | None:
        return self._layers.get(fingerprint)

    def save(self, layers: dict[str, Layer]) -> None:
        """Remember these, and no others."""
        if layers == self._layers and self.blocks == self._saved:
            return
        host.make_dirs(host_state.NOTES)
        data: dict[str, Any] = {
            key: [layer.name, layer.diff_id, *layer.blob, *layer.left_out] for key, layer in layers.items()
        }
        data.update((BLOCKS + name, blocks) for name, blocks in self.blocks.items())
        with run_directories.staged_root(host_state.NOTES) as root:
            root.write(self._name, json.dumps(data, indent=1, sort_keys=True).encode() + b"\n", mode=0o600)


def _blocks(fields: list[object]) -> Blocks:
    digest, size, start, packed = fields
    if not (isinstance(size, int) and isinstance(start, int) and isinstance(packed, str)):
        raise ValueError(fields)
    if not DIGEST.fullmatch(str(digest)) or start < 0:
        raise ValueError(fields)
    return Blocks(str(digest), size, start, packed)


def _layer(fields: list[object]) -> Layer:
    name, diff_id, media_type, digest, size, *left_out = fields
    texts = name, diff_id, media_type, digest, *left_out
    if not all(isinstance(text, str) for text in texts) or not isinstance(size, int):
        raise ValueError(fields)
    if not DIGEST.fullmatch(str(diff_id)) or not DIGEST.fullmatch(str(digest)):
        raise ValueError(fields)
    return Layer(str(name), str(diff_id), Descriptor(str(media_type), str(digest), size), tuple(map(str, left_out)))
