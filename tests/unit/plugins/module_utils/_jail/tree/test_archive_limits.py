# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Archives that are small, and stand for more than a Mac can hold."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import resource
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import FormatError, InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.limits import Limit
from ansible_collections.darwin.jail.plugins.module_utils._jail.tree import archive, decompression, fill
from system_calls import in_child


def put(jail: Path, data: bytes, name: str) -> None:
    path = jail.parent / name
    path.write_bytes(data)
    fill.ensure({"jail": str(jail), "dest": "/opt/x", "src": str(path)}, False)


def packed(count: int, data: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number in range(count):
            info = tarfile.TarInfo(f"f{number}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_a_decompression_bomb(
    empty_jail: Path, pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decompression, "EXPANSION_FREE", 1 << 20)
    with pytest.raises(InputError, match="it expands to more than 120 times its size, which is the limit"):
        put(empty_jail, pack(packed(1, bytes(64 << 20))), "bomb")
    assert not (empty_jail / "opt").exists()


def test_members_without_end(empty_jail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "TREE_MEMBERS", Limit(50, "members", "of a test"))
    put(empty_jail, packed(50), "enough")
    assert len(os.listdir(empty_jail / "opt/x")) == 50
    more = empty_jail.parent / "more"
    more.write_bytes(packed(51))
    with pytest.raises(InputError, match="it has more than 50 members, which is the limit: of a test"):
        archive.ArchiveSource(str(more), b"opt/x")


def test_xz_that_asks_for_gigabytes(empty_jail: Path) -> None:
    """To make such a file takes as much memory; so it is put into the header of another one."""
    data = bytearray(lzma.compress(packed(1), preset=0))
    assert data[14:16] == b"\x21\x01"  # LZMA2, one byte of properties: the size of the dictionary
    data[16] = 37  # 1.5 GiB
    data[20:24] = zlib.crc32(bytes(data[12:20])).to_bytes(4, "little")

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        with pytest.raises(InputError, match=r"is damaged: Memory usage limit exceeded"):
            put(empty_jail, bytes(data), "large.xz")

    assert in_child(work) == 0


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
def test_it_can_be_read_again_from_the_start(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    data = os.urandom(3 << 20)
    (tmp_path / "x").write_bytes(pack(data))
    with (tmp_path / "x").open("rb") as file:
        stream = decompression.opened(file, "x")
        assert stream.seek(1 << 20) == 1 << 20
        assert stream.read(100) == data[1 << 20 :][:100]
        assert stream.seek(5) == 5
        assert stream.read(4 << 20) == data[5:]
        assert stream.read(1) == b""


def test_streams_that_follow_each_other_and_one_that_is_cut(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(gzip.compress(b"one") + gzip.compress(b"") + gzip.compress(b"two"))
    with (tmp_path / "x").open("rb") as file:
        assert decompression.opened(file, "x").read(100) == b"onetwo"
    (tmp_path / "x").write_bytes(gzip.compress(os.urandom(1000))[:500])
    with (tmp_path / "x").open("rb") as file, pytest.raises(FormatError, match="x is damaged: it ends too early"):
        decompression.opened(file, "x").read(2000)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_streams_without_end(empty_jail: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]) -> None:
    monkeypatch.setattr(decompression, "STREAMS", Limit(3, "compressed streams", "of a reason"))
    data = packed(1, b"data")
    with pytest.raises(InputError, match=r"it has more than 3 compressed streams, which is the limit: of a reason"):
        put(empty_jail, pack(b"") * 3 + pack(data), "more")
    put(empty_jail, pack(data[:100]) + pack(b"") + pack(data[100:]), "fits")
    assert (empty_jail / "opt/x/f0").read_bytes() == b"data"
