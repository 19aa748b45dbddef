# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Archives in all formats, as Python's tarfile reads them, too; damaged ones; and those that were made to harm."""

from __future__ import annotations

import io
import os
import random
import subprocess
import tarfile
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import limits
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import FormatError, InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.tar import reader
from hypothesis import given, settings
from hypothesis import strategies as st

FORMATS = tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT
TYPES = {
    tarfile.REGTYPE: b"0",
    tarfile.DIRTYPE: b"5",
    tarfile.SYMTYPE: b"2",
    tarfile.LNKTYPE: b"1",
    tarfile.CHRTYPE: b"3",
    tarfile.BLKTYPE: b"4",
    tarfile.FIFOTYPE: b"6",
    tarfile.CONTTYPE: b"0",
    tarfile.AREGTYPE: b"0",
}
NAME = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=60)
PATH = st.lists(NAME, min_size=1, max_size=6).map("/".join)


@st.composite
def tarinfos(draw: st.DrawFn) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(draw(PATH))
    info.type = draw(st.sampled_from(sorted(TYPES)))
    if info.type == tarfile.AREGTYPE and len(info.name.encode()) > 100:
        info.type = tarfile.REGTYPE  # tarfile reads it as a directory when the 100th byte is a slash: gh-141707
    info.mode = draw(st.integers(0, 0o7777))
    info.uid, info.gid = draw(st.integers(0, limits.OWNER)), draw(st.integers(0, limits.OWNER))
    info.mtime = draw(st.integers(0, limits.TIME))
    if info.type in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        info.linkname = draw(PATH)
    data = draw(st.binary(max_size=1200)) if TYPES[info.type] == b"0" else b""
    info.size = len(data)
    keys = st.sampled_from(["SCHILY.xattr.user.a", "SCHILY.xattr.é", "comment"])
    texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)
    info.pax_headers = draw(st.dictionaries(keys, texts, max_size=2))
    return info, data


def read(data: bytes) -> list[reader.Member]:
    return list(reader.members(io.BytesIO(data), "the archive"))


def by_tarfile(data: bytes) -> list[tuple[Any, ...]]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
        return [
            (
                os.fsencode(one.name).rstrip(b"/"),
                TYPES.get(one.type, one.type),
                one.mode,
                one.uid,
                one.gid,
                int(one.mtime) * 10**9,
                one.size,
                os.fsencode(one.linkname),
                {
                    key[13:]: os.fsencode(text)
                    for key, text in one.pax_headers.items()
                    if key.startswith("SCHILY.xattr.")
                },
                one.offset_data,
            )
            for one in archive
        ]


@settings(max_examples=150, deadline=None)
@given(st.lists(tarinfos(), max_size=5), st.sampled_from(FORMATS))
def test_what_tarfile_reads(found: list[tuple[tarfile.TarInfo, bytes]], kind: int) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=kind, encoding="utf-8") as archive:
        for info, data in found:
            try:
                archive.addfile(info, io.BytesIO(data))
            except ValueError:  # ustar has no room for it
                assert kind == tarfile.USTAR_FORMAT
    whole = packed.getvalue()
    ours = [(one[0].rstrip(b"/"), *one[1:]) for one in read(whole)]
    assert ours == by_tarfile(whole)
    if kind != tarfile.USTAR_FORMAT:
        assert [whole[one.offset : one.offset + one.size] for one in read(whole)] == [data for _info, data in found]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("é" * 49 + "x/b", tarfile.GNU_FORMAT),
        ("d" * 99 + "/b", tarfile.GNU_FORMAT),
        ("d" * 99 + "/b", tarfile.PAX_FORMAT),
        ("é" * 99 + "/b", tarfile.PAX_FORMAT),
    ],
)
def test_a_long_name_whose_100th_byte_is_a_slash(tmp_path: Path, name: str, kind: int) -> None:
    """The header has the first 100 bytes. Of a file of the old type, the last one does not make a directory."""
    info = tarfile.TarInfo(name)
    info.type, info.size = tarfile.AREGTYPE, 5
    with tarfile.open(tmp_path / "x.tar", mode="w", format=kind, encoding="utf-8") as archive:
        archive.addfile(info, io.BytesIO(b"hello"))
    data = (tmp_path / "x.tar").read_bytes()
    [one] = read(data)
    assert (one.name, one.type, data[one.offset : one.offset + one.size]) == (name.encode(), b"0", b"hello")
    listed = subprocess.run(["tar", "-tvf", "x.tar"], cwd=tmp_path, check=True, stdout=subprocess.PIPE).stdout
    assert listed.startswith(b"-")  # a file for GNU tar, too


@pytest.mark.parametrize("kind", ["v7", "oldgnu", "gnu", "ustar", "posix"])
def test_what_gnu_tar_packs(tmp_path: Path, kind: str) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/file").write_bytes(b"x" * 700)
    (tmp_path / "d/link").symlink_to("file")
    os.link(tmp_path / "d/file", tmp_path / "d/other")
    if kind not in ("v7", "ustar"):
        (tmp_path / ("d/" + "long" * 40)).write_bytes(b"")
        (tmp_path / "d/to").symlink_to("target" * 30)
    subprocess.run(["tar", f"--format={kind}", "-cf", "x.tar", "d"], cwd=tmp_path, check=True)
    data = (tmp_path / "x.tar").read_bytes()
    # Only tarfile drops what is behind the point of a time; GNU tar writes it in the format of POSIX.
    ours = [(one[0].rstrip(b"/"), *one[1:5], one.mtime_ns // 10**9 * 10**9, *one[6:]) for one in read(data)]
    assert ours == by_tarfile(data)
    assert len(ours) >= 4


def mutations(count: int) -> Iterator[bytes]:
    """Archives of which some bytes are others; most of them with a checksum that is right again."""
    chance = random.Random(16)  # noqa: S311 (the same each time)
    for number in range(count):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=FORMATS[1 + number % 2]) as archive:
            for name in ("a", "b" * 120, "é"):
                info = tarfile.TarInfo(name)
                info.size, info.uid = chance.choice([0, 5, 512]), chance.choice([0, 2**31])
                archive.addfile(info, io.BytesIO(bytes(info.size)))
        data = bytearray(packed.getvalue())
        for _change in range(chance.randint(1, 3)):
            place = chance.randrange(8) * 512 + chance.randrange(329)  # the rest is read by tarfile alone
            data[place] = chance.choice([0, 32, 48, 55, 57, 128, 255, chance.randrange(256)])
        for start in range(0, 4096, 512):
            if chance.random() < 0.9:
                block = data[start : start + 512]
                block[148:156] = b" " * 8
                data[start + 148 : start + 156] = b"%06o\0 " % sum(block)
        yield bytes(data[: chance.choice([len(data), chance.randrange(len(data))])])


def test_mutated_archives() -> None:
    """They are read as tarfile reads them, or refused in a sentence."""
    same = refused = 0
    for data in mutations(3000):
        try:
            found = read(data)
        except InputError:
            refused += 1
            continue
        # A number that is not octal, in a field that nobody needs, is an error or the end of the archive for tarfile.
        try:
            theirs = [(one[0], one[6], one[9]) for one in by_tarfile(data)]
        except tarfile.ReadError:
            continue
        ours = [(one.name.rstrip(b"/"), one.size, one.offset) for one in found]
        assert ours[: len(theirs)] == theirs
        same += len(ours) == len(theirs)
    assert same > 100
    assert refused > 100


def header(name: str = "a", kind: bytes = b"0", data: bytes = b"", **fields: bytes) -> bytes:
    """A header with fields as they stand, and data."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(data)
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    for field, value in fields.items():
        start = {"uid": 108, "gid": 116, "size": 124, "mtime": 136, "mode": 100}[field]
        block[start : start + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + data + bytes(-len(data) % 512)


def pax(**records: str) -> bytes:
    info = tarfile.TarInfo("a")
    info.pax_headers = {key.replace("_", "."): text for key, text in records.items()}
    return info.tobuf(tarfile.PAX_FORMAT)


def base256(number: int, width: int) -> bytes:
    return ((1 << (8 * width - 1)) | number & ((1 << (8 * width - 1)) - 1)).to_bytes(width, "big")


REFUSED = {
    "uid -2": (header(uid=base256(-2, 8)), "'a' in it has an owner that is not possible: -2"),
    "uid 2^32": (header(uid=base256(2**32, 8)), "has an owner that is not possible: 4294967296"),
    "uid that is none for chown": (pax(uid="4294967295"), "has an owner that is not possible: 4294967295"),
    "gid": (pax(gid="9" * 33), "has a group of more than 32 digits"),
    "gid of other digits": (pax(gid="²"), "has a group that is not a number: ²"),
    "mtime inf": (pax(mtime="inf"), "has a time that is not a number: inf"),
    "mtime nan": (pax(mtime="nan"), "has a time that is not a number: nan"),
    "mtime in digits": (pax(mtime="9" * 5000), "has a time that is not a number: 999"),
    "mtime far away": (header(mtime=base256(2**40, 12)), "has a time that is not possible: 1099511627776 seconds"),
    "size negative": (header(size=base256(-512, 12)), "has a size that is not possible: -512"),
    "size negative by pax": (pax(size="-512"), "has a size that is not a number: -512"),
    "size 2^62": (header(size=base256(2**62, 12)), "has a size that is not possible: 4611686018427387904"),
    "size 2^62 by pax": (pax(size=str(2**62)), "has a size that is not possible: 4611686018427387904"),
    "size beyond the end": (header(size=b"00000100000"), "it ends in the middle of a file"),
    "not octal": (header(uid=b"0000089\0"), "has a number that is not octal"),
    "signs": (header(uid=b"-000005\0"), "has a number that is not octal"),
    "sparse by GNU": (header(kind=b"S"), "'a' in it is sparse, which is not read: pack it without the option --sparse"),
    "sparse 0.1": (pax(GNU_sparse_map="0,1", GNU_sparse_size="1"), "is sparse"),
    "sparse 1.0": (pax(GNU_sparse_major="1", GNU_sparse_minor="0", GNU_sparse_name="b"), "'b' in it is sparse"),
    "a header that is large": (header(kind=b"x", size=b"00100000000"), "it has more than 2 MiB, which is the limit"),
    "a name that is large": (header(kind=b"L", size=base256(2**40, 12)), "it has more than 2 MiB, which is the limit"),
    "two long names": (header(kind=b"L", data=b"x\0") * 2 + header(), "two extended headers of one kind"),
    "two long names of two kinds": (header(kind=b"L", data=b"x\0") + pax(path="p"), "a member has two long names"),
    "a record without end": (header(kind=b"x", data=b"99 path=x\n") + header(), "a record without length"),
    "a record without name": (header(kind=b"x", data=b"11 =xxxxxx\n") + header(), "a record without length"),
    "a record of length 0": (header(kind=b"x", data=b"0 path=x\n") + header(), "a record without length"),
    "a record after another": (header(kind=b"x", data=b"10 path=x\nxx") + header(), "a record without length"),
    "nothing behind a header": (header(kind=b"L", data=b"x\0"), "it ends after the extended header of a member"),
    "damage in the middle": (header() + b"x" * 512, "a header has a number that is not octal"),
    "wrong sum": (header() + header().replace(b"a", b"b", 1), "the checksum of a header is wrong"),
    "cut": (header() + header()[:100], "it ends in the middle of a header"),
    "empty": (b"", "it is empty"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_in_a_sentence(what: str) -> None:
    data, why = REFUSED[what]
    with pytest.raises(InputError) as caught:
        read(data + (bytes(1024) if data and what not in ("cut", "size beyond the end") else b""))
    assert why in str(caught.value)
    assert len(str(caught.value)) < 300


def test_times_with_a_fraction_and_before_1970() -> None:
    assert [one.mtime_ns for one in read(pax(mtime="1700000000.25"))] == [1_700_000_000_250_000_000]
    assert [one.mtime_ns for one in read(pax(mtime="-1.5") + pax(mtime="-0.5") + header(mtime=base256(-5, 12)))] == [
        0
    ] * 3


def test_global_headers_are_for_all_that_follow() -> None:
    data = header(kind=b"g", data=b"9 uid=77\n") + header("a") + header("b") + header(kind=b"x", data=b"8 uid=5\n")
    assert [(one.name, one.uid) for one in read(data + header("c"))] == [(b"a", 77), (b"b", 77), (b"c", 5)]


def test_digits_and_long_names_take_neither_time_nor_memory() -> None:
    """Each of these is a few kilobytes when packed; some tarfiles take hours, recurse, or take gigabytes."""
    digits = b"1" * limits.TAR_HEADERS
    names = header(kind=b"L", data=b"a\0") * 20_000
    numbers = b"%d\n" % 10**6 + b"0\n" * 2 * 10**6
    sparse = header(kind=b"x", data=b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n") + header(data=numbers)
    comments = header(kind=b"g", data=b"13 comment=x\n") * 20_000 + header()
    started = time.process_time()
    tracemalloc.start()
    for data in (header(kind=b"x", data=digits) + header(), names, sparse):
        with pytest.raises(InputError):
            read(data)
    assert len(read(comments)) == 1
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * limits.TAR_HEADERS + len(comments)
    assert time.process_time() - started < 5


def test_global_headers_cost_the_members_that_follow_nothing() -> None:
    data = header(kind=b"g", data=b"".join(b"9 %05x=\n" % number for number in range(230_000))) + header() * 500
    started = time.process_time()
    assert len(read(data)) == 500
    assert time.process_time() - started < 2
    attributes = b"".join(b"25 SCHILY.xattr.user%03x=\n" % number for number in range(300))
    with pytest.raises(InputError, match=r"global headers .* more than 4096 bytes, which is the limit"):
        read(header(kind=b"g", data=attributes) + header())


def test_damage_is_told_from_what_is_refused() -> None:
    with pytest.raises(FormatError):
        read(b"x" * 512)
