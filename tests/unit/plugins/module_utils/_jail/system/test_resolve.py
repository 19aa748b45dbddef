# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Symbolic links inside a tree, against chroot(2) itself."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.resolve import Resolver
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAMES = ("a", "b", "c")
TARGETS = st.lists(st.sampled_from([*NAMES, "..", "."]), min_size=1, max_size=4).map("/".join)
PATHS = st.lists(st.sampled_from([*NAMES, ".."]), min_size=1, max_size=5).map("/".join)


@pytest.fixture
def resolve(tmp_path: Path) -> Callable[[str], tuple[str, bool]]:
    def call(path: str) -> tuple[str, bool]:
        with Root(str(tmp_path)) as root:
            real, there = Resolver(root).resolve(path.encode())
            return real.decode(), there

    return call


def test_links(tmp_path: Path, resolve: Callable[[str], tuple[str, bool]]) -> None:
    (tmp_path / "private/var").mkdir(parents=True)
    (tmp_path / "var").symlink_to("private/var")
    (tmp_path / "top").symlink_to("/var")
    (tmp_path / "up").symlink_to("../../../../etc")
    (tmp_path / "file").write_text("")
    assert resolve("var") == ("private/var", True)
    assert resolve("/top/./x//y") == ("private/var/x/y", False)
    assert resolve("top/..") == ("private", True)
    assert resolve("up/passwd") == ("etc/passwd", False)
    assert resolve("../..") == ("", True)
    assert resolve("file/x") == ("file/x", False)


def test_the_last_link_may_be_left(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("gone")
    with Root(str(tmp_path)) as root:
        assert Resolver(root).resolve(b"link", follow_last=False) == (b"link", True)
        assert Resolver(root).resolve(b"link") == (b"gone", False)


def test_a_circle(tmp_path: Path, resolve: Callable[[str], tuple[str, bool]]) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("/a")
    with pytest.raises(InputError, match="too many symbolic links, perhaps in a circle"):
        resolve("a/x")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    directories=st.lists(PATHS, max_size=4),
    links=st.lists(st.tuples(PATHS, TARGETS, st.booleans()), max_size=5),
    paths=st.lists(PATHS, min_size=1, max_size=4),
)
def test_as_a_process_in_a_chroot_sees_it(
    directories: list[str],
    links: list[tuple[str, str, bool]],
    paths: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may call chroot")
    tree = tmp_path_factory.mktemp("tree")
    for directory in directories:
        (tree / os.path.normpath("/" + directory).lstrip("/")).mkdir(parents=True, exist_ok=True)
    for name, target, absolute in links:
        place = tree / os.path.normpath("/" + name).lstrip("/")
        if place != tree and is_plain(place.parent) and not os.path.lexists(place):
            place.symlink_to(("/" if absolute else "") + target)
    with Root(str(tree)) as root:
        resolver = Resolver(root)
        for path, inside in in_chroot(tree, paths):
            try:
                real, there = resolver.resolve(path.encode())
            except InputError:
                assert inside == "circle"
                continue
            assert there == (inside not in ("", "circle")), path
            if there:
                assert "/" + real.decode() == inside


def is_plain(folder: Path) -> bool:
    """Whether it is a directory by its own name. Through a link of the tree it could be one of this machine's."""
    return folder.is_dir() and os.path.realpath(folder) == str(folder)


def in_chroot(tree: Path, paths: list[str]) -> list[tuple[str, str]]:
    """Paths, and the real ones that a process in the tree finds; "" for none."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.chroot(tree)
        os.chdir("/")
        os.write(write, json.dumps([(path, _real(path)) for path in paths]).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said: list[tuple[str, str]] = json.load(pipe)
    os.waitpid(child, 0)
    return said


def _real(path: str) -> str:
    try:
        os.stat("/" + path)
    except OSError as exc:
        return "circle" if exc.errno == errno.ELOOP else ""
    return os.path.realpath("/" + path)
