# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The largest layer of an image is written together with the others."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.config import Settings
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.export import export
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.layer_writer import LayerWriter
from image_jails import Make


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
@pytest.mark.parametrize("fails_aside", [True, False])
def test_where_one_layer_cannot_be_read_the_one_beside_it_ends(
    make_jail: Make, place: Path, monkeypatch: pytest.MonkeyPatch, compression: str, fails_aside: bool
) -> None:
    def run(writer: LayerWriter) -> None:
        if (threading.current_thread() is not threading.main_thread()) is fails_aside:
            raise OperationError("read", "/jail/file", "Input/output error")
        while True:
            writer._write(os.urandom(1 << 20))

    jail, before = make_jail("jail"), threading.active_count()
    settings = Settings(architecture="arm64", compression=compression)
    with monkeypatch.context() as patch:
        patch.setattr(LayerWriter, "run", run)
        with pytest.raises(OperationError, match=r"^cannot read /jail/file: Input/output error$"):
            export(str(jail), str(place / "image"), "latest", settings, False)
    assert threading.active_count() == before
    assert not list((place / "image/blobs/sha256").iterdir())
    assert export(str(jail), str(place / "image"), "latest", settings, False).changed
