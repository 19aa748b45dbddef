# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Entries that overlap, contradict each other, or name what is in others: what the jail is to hold."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec.base_layout import DIRECTORIES, LINKS
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec.file_stat import COMPACT_AFTER
from built_jails import Make

Entry = "str | dict[str, Any]"


@pytest.fixture
def two(source: Path) -> Path:
    """Two directories that agree in nothing but their names."""
    for top, mode in (("one", 0o711), ("two", 0o750)):
        for name in ("only-" + top, "both", "dir/only-" + top, "dir/both"):
            (source / top / name).parent.mkdir(parents=True, exist_ok=True)
            (source / top / name).write_text(top)
        (source / top).chmod(mode)
        (source / top / "dir").chmod(mode)
    (source / "one/kind").mkdir()
    (source / "one/kind/inner").write_text("one")
    (source / "two/kind").write_text("two")
    (source / "one/other").symlink_to("both")
    (source / "two/other").mkdir()
    (source / "two/other/inner").write_text("two")
    return source


def held(root: Path) -> dict[str, str]:
    """Files and links below a directory."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(root))] = "-> " + os.readlink(path)
        elif path.is_file():
            found[str(path.relative_to(root))] = path.read_text()
    return found


class TestOverlapping:
    def test_two_directories_merge_at_all_depths_and_the_later_wins(self, make: Make, place: Path, two: Path) -> None:
        entries = [{"src": "/one/", "dest": "/opt/x"}, {"src": "/two/", "dest": "/opt/x"}]
        make(*entries)
        jail = place / "jail/opt/x"
        assert held(jail) == {
            "both": "two",
            "only-one": "one",
            "only-two": "two",
            "dir/both": "two",
            "dir/only-one": "one",
            "dir/only-two": "two",
            "kind": "two",
            "other/inner": "two",
        }
        assert [stat.S_IMODE(path.stat().st_mode) for path in (jail, jail / "dir")] == [0o750, 0o750]
        assert not make(*entries).changed
        make(*entries[::-1])
        assert held(jail)["kind/inner"] == "one"
        assert held(jail)["other"] == "-> both"
        assert stat.S_IMODE(jail.stat().st_mode) == 0o711
        assert not make(*entries[::-1]).changed

    @pytest.mark.parametrize("order", [1, -1])
    def test_a_name_wins_over_what_a_directory_holds(self, make: Make, place: Path, two: Path, order: int) -> None:
        """In whichever order."""
        make(*[{"src": "/one/", "dest": "/opt/x"}, {"src": "/two/both", "dest": "/opt/x/both"}][::order])
        assert held(place / "jail/opt/x")["both"] == "two"

    def test_a_file_in_place_of_a_directory_and_the_other_way_round(self, make: Make, place: Path, two: Path) -> None:
        make(
            {"src": "/one/", "dest": "/opt/x"},
            {"src": "/one/both", "dest": "/opt/x/dir"},
            {"src": "/two/dir/", "dest": "/opt/x/both"},
        )
        found = held(place / "jail/opt/x")
        assert (found["dir"], found["both/both"]) == ("one", "two")

    def test_the_same_twice_is_once(self, make: Make, place: Path, two: Path) -> None:
        stats = make("/one/", "/one", "/one/both", "/one/*").values["stats"]
        assert stats["files"] == 5
        assert held(place / "jail/one") == held(two / "one")

    def test_a_directory_in_a_directory_below_itself(self, make: Make, place: Path, two: Path) -> None:
        make("/one/", {"src": "/one/", "dest": "/one/dir/again"})
        assert held(place / "jail/one/dir/again") == held(two / "one")

    def test_through_a_link_of_another_entry(self, make: Make, place: Path, source: Path) -> None:
        """The link gives way to the directory that is asked for."""
        (source / "usr/X11").symlink_to("share")
        make("/usr/", "/usr/X11/dict/")
        assert (place / "jail/usr/X11").is_dir()
        assert not (place / "jail/usr/X11").is_symlink()
        assert (place / "jail/usr/X11/dict/words").exists()


class TestContradictions:
    @pytest.mark.parametrize(
        ("entries", "words"),
        [
            (
                [("/usr/bin/git", "/opt/x"), ("/usr/share/", "/opt/x")],
                "is a directory, and .* something else at /opt/x",
            ),
            ([("/usr/share/", "/opt/x"), ("/usr/bin/git", "/opt/x")], "is not a directory, and .* something else at"),
            ([("/usr/bin/git", "/opt/x"), ("/usr/bin/cc", "/opt/x/y")], "other entries are copied below /opt/x"),
            ([("/usr/bin/git", "/usr")], "is not a directory, and the layout of macOS wants something else at /usr"),
            ([("/usr/bin/git", "/private/etc")], "the layout of macOS wants something else at /private/etc"),
            ([("/usr/bin/git", "/.")], "the layout of macOS wants something else at /"),
            ([("/usr/share/", "/var/db/darwin.jail")], "where the collection keeps its own files"),
            ([("/usr/bin/git", "/private/var/db/darwin.jail/lock")], "where the collection keeps its own files"),
        ],
    )
    def test_they_are_refused(self, make: Make, place: Path, entries: list[tuple[str, str]], words: str) -> None:
        for check in (True, False):
            with pytest.raises(InputError, match=rf"entries\[\d\]: .*{words}"):
                make(*({"src": src, "dest": dest} for src, dest in entries), check=check)
        assert not (place / "jail").exists()

    def test_two_files_for_one_name_are_none(self, make: Make, place: Path) -> None:
        make({"src": "/usr/bin/git", "dest": "/opt/x"}, {"src": "/usr/bin/cc", "dest": "/opt/x"})
        assert held(place / "jail/opt") == {"x": "this is usr/bin/cc\n"}


class TestImplied:
    """Directories that no entry names."""

    def test_they_are_as_in_the_source(self, make: Make, place: Path, source: Path) -> None:
        for name, mode in (("usr/share", 0o711), ("usr/share/dict", 0o2750)):
            os.chown(source / name, 501, 20)
            (source / name).chmod(mode)
        make("/usr/share/dict/words")
        for name, mode in (("usr/share", 0o711), ("usr/share/dict", 0o2750)):
            status = (place / "jail" / name).stat()
            assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (mode, 501, 20)
        assert not make("/usr/share/dict/words").changed

    def test_or_ordinary_ones(self, make: Make, place: Path) -> None:
        old = os.umask(0o077)
        try:
            make({"src": "/usr/bin/git", "dest": "/new/place/git"})
        finally:
            os.umask(old)
        for name in ("new", "new/place"):
            status = (place / "jail" / name).stat()
            assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o755, 0, 0)

    def test_or_those_of_macos(self, make: Make, place: Path, source: Path) -> None:
        """Whatever the source's are, when they are not named themselves."""
        (source / "usr").chmod(0o700)
        make("/usr/bin/git")
        assert stat.S_IMODE((place / "jail/usr").stat().st_mode) == 0o755
        make("/usr/")
        assert stat.S_IMODE((place / "jail/usr").stat().st_mode) == 0o700

    def test_their_times_are_left_alone(self, make: Make, place: Path) -> None:
        make("/usr/bin/git")
        os.utime(place / "jail/usr", ns=(5, 5))
        assert not make("/usr/bin/git").changed
        assert (place / "jail/usr").stat().st_mtime_ns == 5


class TestLayout:
    def test_all_of_it_is_made(self, make: Make, place: Path) -> None:
        make("/usr/bin/git")
        for path, fixed in DIRECTORIES.items():
            status = (place / "jail" / os.fsdecode(path)).lstat()
            assert (status.st_mode, status.st_uid, status.st_gid) == (fixed.st_mode, fixed.st_uid, fixed.st_gid), path
        assert {os.fsencode(os.readlink(place / "jail" / os.fsdecode(path))) for path in LINKS} == set(LINKS.values())

    def test_links_of_the_source_do_not_stand_in_the_way(self, make: Make, place: Path, source: Path) -> None:
        for name in ("tmp", "var"):
            (source / name).symlink_to("elsewhere")
        make("/*")
        assert os.readlink(place / "jail/tmp") == "private/tmp"

    def test_directories_in_place_of_the_links_are_refused(self, make: Make, source: Path) -> None:
        """Such a source is no macOS."""
        (source / "tmp").mkdir()
        with pytest.raises(InputError, match="is a directory, and the layout of macOS wants something else at /tmp"):
            make("/*")

    def test_a_link_that_was_changed_is_restored(self, make: Make, place: Path) -> None:
        make("/usr/bin/git")
        (place / "jail/tmp").unlink()
        (place / "jail/tmp").symlink_to("/tmp")  # noqa: S108 (that is the mischief)
        make("/usr/bin/git")
        assert os.readlink(place / "jail/tmp") == "private/tmp"


class TestLeftOut:
    def test_excluded_whether_found_or_named(self, make: Make, place: Path, two: Path) -> None:
        make("/one/", "/one/both", "/two/", exclude=["both", "/two/dir/**"])
        assert held(place / "jail/one") == {
            "only-one": "one",
            "dir/only-one": "one",
            "kind/inner": "one",
            "other": "-> both",
        }
        assert (place / "jail/two/dir").is_dir()
        assert held(place / "jail/two/dir") == {}

    def test_the_layout_cannot_be_excluded(self, make: Make, place: Path) -> None:
        make("/usr/", exclude=["etc", "private"])
        assert (place / "jail/etc").is_symlink()

    def test_sockets_are_counted(self, make: Make, place: Path, source: Path) -> None:
        with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as two:
            one.bind(str(source / "usr/bin/s1"))
            two.bind(str(source / "s2"))
        result = make("/usr/", {"src": "/s2", "dest": "/opt/s2"})
        assert result.values["stats"]["sockets"] == 2
        assert not (place / "jail/usr/bin/s1").exists()
        assert not (place / "jail/opt/s2").exists()
        assert not make("/usr/", {"src": "/s2", "dest": "/opt/s2"}).changed

    @pytest.mark.parametrize("kind", ["directory", "file", "link"])
    def test_the_sources_own_record_is_not_copied(self, make: Make, place: Path, source: Path, kind: str) -> None:
        """The source may be a jail, or hold anything under that name."""
        state = source / "private/var/db/darwin.jail"
        state.parent.mkdir(parents=True)
        if kind == "directory":
            state.mkdir()
            (state / "jail.json").write_text("{}")
        elif kind == "file":
            state.write_text("x")
        else:
            state.symlink_to("/")
        make("/private/")
        assert (place / "jail/private/var/db/darwin.jail/jail.json").read_text() != "{}"
        again = make("/private/")
        assert (again.changed, again.warnings) == (False, [])


def test_many_files_of_one_directory_are_as_few_ones(make: Make, place: Path, source: Path) -> None:
    """Beyond a number less is kept of each."""
    for number in range(COMPACT_AFTER + 20):
        (source / f"usr/bin/{number}").write_text(str(number))
    os.link(source / "usr/bin/git", source / "usr/bin/git2")
    os.chown(source / "usr/bin/7", 501, 20)
    make("/usr/bin/")
    for verify in ("quick", "full"):
        assert not make("/usr/bin/", verify=verify).changed
    for path in (source / "usr/bin").iterdir():
        one, other = path.stat(), (place / "jail/usr/bin" / path.name).stat()
        fields = ("st_mode", "st_uid", "st_gid", "st_size", "st_mtime_ns", "st_nlink")
        assert [getattr(one, name) for name in fields] == [getattr(other, name) for name in fields]
