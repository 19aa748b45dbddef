# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What of a layer stays is not packed again, and the layer is the same as one that is made again."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.image import packing
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.config import Settings
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.export import export
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from image_jails import Make

LARGE = 20 << 20


def exported(jail: Path, layout: Path) -> Result:
    return export(str(jail), str(layout), "latest", Settings("arm64"), False)


@pytest.fixture
def jail(make_jail: Make, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a large file, and many small ones around it."""
    found = make_jail("jail")
    chance = random.Random(1)  # noqa: S311
    (found / "opt/homebrew/large").write_bytes(chance.randbytes(LARGE))
    for number in range(400):
        (found / f"opt/homebrew/{number}").write_bytes(chance.randbytes(9000))
    return found


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of all blocks that are packed."""
    sizes: list[int] = []
    original = packing._deflate

    def count(block: bytes, *more: Any) -> bytes:
        sizes.append(len(block))
        return original(block, *more)

    monkeypatch.setattr(packing, "_deflate", count)
    return sizes


@pytest.mark.parametrize("change", ["new", "gone", "longer", "large"])
def test_one_file_changes(jail: Path, place: Path, mac: Path, packed: list[int], change: str) -> None:
    exported(jail, place / "image")
    whole = sum(packed)
    packed.clear()
    top = jail / "opt/homebrew"
    if change == "new":
        (top / "1new").write_bytes(b"x" * 12_345)
    elif change == "gone":
        (top / "200").unlink()
    else:
        with (top / ("200" if change == "longer" else "large")).open("r+b") as file:
            file.seek(5_000_000 if change == "large" else 8000)
            file.write(b"more" * 5000)
    again = exported(jail, place / "image")
    assert 0 < sum(packed) < 4 << 20 < whole
    shutil.rmtree(mac)
    assert exported(jail, place / "redo").values["digest"] == again.values["digest"]


@pytest.mark.parametrize("damage", ["blob", "note", "no blob"])
def test_what_is_damaged_is_not_taken(jail: Path, place: Path, mac: Path, packed: list[int], damage: str) -> None:
    first = exported(jail, place / "image")
    whole = sum(packed)
    packed.clear()
    digest = next(layer["digest"] for layer in first.values["layers"] if layer["name"] == "Homebrew")
    blob = place / "image/blobs/sha256" / digest.partition(":")[2]
    (note,) = mac.iterdir()
    if damage == "blob":
        data = bytearray(blob.read_bytes())
        data[len(data) // 2] ^= 1
        blob.write_bytes(data)
    elif damage == "no blob":
        blob.unlink()
    else:
        said = json.loads(note.read_bytes())
        said["blocks of Homebrew"][3] = said["blocks of Homebrew"][3][:-5]
        note.write_text(json.dumps(said))
    (jail / "opt/homebrew/1new").write_bytes(b"new")
    again = exported(jail, place / "image")
    assert sum(packed) > LARGE < whole
    shutil.rmtree(mac)
    assert exported(jail, place / "redo").values["digest"] == again.values["digest"]


def test_blocks_of_another_zlib_or_level_are_not_taken(
    make_jail: Make, place: Path, mac: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jail = make_jail("jail")
    (jail / "opt/homebrew/text").write_text("".join(str(number * number) for number in range(100_000)))
    exported(jail, place / "image")
    monkeypatch.setattr(packing, "LEVEL", 9)
    monkeypatch.setattr(packing.Gzip, "recipe", "gzip 9")
    again = exported(jail, place / "image")
    shutil.rmtree(mac)
    assert exported(jail, place / "redo").values["digest"] == again.values["digest"]
