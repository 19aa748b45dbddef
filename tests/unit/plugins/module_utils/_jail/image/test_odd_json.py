# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Indexes, manifests and configurations whose parts have other types than those of the specification."""

from __future__ import annotations

import json
import os
import platform
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.image import layout, unpack

LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:" + "0" * 64, "size": 1}
CPU = {"x86_64": "amd64"}.get(platform.machine(), "arm64")
CONFIG: dict[str, Any] = {"os": "darwin", "architecture": CPU, "rootfs": {"diff_ids": ["x"]}}


def put(place: Path, value: Any) -> dict[str, Any]:
    """A blob, and what names it."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    digest = layout.digest_of(data)
    file = place / "image" / os.fsdecode(layout.blob_path(digest))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return {"mediaType": layout.MANIFEST_TYPE, "digest": digest, "size": len(data)}


def image(place: Path, *config: Any, **manifest: Any) -> dict[str, Any]:
    """With this configuration, or with a right one when none is given."""
    (configuration,) = config or (CONFIG,)
    return put(place, {"config": put(place, configuration), "layers": [LAYER], **manifest})


def unpacked(place: Path, *manifests: Any) -> str:
    """Why the image is refused."""
    (place / "image").mkdir(exist_ok=True)
    (place / "image/oci-layout").write_bytes(layout.MARKER_TEXT)
    (place / "image/index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": manifests}))
    with pytest.raises(InputError) as caught:
        unpack.unpack(str(place / "new"), str(place / "image"), "latest", False)
    assert not (place / "new").exists()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400 + len(str(place))
    return str(caught.value)


def named(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "annotations": {layout.REF_NAME: "latest"}}


@pytest.mark.parametrize("annotations", [[1], "abc", 5, True, {layout.REF_NAME: {}}, {layout.REF_NAME: ["latest"]}])
def test_annotations(place: Path, annotations: Any) -> None:
    assert "contains no image named latest (it contains none)" in unpacked(place, {"annotations": annotations})


@pytest.mark.parametrize("manifests", [5, True, "abc", {"a": 1}, [5], [{"platform": {"os": ["darwin"]}}]])
def test_manifests_of_several_platforms(place: Path, manifests: Any) -> None:
    nested = {**put(place, {"manifests": manifests}), "mediaType": layout.INDEX_TYPE}
    assert "has no image for darwin/" in unpacked(place, named(nested))


CONFIGS: dict[str, tuple[dict[str, Any], str]] = {
    "another system": ({"os": {"a": "b" * 10_000}, "architecture": []}, "is for unknown/unknown, this Mac is darwin/"),
    "a long system": ({"os": "\x1b[31m" + "b" * 10_000}, r"is for \x1b[31mbbbb"),
    "no root file system": ({"rootfs": 5}, "do not name the same layers"),
    "diff_ids": ({"rootfs": {"diff_ids": {"x": 1}}}, "do not name the same layers"),
    "os.version": ({"os.version": {"a": 1}}, "is missing or has not 1 bytes"),
}


@pytest.mark.parametrize("what", CONFIGS)
def test_configurations(place: Path, what: str) -> None:
    config, why = CONFIGS[what]
    assert why in unpacked(place, named(image(place, {**CONFIG, **config})))


MANIFESTS: dict[str, tuple[dict[str, Any], str]] = {
    "layers": ({"layers": {"a": 1}}, "do not name the same layers"),
    "a layer": ({"layers": [5]}, "does not name its parts by type, sha256 digest and size"),
    "no size": ({"layers": [{**LAYER, "size": "1"}]}, "does not name its parts"),
    "a negative size": ({"layers": [{**LAYER, "size": -1}]}, "is missing or has not -1 bytes"),
    "a huge size": ({"layers": [{**LAYER, "size": 10**30}]}, "is missing or has not"),
    "an endless size": ({"layers": [{**LAYER, "size": 10**40}]}, "is damaged: it is not JSON"),
    "a long type": ({"layers": [{**LAYER, "mediaType": "\x1b" * 10_000}]}, r"has a layer of type \x1b"),
}


@pytest.mark.parametrize("what", MANIFESTS)
def test_manifests(place: Path, what: str) -> None:
    manifest, why = MANIFESTS[what]
    assert why in unpacked(place, named(image(place, **manifest)))


def test_a_number_of_millions_of_digits(place: Path) -> None:
    """Python 3.9 converts them in quadratic time: minutes."""
    started = time.process_time()
    entry = put(place, b'{"layers":' + b"9" * 4_000_000 + b"}")
    assert "it is not JSON" in unpacked(place, named(entry))
    assert time.process_time() - started < 2


def test_names_of_images(place: Path) -> None:
    unpacked(place, {"annotations": {layout.REF_NAME: "other"}}, {"annotations": {layout.REF_NAME: 5}}, {})
    with closing(layout.open_layout(os.fsencode(place / "image"), True)) as store:
        assert store.names() == ["other"]
