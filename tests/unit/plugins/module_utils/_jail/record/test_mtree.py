# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Lines of mtree(5): there and back, and refused when they are not ours."""

from __future__ import annotations

import stat

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import RecordError
from ansible_collections.darwin.jail.plugins.module_utils._jail.record import mtree
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.binary(min_size=1, max_size=255).filter(lambda name: not {0, 47} & set(name) and name not in (b".", b".."))
NUMBERS = st.integers(0, 2**32 - 1)
TIMES = st.none() | st.integers(-(2**63), 2**64)


@given(NAMES)
def test_names_come_back(name: bytes) -> None:
    encoded = mtree.encode(name)
    assert mtree.decode(encoded) == name
    assert not set(encoded) & set(b' \t\n#=*?[]"\x7f')


@given(NAMES, st.sampled_from(list(mtree.TYPES)), st.integers(0, 0o7777), NUMBERS, NUMBERS, TIMES, NAMES)
def test_lines_come_back(
    name: bytes, kind: int, mode: int, uid: int, gid: int, time: int | None, target: bytes
) -> None:
    is_link, is_file = kind == stat.S_IFLNK, kind == stat.S_IFREG
    fields = mtree.Fields(
        kind | (0 if is_link else mode),
        uid,
        gid,
        12345 if is_file else 0,
        None if kind in mtree.WRITTEN_THROUGH else time,
        0,
        target if is_link else None,
        "ab" * 32 if is_file else None,
    )
    assert mtree.parse(mtree.line(name, fields, fields.link, fields.digest)) == (name, fields)


@given(st.lists(st.tuples(NAMES, st.sampled_from(list(mtree.TYPES)), TIMES)))
def test_names_of_lines(found: list[tuple[bytes, int, int | None]]) -> None:
    lines = [
        mtree.line(name, mtree.Fields(kind | 0o644, 0, 0, 0, time), name if kind == stat.S_IFLNK else None)
        for name, kind, time in found
    ]
    names = [name for name, _kind, _time in found]
    assert mtree.names_of(b"".join(lines)) == names
    assert mtree.names_of(b"#names\n".join(lines) + b"unfinish") == names


@pytest.mark.parametrize("name", [b"..", b"", b"a/b", b"a\\057b", b"a\\000b", b"x" * 256])
def test_names_that_nothing_has_are_refused(name: bytes) -> None:
    good = b"a type=file mode=0644 uid=0 gid=0 size=0 time=1.000000000\n"
    assert mtree.names_of(2 * good) == [b"a", b"a"]
    for text in (good + name + good[1:], name + good[1:] + good):
        with pytest.raises(RecordError):
            mtree.names_of(text)


@pytest.mark.parametrize(
    "text",
    [
        b"\n",
        b"x\n",
        b"x type=file\n",
        b"x type=file mode=9 uid=0 gid=0\n",
        b"x type=file mode=0140644 uid=0 gid=0\n",
        b"x type=file mode=-001 uid=0 gid=0\n",
        b"x type=file mode=0644 uid=-2 gid=0\n",
        b"x type=file mode=0644 uid=1_0 gid=0\n",
        b"x type=file mode=0644 uid=%d gid=0\n" % 10**10,
        b"x type=file mode=0644 uid=0 gid=0",
        b"x type=file mode=0644 uid=0 gid=0 link=y\n",
        b"x type=link mode=0755 uid=0 gid=0 link=y\n",
        b"x type=link uid=0 gid=0\n",
        b"x type=file mode=0644 uid=0 gid=0 uid=0\n",
        b"x type=file mode=0644 uid=0 gid=0 size=1 time=1.5\n",
        b"x type=file mode=0644 uid=0 gid=0 size=-\n",
        b"x type=thing mode=0644 uid=0 gid=0\n",
        b"x type=file mode=0644 uid=0 gid=0 surprise=1\n",
        b"a/b type=file mode=0644 uid=0 gid=0\n",
        b".. type=dir mode=0644 uid=0 gid=0\n",
        b"\\000 type=file mode=0644 uid=0 gid=0\n",
        b"\\057 type=file mode=0644 uid=0 gid=0\n",
        b"\\999 type=file mode=0644 uid=0 gid=0\n",
        b"x\\ type=file mode=0644 uid=0 gid=0\n",
        b"x type=file mode=0644 uid=0 gid=0 time=1\n",
        b"x type=link uid=0 gid=0 link=\\9\n",
        b"x type=file mode=0644 uid=0 gid=0 sha256digest=\xff\n",
    ],
)
def test_other_lines_are_refused(text: bytes) -> None:
    with pytest.raises(RecordError):
        mtree.parse(text)


@given(st.binary(max_size=120) | st.from_regex(mtree._LINE, fullmatch=True))
def test_anything_is_understood_or_refused(text: bytes) -> None:
    """What is understood can be written again: a jail's record is read, and lines of it go into the next one."""
    try:
        name, fields = mtree.parse(text)
    except RecordError:
        return
    assert b"/" not in name
    assert mtree.parse(mtree.line(name, fields, fields.link, fields.digest)) == (name, fields)


def test_types_have_words() -> None:
    assert [mtree.type_name(kind | 0o755) for kind in (stat.S_IFREG, stat.S_IFSOCK)] == ["file", "socket"]
