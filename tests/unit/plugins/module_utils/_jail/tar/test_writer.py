# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Entries of archives, as Python's tarfile and GNU tar read them; and gzip, as gzip reads it."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.image import packing
from ansible_collections.darwin.jail.plugins.module_utils._jail.tar import writer
from ansible_collections.darwin.jail.plugins.module_utils._jail.tar.writer import Owned
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.binary(min_size=1, max_size=300).filter(lambda name: not {0, 47} & set(name))
NUMBERS = st.integers(0, 2**32 - 1)


@given(
    NAMES,
    NAMES,
    st.builds(Owned, st.integers(0, 0o7777), NUMBERS, NUMBERS, st.integers(0, 2**33 - 1)),
    st.dictionaries(st.sampled_from(["user.a", "user.é", "user.long" * 9]), st.binary(max_size=200), max_size=3),
)
def test_any_entry(name: bytes, target: bytes, owned: Owned, xattrs: dict[str, bytes]) -> None:
    data = writer.entry(name, writer.SYMLINK, owned, link=target, xattrs=xattrs) + writer.END
    assert (
        data
        == writer.entry(name, writer.SYMLINK, owned, link=target, xattrs=dict(reversed(xattrs.items()))) + writer.END
    )
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as archive:
        (member,) = archive.getmembers()
    assert os.fsencode(member.name) == name
    assert os.fsencode(member.linkname) == target
    assert (member.mode, member.uid, member.gid, member.mtime) == owned
    kept = {key[len("SCHILY.xattr.") :]: value for key, value in member.pax_headers.items() if "xattr" in key}
    assert {key: value.encode("utf-8", "surrogateescape") for key, value in kept.items()} == xattrs


@given(st.lists(st.integers(1, 120), min_size=1, max_size=6), st.booleans())
def test_a_long_path_is_two_fields_where_they_hold_it(lengths: list[int], is_directory: bool) -> None:
    name = b"/".join(b"n" * length for length in lengths) + b"/" * is_directory
    data = writer.entry(name, writer.DIRECTORY if is_directory else writer.FILE, Owned(0o644, 0, 0))
    with tarfile.open(fileobj=io.BytesIO(data + writer.END)) as archive:
        assert archive.getnames() == [name.rstrip(b"/").decode()]
    places = [len(b"/".join(name.split(b"/")[:count])) for count in range(1, len(lengths))]
    fits = len(name) <= 100 or any(place <= 155 and len(name) - place - 1 <= 100 for place in places)
    assert (len(data) == writer.BLOCK) == fits


def test_a_record_counts_its_own_length() -> None:
    for length in [*range(80, 130), *range(980, 1010)]:
        name = b"n" * length
        with tarfile.open(
            fileobj=io.BytesIO(writer.entry(name, writer.FILE, Owned(0o644, 0, 0)) + writer.END)
        ) as archive:
            assert archive.getnames() == [name.decode()]


def test_gnu_tar_agrees(tmp_path: Path) -> None:
    """Also about files of more than 8 GiB, which a ustar header cannot hold."""
    entries = [
        writer.entry(b"d/", writer.DIRECTORY, Owned(0o1775, 0, 80)),
        writer.entry(b"d/" + b"x" * 200, writer.FILE, Owned(0o4755, 0, 0, 1_700_000_000), 3)
        + b"abc"
        + writer.padding(3),
        writer.entry(b"d/null", writer.CHAR, Owned(0o666, 0, 0), device=(3, 2)),
        writer.entry(b"d/large", writer.FILE, Owned(0o644, 2**32 - 2, 0), 9 << 30),
    ]
    (tmp_path / "a.tar").write_bytes(b"".join(entries))
    done = subprocess.run(
        ["tar", "--utc", "--numeric-owner", "-tvf", tmp_path / "a.tar"], check=False, capture_output=True, text=True
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[:3] for line in lines] == [
        ["drwxrwxr-t", "0/80", "0"],
        ["-rwsr-xr-x", "0/0", "3"],
        ["crw-rw-rw-", "0/0", "3,2"],
        ["-rw-r--r--", "4294967294/0", str(9 << 30)],
    ]
    assert lines[1][3:] == ["2023-11-14", "22:13", "d/" + "x" * 200]


@pytest.mark.parametrize("size", [0, 1, packing.BLOCK - 1, packing.BLOCK, packing.BLOCK + 1, 5 * packing.BLOCK + 7])
def test_gzip(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = (b"some text that comes again %d\n" * 200000)[:size]
    packed = {}
    for processors, piece in ((1, 1000), (2, 1 << 20), (9, 1 << 22)):
        monkeypatch.setattr(os, "cpu_count", lambda count=processors: count)
        parts: list[bytes] = []
        stream = packing.Gzip(parts.append)
        for start in range(0, size, piece):
            stream.write(data[start : start + piece])
        digests = stream.finish()
        stream.close()
        packed[b"".join(parts)] = digests
    assert len(packed) == 1
    result, digests = packed.popitem()
    assert gzip.decompress(result) == data
    assert digests == tuple("sha256:" + hashlib.sha256(text).hexdigest() for text in (data, result))
    assert stream.packed_size == len(result)
