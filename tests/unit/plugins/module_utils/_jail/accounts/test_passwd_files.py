# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""passwd(5), master.passwd(5) and group(5): one user's lines change, and nothing else."""

from __future__ import annotations

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.accounts.passwd_files import (
    Entry,
    name_of,
    with_line,
    with_member,
)
from hypothesis import given
from hypothesis import strategies as st

APPLE = b"##\n# User Database\n##\nnobody:*:-2:-2:Unprivileged User:/var/empty:/usr/bin/false\nroot:*:0:0::/:/bin/sh\n"
GROUPS = b"##\nwheel:*:0:root\nadmin:*:80:root\nstaff:*:20:\n"
BUILDER = Entry("builder", 600, 20, "The Builder", "/Users/builder", "/bin/zsh")

names = st.from_regex(r"[a-z_][a-z0-9_.-]{0,8}", fullmatch=True)
anything = st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=8).map(b"\n".join)
files = st.one_of(
    anything,
    st.just(APPLE),
    st.just(GROUPS),
    st.lists(names).map(lambda n: "".join(f"{x}:*:1:1::/:/\n" for x in n).encode()),
)


def others(text: bytes, name: str) -> list[bytes]:
    return [line for line in text.removesuffix(b"\n").split(b"\n") if name_of(line) != name.encode()] if text else []


def test_the_lines_of_a_user() -> None:
    assert BUILDER.passwd() == b"builder:*:600:20:The Builder:/Users/builder:/bin/zsh"
    assert BUILDER.master() == b"builder:*:600:20::0:0:The Builder:/Users/builder:/bin/zsh"
    assert with_line(APPLE, "builder", BUILDER.passwd()) == APPLE + BUILDER.passwd() + b"\n"
    assert with_line(with_line(APPLE, "builder", BUILDER.passwd()), "builder", None) == APPLE


@given(files, names)
def test_one_line_changes_and_nothing_else(text: bytes, name: str) -> None:
    line = BUILDER._replace(name=name).passwd()
    made = with_line(text, name, line)
    assert made.split(b"\n").count(line) == 1
    assert others(made, name) == others(text, name)
    assert with_line(made, name, line) == made
    gone = with_line(made, name, None)
    assert all(name_of(row) != name.encode() for row in gone.split(b"\n"))
    assert others(gone, name) == others(text, name)


def test_the_place_of_a_line_is_kept_and_later_ones_go() -> None:
    text = b"a:*:1:1\nbuilder:old\n# builder:*\nb:*:2:2\nbuilder:twice"
    assert with_line(text, "builder", b"builder:new") == b"a:*:1:1\nbuilder:new\n# builder:*\nb:*:2:2\n"


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ({}, GROUPS),
        ({"admin": 80}, b"##\nwheel:*:0:root\nadmin:*:80:root,builder\nstaff:*:20:\n"),
        ({"staff": 20}, b"##\nwheel:*:0:root\nadmin:*:80:root\nstaff:*:20:builder\n"),
        ({"_developer": 204}, GROUPS + b"_developer:*:204:builder\n"),
    ],
)
def test_the_groups_of_a_user(groups: dict[str, int], expected: bytes) -> None:
    made = with_member(GROUPS, "builder", groups)
    assert made == expected
    assert with_member(made, "builder", groups) == made
    kept = b"_developer:*:204:\n" if "_developer" in groups else b""
    assert with_member(made, "builder", {}) == GROUPS + kept


@given(files, names, st.dictionaries(names, st.integers(0, 1000), max_size=3))
def test_a_user_is_in_these_groups_and_no_others(text: bytes, name: str, groups: dict[str, int]) -> None:
    made = with_member(text, name, groups)
    assert with_member(made, name, groups) == made
    rows = [line.split(b":") for line in made.split(b"\n") if not line.startswith(b"#")]
    found = {row[0] for row in rows if len(row) == 4 and name.encode() in row[3].split(b",")}
    assert found == {group.encode() for group in groups}
