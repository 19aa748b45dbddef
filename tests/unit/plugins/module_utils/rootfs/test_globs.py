# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Wildcards in manifests and in the option exclude."""

from __future__ import annotations

import fnmatch
import re

import pytest
from ansible_collections.darwin.jail.plugins.module_utils.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils.rootfs.globs import Glob, comparable, excluding
from hypothesis import assume, example, given
from hypothesis import strategies as st


def excluded(glob: str, path: bytes) -> bool:
    return any(found.search(comparable(path)) for found in excluding([glob]))


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("words", b"usr/share/words", True),
        ("words", b"words", True),
        ("words", b"usr/swords", False),
        ("words", b"usr/words2", False),
        ("*.map", b"System/Library/dyld/x.map", True),
        ("*.map", b"System/x.map/inner", False),
        (".*", b"usr/.hidden", True),
        ("/usr", b"usr", True),
        ("/usr", b"opt/usr", False),
        ("usr/", b"opt/usr", True),
        ("usr/bin/c*", b"usr/bin/cc", True),
        ("/usr/bin/c*", b"usr/bin/cc", True),
        ("usr/bin/c*", b"opt/usr/bin/cc", False),
        ("/usr/*", b"usr/share/man", False),
        ("/usr/**", b"usr/share/man", True),
        ("/usr/**", b"usr", False),
        ("/usr/**/man", b"usr/man", True),
        ("/usr/**/man", b"usr/share/x/man", True),
        ("/usr/**/man", b"usr/share/woman", False),
        ("**/man", b"usr/share/man", True),
        ("/etc/hosts", b"private/etc/hosts", True),
        ("/usr?bin", b"usr/bin", False),
        ("[ab]", b"usr/b", True),
        ("[!ab]", b"usr/b", False),
        ("[!ab]", b"usr/c", True),
        ("x[!a]y/z", b"x/y/z", False),
        ("new\nline", b"usr/new\nline", True),
        ("words", b"usr/words\n", False),
        ("*", b"\xff", True),
        ("", b"usr", False),
        ("/", b"usr", False),
    ],
)
def test_exclude(glob: str, path: bytes, expected: bool) -> None:
    assert excluded(glob, path) is expected


@given(st.text("ab-[]!*?\\", max_size=8), st.text("ab-[]!\\", max_size=4))
@example("[]a]", "]")
@example("[!]a]", "b")
@example("[a--]", "-")
@example("[!]", "[!]")
@example("[", "[")
def test_names_are_matched_as_the_standard_library_does(glob: str, name: str) -> None:
    """Ranges the wrong way round are an error here, and there are versions that crash with them."""
    assume("**" not in glob)
    assume(not re.search(r"\[[^]]*.-.", glob))
    try:
        found = bool(Glob(glob.encode()).match(name.encode()))
    except InputError:
        return
    assert found == fnmatch.fnmatchcase(name, glob)


@given(st.text(max_size=12) | st.text("[]^!-&|~\\*?/az", max_size=12))
def test_anything_is_a_glob_or_refused_with_its_name(glob: str) -> None:
    """Warnings are errors in these tests: re has some for sets."""
    assume(not any("\ud800" <= char <= "\udfff" for char in glob))
    try:
        excluding([glob])
    except InputError as exc:
        assert "is no glob: bad character range" in str(exc)  # noqa: PT017


def test_a_range_the_wrong_way_round() -> None:
    with pytest.raises(InputError, match=r"^'x\[z-a\]' is no glob: bad character range z-a"):
        Glob(b"x[z-a]")
    assert Glob(b"x[a-c]").match(b"xb")
