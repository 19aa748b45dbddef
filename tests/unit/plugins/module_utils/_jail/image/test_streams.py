# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Layers of compressed streams that follow each other: each costs time, however little it holds."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.image import layer_reader, zstd
from ansible_collections.darwin.jail.plugins.module_utils._jail.limits import Limit
from ansible_collections.darwin.jail.plugins.module_utils._jail.tree import decompression
from foreign_images import archive, member, put

from .test_unpack import unpacked

FEW = Limit(3, "compressed streams", "of a reason")
SKIPPED = (0x184D2A53).to_bytes(4, "little") + (5).to_bytes(4, "little") + b"notes"


def by_zstd(data: bytes, *options: str) -> bytes:
    return subprocess.run(["zstd", "-qc", *options], input=data, check=True, capture_output=True).stdout


PACKINGS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "gzip": (gzip.compress, "gzip"),
    "zstd": (by_zstd, "zstd"),
    "skipped": (lambda _data: SKIPPED, "zstd"),
}


@pytest.mark.parametrize("packing", PACKINGS)
def test_streams_without_end(place: Path, monkeypatch: pytest.MonkeyPatch, packing: str) -> None:
    """With the third one all is there, and the fourth one is refused."""
    empty, kind = PACKINGS[packing]
    if kind == "zstd" and not shutil.which("zstd"):
        pytest.skip("zstd is not here")
    pack = PACKINGS[kind][0]
    monkeypatch.setattr(layer_reader if kind == "gzip" else zstd, "STREAMS", FEW)

    def layers(count: int) -> None:
        put(
            place,
            archive(member("one", data=b"data")),
            pack=lambda data: empty(b"") * count + pack(data),
            kind=f"application/vnd.oci.image.layer.v1.tar+{kind}",
        )

    layers(3)
    with pytest.raises(InputError, match=r"it has more than 3 compressed streams, which is the limit: of a reason"):
        unpacked(place)
    assert not (place / "new").exists()
    layers(2)
    unpacked(place)
    assert (place / "new/one").read_text() == "data"


@pytest.mark.skipif(not shutil.which("zstd"), reason="zstd is not here")
def test_zstd_has_a_thread_for_each_processor_and_packs_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    data, packed = random.Random(1).randbytes(1000) * 30_000, set()  # noqa: S311
    for processors, threads in ((1, b"-T1"), (2, b"-T2"), (9, b"-T4")):
        monkeypatch.setattr(os, "cpu_count", lambda count=processors: count)
        parts: list[bytes] = []
        with closing(zstd.Zstd(parts.append)) as stream:
            command = Path(f"/proc/{stream._filter._process.pid}/cmdline").read_bytes()
            stream.write(data)
            stream.finish()
        assert threads in command.split(b"\0")
        packed.add(b"".join(parts))
    assert len(packed) == 1


@pytest.mark.skipif(not shutil.which("zstd"), reason="zstd is not here")
def test_frames_are_found_as_zstd_writes_them(tmp_path: Path) -> None:
    chance = random.Random(1)  # noqa: S311
    (tmp_path / "dictionary").write_bytes(bytes(range(256)) * 8)
    large = bytes(300_000) + chance.randbytes(300_000)
    frames = [
        by_zstd(data, *options)
        for data in (b"", b"x", large, b"text " * 1000)
        for options in (
            (),
            ("--no-check",),
            ("-19", "--long=27"),
            ("--no-content-size",),
            ("-D", str(tmp_path / "dictionary")),
        )
    ]
    (tmp_path / "file").write_bytes(large)
    frames += [SKIPPED, by_zstd(b"", str(tmp_path / "file"))]
    chance.shuffle(frames)
    together = b"".join(frames)
    for most in (1, 7, 4096, len(together)):
        found, start = zstd.Frames("it"), 0
        while start < len(together):
            size = chance.randint(1, most)
            found.feed(together[start : start + size])
            start += size
        assert found.count == len(frames)


BEGUN = (0xFD2FB528).to_bytes(4, "little") + b"\0\x58"
"""A frame of zstd: its magic number, no flags, and a window."""
SMALL = {
    "empty": (bytes(3), b""),
    "of one byte": ((1 << 3).to_bytes(3, "little") + b"x", b"x"),
    "of one byte many times": ((9 << 3 | 1 << 1).to_bytes(3, "little") + b"x", b"x" * 9),
}
"""Blocks that hold next to nothing, and what they unpack to."""


@pytest.mark.skipif(not shutil.which("zstd"), reason="zstd is not here")
@pytest.mark.parametrize("small", SMALL)
def test_blocks_without_end(place: Path, monkeypatch: pytest.MonkeyPatch, small: str) -> None:
    """They are counted over all frames, but for the last block of each."""
    monkeypatch.setattr(zstd, "SMALL_BLOCKS", FEW)
    block, plain = SMALL[small]
    last = (1).to_bytes(3, "little")
    assert subprocess.check_output(["zstd", "-dc"], input=BEGUN + block * 2 + last) == plain * 2
    found = zstd.Frames("it")
    found.feed((BEGUN + block * 2 + last) * 1 + (BEGUN + last) * 5 + BEGUN + block + (64 << 3).to_bytes(3, "little"))
    found.feed(bytes(64))
    with pytest.raises(InputError, match="it has more than 3 compressed streams, which is the limit: of a reason"):
        found.feed(block)
    data = archive(member("one", data=b"data"))
    kind = "application/vnd.oci.image.layer.v1.tar+zstd"
    put(place, data, pack=lambda data: by_zstd(data) + BEGUN + block * 4 + last, kind=kind)
    with pytest.raises(InputError, match="which is the limit"):
        unpacked(place)
    assert not (place / "new").exists()


@pytest.mark.skipif(not shutil.which("zstd"), reason="zstd is not here")
def test_a_directory_that_is_there_keeps_its_mode(place: Path) -> None:
    """It is closed meanwhile, for zstd may give something else the second time."""
    put(place, archive(member("one")), pack=by_zstd, kind="application/vnd.oci.image.layer.v1.tar+zstd")
    (place / "new").mkdir()
    (place / "new").chmod(0o750)
    unpacked(place)
    assert (place / "new").stat().st_mode & 0o7777 == 0o750


def test_what_is_no_frame_is_left_to_zstd() -> None:
    found = zstd.Frames("it")
    for _piece in range(10):
        found.feed(os.urandom(1000).replace(b"\xfd", b"").replace(b"\x18", b""))
    assert found.count == 1


SINGLE = gzip.compress(b"a", mtime=0)


def test_single_bytes_cost_no_more_the_more_is_held(tmp_path: Path) -> None:
    """What is held for a header is not copied for each of them."""
    size, count = 1 << 22, 10_000
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(random.Random(1).randbytes(size), 1) + SINGLE * count)  # noqa: S311
    with packed.open("rb") as file, closing(layer_reader.LayerReader(file, size, "it")) as stream:
        list(stream.contents(size - 1))
        assert 0 < len(list(stream.contents(count))) < 10
    took = []
    for reads in ((size, *[1] * count), (size + count,)):
        with packed.open("rb") as file:
            expanded, before = decompression.opened(file, "it"), time.process_time()
            read = [len(expanded.read(one)) for one in reads]
            took.append(time.process_time() - before)
        assert sum(read) == size + count
    assert took[1] < 4 * took[0]
