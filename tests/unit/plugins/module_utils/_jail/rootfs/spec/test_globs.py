# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Wildcards in manifests and in the option exclude."""

from __future__ import annotations

import fnmatch
import re

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec.globs import (
    DirectoryNames,
    ExcludeGlobs,
    Glob,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.volume_names import Names
from hypothesis import assume, example, given
from hypothesis import strategies as st


def excluded(glob: str, path: bytes) -> bool:
    return ExcludeGlobs([glob]).match(path)


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
        ExcludeGlobs([glob])
    except InputError as exc:
        assert "is not a valid glob: bad character range" in str(exc)  # noqa: PT017


def test_a_range_the_wrong_way_round() -> None:
    with pytest.raises(InputError, match=r"^'x\[z-a\]' is not a valid glob: bad character range z-a"):
        Glob(b"x[z-a]")
    assert Glob(b"x[a-c]").match(b"xb")


TEXTS = st.text("ab*?/", max_size=6)


@given(st.lists(TEXTS, max_size=6), st.text("aAb/", min_size=1, max_size=6), st.booleans())
@example(["a*", "*a", "**a/b"], "a/b", True)
def test_many_globs_exclude_what_each_of_them_does(globs: list[str], path: str, ignore_case: bool) -> None:
    path = "/".join(part for part in path.split("/") if part)
    assume(path)
    names = Names(ignore_case, False)
    alone = [ExcludeGlobs([glob], names).match(path.encode()) for glob in globs]
    assert ExcludeGlobs(globs, names).match(path.encode()) == any(alone)
    assert alone == [_is_found(glob, path, ignore_case) for glob in globs]


def _is_found(glob: str, path: str, ignore_case: bool) -> bool:
    """By a search through all of the path for each glob."""
    name = glob.strip("/")
    anchored = glob.startswith("/") or "/" in name
    whole = "/".join(part for part in name.split("/") if part)
    words = [
        {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(word, re.escape(word))
        for word in re.split(r"(\*\*/?|\*|\?)", whole)
    ]
    before = "^" if anchored else "(?:^|/)"
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    return bool(name) and re.search(f"{before}{''.join(words)}\\Z", path, flags) is not None


@given(st.lists(st.text("aAb.", min_size=1, max_size=4), unique=True), st.text("ab.*?", min_size=1, max_size=4))
def test_a_directory_finds_what_the_glob_matches(found: list[str], glob: str) -> None:
    for names in (Names(False, False), Names(True, True)):
        inside = DirectoryNames((name.encode() for name in found), names)
        expected = sorted(name.encode() for name in found if Glob(glob.encode(), names).match(name.encode()))
        assert inside.matching(glob.encode()) == expected


def test_a_letter_in_another_case_or_form() -> None:
    names = Names(True, True)
    assert ExcludeGlobs(["caf\u00e9.*"], names).match("usr/CAFE\u0301.txt".encode())
    assert ExcludeGlobs(["caf\u00e9"], names).match("usr/CAFE\u0301".encode())
    assert not ExcludeGlobs(["caf\u00e9"]).match("usr/CAFE\u0301".encode())
    assert DirectoryNames(["CAFE\u0301.txt".encode()], names).matching("*\u00e9.TXT".encode())
