# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Files are compared by their contents and attributes, whatever has been put in their places."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import at

ATTRIBUTE = "user.darwin.jail.test"


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


@pytest.mark.parametrize("size", [0, 1, at.COMPARE_CHUNK - 1, at.COMPARE_CHUNK, at.COMPARE_CHUNK + 1, 1_000_000])
def test_every_byte_counts(tmp_path: Path, fd: int, size: int) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    data = os.urandom(size)
    one.write_bytes(data)
    two.write_bytes(data)
    assert at.equal(b"one", fd, b"two", fd, size)
    for place in {0, size // 2, size - 1} if size else ():
        two.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert not at.equal(b"one", fd, b"two", fd, size)


def test_a_part_of_the_first_one(tmp_path: Path, fd: int) -> None:
    (tmp_path / "whole").write_bytes(b"abc" + b"d" * 300_000 + b"e")
    (tmp_path / "part").write_bytes(b"bc" + b"d" * 300_000)
    assert at.equal(b"whole", fd, b"part", fd, 300_002, offset=1)
    assert not at.equal(b"whole", fd, b"part", fd, 300_002, offset=2)


def test_a_file_that_has_become_shorter(tmp_path: Path, fd: int) -> None:
    (tmp_path / "one").write_bytes(b"a" * 10)
    (tmp_path / "two").write_bytes(b"a" * 9)
    assert not at.equal(b"one", fd, b"two", fd, 10)
    assert not at.equal(b"two", fd, b"one", fd, 10)


def test_a_fifo_in_the_place_of_a_file(tmp_path: Path, fd: int) -> None:
    """It does not block, and is not equal, whoever writes to it."""
    (tmp_path / "one").write_bytes(b"a")
    os.mkfifo(tmp_path / "two")
    assert not at.equal(b"one", fd, b"two", fd, 1)
    assert not at.equal(b"two", fd, b"one", fd, 1)


@pytest.mark.parametrize("name", [b"link", b"directory"])
def test_neither_a_link_nor_a_directory_is_read(tmp_path: Path, fd: int, name: bytes) -> None:
    (tmp_path / "one").write_bytes(b"a")
    (tmp_path / "link").symlink_to("one")
    (tmp_path / "directory").mkdir()
    with pytest.raises(OSError, match=r"symbolic link|directory"):
        at.equal(b"one", fd, name, fd, 1)


@pytest.mark.parametrize("of", ["one", "two", "both"])
def test_attributes_count(tmp_path: Path, fd: int, of: str) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(b"a")
        if of in (name, "both"):
            os.setxattr(tmp_path / name, ATTRIBUTE, b"same")
    assert at.equal(b"one", fd, b"two", fd, 1) is (of == "both")
    os.setxattr(tmp_path / "one", ATTRIBUTE, b"another")
    assert not at.equal(b"one", fd, b"two", fd, 1)


def test_attributes_are_equal_in_any_order(tmp_path: Path, fd: int) -> None:
    for name, keys in (("one", "ab"), ("two", "ba")):
        (tmp_path / name).write_bytes(b"a")
        for key in keys:
            os.setxattr(tmp_path / name, f"{ATTRIBUTE}.{key}", key.encode())
    assert at.equal(b"one", fd, b"two", fd, 1)
