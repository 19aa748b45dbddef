# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What an entry finds in a source, and where it goes."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec.manifest import Entry
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec.source_tree import Source

Find = Callable[..., dict[str, str]]


@pytest.fixture
def tree(place: Path) -> Path:
    """A volume with files whose names are traps."""
    root = place / "volume"
    for name in (
        "usr/bin/git",
        "usr/bin/.hidden",
        "usr/bin/[",
        "usr/bin/star*",
        "usr/bin/new\nline",
        "usr/lib/a.dylib",
        "private/etc/hosts",
        "private/var/db/x",
        "System/Library/dyld/dyld_shared_cache_arm64e",
        "System/Library/dyld/dyld_shared_cache_arm64e.01",
        "plain",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    for name, target in {
        "etc": "private/etc",
        "var": "private/var",
        "usr/abs": "/usr/lib",
        "usr/up": "../private/../usr/./bin/",
        "usr/out": "../../../../../../etc",
        "usr/dangling": "nowhere",
        "usr/one": "two",
        "usr/two": "one",
        "usr/file": "bin/git",
    }.items():
        (root / name).symlink_to(target)
    (place / "etc").mkdir()
    (place / "etc/outside").touch()
    return root


@pytest.fixture
def source(tree: Path) -> Iterator[Source]:
    opened = Source(str(tree))
    yield opened
    opened.close()


@pytest.fixture
def find(source: Source) -> Find:
    """What an entry finds: the path in the jail by the path in the source."""

    def run(src: str, dest: str | None = None) -> dict[str, str]:
        entry = Entry(os.fsencode(src), None if dest is None else os.fsencode(dest), True, "here")
        return {os.fsdecode(match.source): os.fsdecode(match.dest) for match in source.expand(entry)}

    return run


class TestSlashes:
    """As rsync has them."""

    @pytest.mark.parametrize(
        ("src", "dest", "expected"),
        [
            ("/usr/bin/git", None, {"usr/bin/git": "usr/bin/git"}),
            ("/usr/bin", None, {"usr/bin": "usr/bin"}),
            ("/usr/bin/", None, {"usr/bin": "usr/bin"}),
            ("/usr/bin", "/opt", {"usr/bin": "opt"}),
            ("/usr/bin/", "/opt", {"usr/bin": "opt"}),
            ("/usr/bin", "/opt/", {"usr/bin": "opt/bin"}),
            ("/usr/bin/", "/opt/", {"usr/bin": "opt"}),
            ("/usr/bin/git", "/opt/", {"usr/bin/git": "opt/git"}),
            ("/usr/bin/git", "/opt/g", {"usr/bin/git": "opt/g"}),
            ("/usr/bin/git/", None, {}),  # the contents of a file
            ("/usr/lib/*", "/opt/", {"usr/lib/a.dylib": "opt/a.dylib"}),
            ("/usr/lib/*", "/opt/lib", {"usr/lib/a.dylib": "opt/lib"}),
            ("//usr/.//bin/./git", None, {"usr/bin/git": "usr/bin/git"}),
            ("/etc/hosts", None, {"private/etc/hosts": "private/etc/hosts"}),
            ("/etc/hosts", "/var/h", {"private/etc/hosts": "private/var/h"}),
            ("/plain", "/", {"plain": "plain"}),
            ("/", None, {"": ""}),
            ("/", "/opt", {"": "opt"}),
            (
                "/System/Library/dyld/dyld_shared_cache_* ".strip(),
                "/S/",
                {
                    "System/Library/dyld/dyld_shared_cache_arm64e": "S/dyld_shared_cache_arm64e",
                    "System/Library/dyld/dyld_shared_cache_arm64e.01": "S/dyld_shared_cache_arm64e.01",
                },
            ),
        ],
    )
    def test_where_it_goes(self, find: Find, src: str, dest: str | None, expected: dict[str, str]) -> None:
        assert find(src, dest) == expected

    def test_several_files_do_not_fit_one_name(self, find: Find) -> None:
        with pytest.raises(InputError, match=r"here: '/usr/bin/\*' matches 5 files and '/opt/x' is the name of one"):
            find("/usr/bin/*", "/opt/x")


class TestWildcards:
    def test_hidden_files_match(self, find: Find) -> None:
        assert set(find("/usr/bin/*")) == {f"usr/bin/{name}" for name in ("git", ".hidden", "[", "star*", "new\nline")}
        assert set(find("/usr/bin/.*")) == {"usr/bin/.hidden"}

    def test_a_name_that_is_there_is_no_wildcard(self, find: Find) -> None:
        (name,) = find("/usr/bin/star*")
        assert name == "usr/bin/star*"
        assert set(find("/usr/bin/[")) == {"usr/bin/["}

    def test_in_the_middle_they_go_on_in_directories_only(self, find: Find) -> None:
        assert find("/p*/*/hosts") == {"private/etc/hosts": "private/etc/hosts"}
        assert find("/*/bin/git") == {"usr/bin/git": "usr/bin/git"}
        assert find("/usr/bin/*/x") == {}
        assert find("/plain/*") == {}

    def test_links_are_gone_through(self, find: Find) -> None:
        assert find("/usr/ab*/*") == {"usr/lib/a.dylib": "usr/abs/a.dylib"}

    def test_nothing(self, find: Find) -> None:
        assert find("/nowhere/*") == find("/usr/bin/none") == find("/usr/bin/[x]") == {}

    def test_nonsense_is_named_with_its_origin(self, find: Find) -> None:
        with pytest.raises(InputError, match=r"^here: '\[z-a\]' is not a valid glob"):
            find("/usr/[z-a]/x")


class TestLinks:
    """They are resolved inside the source, as the system would that it belongs to."""

    @pytest.mark.parametrize(
        ("path", "real"),
        [
            ("usr/abs/a.dylib", "usr/lib/a.dylib"),
            ("usr/up/git", "usr/bin/git"),
            ("usr/out/hosts", "private/etc/hosts"),
            ("usr/out/outside", None),
            ("usr/abs", "usr/abs"),
            ("usr/dangling", "usr/dangling"),
            ("usr/dangling/x", None),
            ("usr/one/x", None),
            ("usr/one", "usr/one"),
            ("usr/bin/git/x", None),
            ("usr/file/x", None),
            ("", ""),
        ],
    )
    def test_the_last_one_stays(self, source: Source, path: str, real: str | None) -> None:
        found = source.resolve(path.encode(), follow_last=False)
        assert (None if found is None else found.decode()) == real

    @pytest.mark.parametrize(
        ("path", "real"),
        [("usr/abs", "usr/lib"), ("usr/out", "private/etc"), ("usr/dangling", None), ("usr/one", None)],
    )
    def test_the_last_one_too(self, source: Source, path: str, real: str | None) -> None:
        found = source.resolve(path.encode(), follow_last=True)
        assert (None if found is None else found.decode()) == real

    def test_a_slash_means_what_it_leads_to(self, find: Find) -> None:
        assert find("/usr/abs") == {"usr/abs": "usr/abs"}
        assert find("/usr/abs/") == {"usr/lib": "usr/abs"}
        assert find("/usr/file/") == {}


def test_firmlinks(source: Source, tree: Path) -> None:
    assert source.firmlinks() == frozenset()
    (tree / "usr/share").mkdir()
    (tree / "usr/share/firmlinks").write_text("/usr/local\tusr/local\n\n# no\n/Users\tUsers\n/with space\tx\n/bare\n")
    assert source.firmlinks() == {b"usr/local", b"Users", b"with space", b"bare"}


def test_a_socket_is_found(find: Find, tree: Path) -> None:
    """It is counted and left out later."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tree / "s"))
    assert find("/s") == {"s": "s"}


@pytest.mark.parametrize("name", ["none", "volume/plain", "link"])
def test_a_source_is_a_directory(place: Path, tree: Path, name: str) -> None:
    (place / "link").symlink_to(tree)
    with pytest.raises(InputError, match=r"is not a directory|is a symbolic link"):
        Source(str(place / name))
