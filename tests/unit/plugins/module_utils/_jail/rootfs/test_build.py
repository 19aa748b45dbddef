# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Whole runs: what a jail gets, what a second run does, and whose files are left alone."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, ManifestError, SpaceError
from ansible_collections.darwin.jail.plugins.module_utils._jail.sizes import size
from built_jails import Make, paths
from tree_snapshots import tree_snapshot


def test_the_layout_of_macos_is_made(make: Make, place: Path) -> None:
    make("/usr/bin/")
    jail = place / "jail"
    assert {name: os.readlink(jail / name) for name in ("etc", "tmp", "var")} == {
        "etc": "private/etc",
        "tmp": "private/tmp",
        "var": "private/var",
    }
    for name, mode, gid in (
        ("", 0o1775, 80),
        ("Users", 0o755, 80),
        ("private/tmp", 0o1777, 0),
        ("private/var/run", 0o775, 1),
        ("private/var/root", 0o750, 0),
        ("private/var/empty", 0o755, 3),
        ("dev", 0o555, 0),
        ("cores", 0o1775, 80),
    ):
        status = (jail / name).stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (mode, 0, gid), name


def test_a_second_run_changes_nothing_at_all(make: Make, place: Path) -> None:
    assert make("/usr/", "/etc/").changed
    before = tree_snapshot(place / "jail")
    again = make("/usr/", "/etc/")
    assert not again.changed
    assert again.values["operations"] == []
    assert tree_snapshot(place / "jail") == before


def bytes_of(jail: Path) -> int:
    """In regular files, each of which counts once, without what the collection keeps for itself."""
    found = [path for path in jail.rglob("*") if path.is_file() and not path.is_symlink()]
    status = {path.stat().st_ino: path.stat() for path in found if "darwin.jail" not in path.parts}
    return sum(one.st_size for one in status.values())


def test_how_large_the_jail_is_is_known_after_each_run(make: Make, place: Path, source: Path) -> None:
    (source / "usr/bin/large").write_bytes(b"x" * 5000)
    os.link(source / "usr/bin/large", source / "usr/bin/other name")
    first = make("/usr/", "/etc/")
    assert first.values["jail_bytes"] == first.values["sizes"]["total"]["bytes"] == bytes_of(place / "jail") > 5000
    assert make("/usr/", "/etc/").values["jail_bytes"] == first.values["jail_bytes"]
    assert make("/usr/", "/etc/", check=True).values["jail_bytes"] == first.values["jail_bytes"]
    (place / "jail/usr/foreign").write_bytes(b"x" * 100)
    (source / "usr/bin/large").write_bytes(b"x" * 7000)
    (source / "usr/new").mkdir()
    (source / "usr/new/file").write_bytes(b"x" * 300)
    assert make("/usr/", "/etc/").values["jail_bytes"] == first.values["jail_bytes"] + 2300
    less = make("/usr/bin/")
    assert less.changed
    (place / "jail/usr/foreign").unlink()
    assert less.values["jail_bytes"] == bytes_of(place / "jail")


def test_how_large_it_is_is_counted_where_it_was_not_known(make: Make, place: Path, source: Path) -> None:
    known = make("/usr/", "/etc/").values["jail_bytes"]
    with jails.open_jail(str(place / "jail")) as jail:
        jail.update_entry(bytes=None)
    assert "jail_bytes" not in make("/usr/", "/etc/").values, "nothing is read for it"
    (source / "usr/new").write_bytes(b"x" * 50)
    assert make("/usr/", "/etc/").values["jail_bytes"] == known + 50


def test_check_mode_tells_what_the_run_then_does_and_writes_nothing(make: Make, place: Path) -> None:
    predicted = make("/usr/", "/etc/", check=True)
    assert not (place / "jail").exists()
    done = make("/usr/", "/etc/")
    assert paths(predicted) == paths(done)
    assert predicted.values["operations_total"] == done.values["operations_total"]
    (place / "jail/usr/bin/git").unlink()
    (place / "jail/usr/bin/cc").chmod(0o600)
    before = tree_snapshot(place / "jail")
    predicted = make("/usr/", check=True)
    assert tree_snapshot(place / "jail") == before
    assert paths(predicted) == paths(make("/usr/"))


def test_metadata_arrives(make: Make, place: Path, source: Path) -> None:
    tool = source / "usr/bin/tool"
    tool.write_bytes(b"x" * 100_000)
    os.chown(tool, 501, 20)
    tool.chmod(0o6711)
    os.setxattr(tool, "user.note", b"\0\xff")
    os.utime(tool, ns=(1, 1_234_567_890_123_456_789))
    (source / "usr/empty").mkdir()
    (source / "usr/empty").chmod(0o1770)
    os.mkfifo(source / "usr/fifo", 0o640)
    os.mknod(source / "usr/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    (source / "usr/link").symlink_to("/absolute/target")
    os.lchown(source / "usr/link", 501, 20)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(source / "usr/socket"))
    stats = make("/usr/").values["stats"]
    jail = place / "jail/usr"
    status = (jail / "bin/tool").stat()
    assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o6711, 501, 20)
    assert status.st_mtime_ns == 1_234_567_890_123_456_789
    assert os.getxattr(jail / "bin/tool", "user.note") == b"\0\xff"
    assert stat.S_IMODE((jail / "empty").stat().st_mode) == 0o1770
    assert stat.S_ISFIFO((jail / "fifo").stat().st_mode)
    assert (jail / "null").stat().st_rdev == os.makedev(1, 3)
    assert os.readlink(jail / "link") == "/absolute/target"
    assert (jail / "link").lstat().st_uid == 501
    assert not (jail / "socket").exists()
    assert stats["sockets"] == 1
    assert stats["devices"] == 2


def test_hard_links_stay_across_entries(make: Make, place: Path, source: Path) -> None:
    (source / "usr/lib").mkdir()
    os.link(source / "usr/bin/git", source / "usr/lib/git-one")
    os.link(source / "usr/bin/git", source / "usr/lib/git-two")
    stats = make("/usr/bin/", "/usr/lib/git-one", {"src": "/usr/lib/git-two", "dest": "/opt/two"}).values["stats"]
    jail = place / "jail"
    inodes = {(jail / name).stat().st_ino for name in ("usr/bin/git", "usr/lib/git-one", "opt/two")}
    assert len(inodes) == 1
    assert (jail / "opt/two").stat().st_nlink == 3
    assert stats["hardlinks"] == 2
    assert not make("/usr/bin/", "/usr/lib/git-one", {"src": "/usr/lib/git-two", "dest": "/opt/two"}).changed
    (jail / "opt/two").unlink()
    (jail / "opt/two").write_text("another file")
    assert paths(make("/usr/bin/", "/usr/lib/git-one", {"src": "/usr/lib/git-two", "dest": "/opt/two"})) == {
        ("link", "/opt/two")
    }


def test_two_sources_for_one_directory_merge_and_the_later_wins(make: Make, place: Path, source: Path) -> None:
    (source / "extra").mkdir()
    (source / "extra/cc").write_text("the later cc")
    (source / "extra/ld").write_text("ld")
    make("/usr/bin/", {"src": "/extra/", "dest": "/usr/bin/"})
    names = sorted(path.name for path in (place / "jail/usr/bin").iterdir())
    assert names == ["cc", "git", "ld"]
    assert (place / "jail/usr/bin/cc").read_text() == "the later cc"


def test_firmlinked_copies_are_not_taken_twice(make: Make, place: Path, source: Path) -> None:
    (source / "usr/share/firmlinks").write_text("/usr/local\tusr/local\n/Users\tUsers\n")
    for name in ("usr/local/bin/tool", "System/Volumes/Data/usr/local/bin/tool", "System/Library/x"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("x")
    make("/usr/", "/System/")
    jail = place / "jail"
    assert (jail / "usr/local").is_dir()
    assert not (jail / "usr/local/bin").exists()
    assert not (jail / "System/Volumes").exists()
    assert (jail / "System/Library/x").exists()
    make("/usr/", "/usr/local/", "/System/")
    assert (jail / "usr/local/bin/tool").exists()


def test_a_jail_inside_its_source_is_not_copied_into_itself(make: Make, source: Path) -> None:
    jail = source / "usr/jails/first"
    make("/usr/", jail=str(jail))
    assert not (jail / "usr/jails/first").exists()
    assert not make("/usr/", jail=str(jail)).changed
    (source / "usr/jails/other").mkdir()
    make("/usr/", "/usr/jails/*", jail=str(jail))
    assert [path.name for path in (jail / "usr/jails").iterdir()] == ["other"]


class TestBadInput:
    """One sentence with the path and the remedy, in check mode too, and nothing is touched."""

    @pytest.fixture(params=[True, False], ids=["check", "real"])
    def check(self, request: pytest.FixtureRequest) -> bool:
        return bool(request.param)

    @pytest.mark.parametrize(
        ("jail", "words"),
        [
            ("", "is empty"),
            ("relative/jail", "not an absolute path"),
            ("/", "belongs to the system"),
            ("/usr/local", "belongs to the system"),
            ("/Users/admin", "home directory"),
            ("/x/../etc", "'..'"),
        ],
    )
    def test_paths_that_cannot_be_jails(self, make: Make, check: bool, jail: str, words: str) -> None:
        with pytest.raises(InputError, match=words):
            make("/usr/", jail=jail, check=check)

    def test_a_link_in_the_path(self, make: Make, place: Path, check: bool) -> None:
        (place / "link").symlink_to(place)
        with pytest.raises(InputError, match="symbolic link"):
            make("/usr/", jail=str(place / "link/jail"), check=check)

    def test_a_directory_that_is_no_jail(self, make: Make, place: Path, check: bool) -> None:
        (place / "jail/mine").mkdir(parents=True)
        with pytest.raises(InputError, match="is not a jail of this collection"):
            make("/usr/", check=check)
        assert [path.name for path in (place / "jail").iterdir()] == ["mine"]

    def test_a_file_in_its_place(self, make: Make, place: Path, check: bool) -> None:
        (place / "jail").write_text("x")
        with pytest.raises(InputError, match="is not a directory"):
            make("/usr/", check=check)

    def test_a_file_above_it(self, make: Make, place: Path, check: bool) -> None:
        (place / "file").write_text("x")
        with pytest.raises(InputError, match=r"/a/jail lies below .*/file, which is not a directory"):
            make("/usr/", jail=str(place / "file/a/jail"), check=check)

    @pytest.mark.parametrize("option", ["jail", "source", "manifests"])
    def test_a_nul_byte(self, make: Make, place: Path, check: bool, option: str) -> None:
        value = f"{place}/x\0y"
        with pytest.raises(InputError, match=r"contains a (NUL byte|control character)"):
            make("/usr/", check=check, **{option: [value] if option == "manifests" else value})

    @pytest.mark.parametrize("exclude", ["[z-a]", "/usr/x[b-a]"])
    def test_a_senseless_glob(self, make: Make, place: Path, check: bool, exclude: str) -> None:
        with pytest.raises(InputError, match=r"a\]' is not a valid glob: bad character range"):
            make("/usr/", exclude=[exclude], check=check)
        assert not (place / "jail").exists()

    @pytest.mark.parametrize("src", ["/jails/first", "/jails/first/", "/jails/first/usr/bin/git", "/jails/*"])
    def test_the_jail_itself_as_an_entry(self, make: Make, source: Path, check: bool, src: str) -> None:
        jail = source / "jails/first"
        make("/usr/", jail=str(jail))
        with pytest.raises(InputError, match="matches nothing"):
            make("/usr/", src, jail=str(jail), check=check)

    def test_a_jail_inside_a_jail(self, make: Make, place: Path, check: bool) -> None:
        make("/usr/")
        with pytest.raises(InputError, match="lies inside the jail"):
            make("/usr/", jail=str(place / "jail/opt/second"), check=check)

    def test_a_source_that_does_not_exist(self, make: Make, place: Path, check: bool) -> None:
        with pytest.raises(InputError, match="is not a directory"):
            make("/usr/", source=str(place / "none"), check=check)
        assert not (place / "jail").exists()

    def test_an_entry_that_matches_nothing(self, make: Make, place: Path, check: bool) -> None:
        with pytest.raises(InputError, match="matches nothing"):
            make("/usr/", "/nowhere", check=check)
        assert not (place / "jail").exists()
        assert make("/usr/", {"src": "/nowhere", "optional": True}, check=check).warnings == []

    def test_a_manifest_that_is_missing(self, make: Make, place: Path, check: bool) -> None:
        with pytest.raises(ManifestError, match=r"cannot read .*list: No such file"):
            make(manifests=[str(place / "list")], check=check)

    def test_a_destination_that_leads_out(self, make: Make, check: bool) -> None:
        with pytest.raises(InputError, match=r"contains '\.\.'"):
            make({"src": "/usr/", "dest": "/opt/../../x"}, check=check)

    def test_the_place_of_the_collections_own_files(self, make: Make, check: bool) -> None:
        with pytest.raises(InputError, match="keeps its own files"):
            make({"src": "/usr/", "dest": "/var/db/darwin.jail/x"}, check=check)

    def test_no_space(self, make: Make, place: Path, check: bool) -> None:
        volume = place / "volume"
        volume.mkdir()
        (place / "source/usr/big").write_bytes(b"x" * (4 << 20))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=18m", "none", str(volume)], check=True)
        try:
            with pytest.raises(SpaceError, match=r"needs 21\.0 MB, 18\.9 MB free"):
                make("/usr/", jail=str(volume / "jail"), check=check)
            assert list(volume.iterdir()) == []
        finally:
            subprocess.run(["umount", str(volume)], check=True)


def test_a_manifest_line_that_matches_nothing_is_a_warning(make: Make, place: Path) -> None:
    (place / "list").write_text("/usr/bin/\n/System/Library/Perl/\n")
    result = make(manifests=[str(place / "list")])
    assert [warning for warning in result.warnings if "matches nothing" in warning] == [
        f"{place}/list line 2: /System/Library/Perl/ matches nothing"
    ]


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (7_100_000_000, "7.1 GB"), (2_500_000, "2.5 MB")]
)
def test_sizes_for_people(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize("adopt", [False, True])
def test_a_jail_that_was_moved_is_built_again_and_known_from_then_on(make: Make, place: Path, adopt: bool) -> None:
    make("/usr/", jail=str(place / "elsewhere"))
    (place / "elsewhere").rename(place / "jail")
    (place / "jail/usr/bin/git").write_text("changed in the jail")
    said = f"{place}/jail is entered in the register of this Mac: this Mac has no entry of the jail as it is now"
    predicted = make("/usr/", check=True, adopt=adopt)
    assert said in predicted.warnings
    with jails.open_jail(str(place / "jail")) as jail:
        assert jail.unknown
    done = make("/usr/", adopt=adopt)
    assert said in done.warnings
    assert paths(done) == paths(predicted) == {("replace", "/usr/bin/git")}
    with jails.open_jail(str(place / "jail")) as jail:
        assert (jail.unknown, jail.entry["state"]) == ("", "complete")
    again = make("/usr/", adopt=adopt)
    assert (again.changed, said in again.warnings) == (False, False)
