# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Jails on a volume that folds names."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.drift import Drift
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.tree_walk import walk
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, RecordError
from ansible_collections.darwin.jail.plugins.module_utils._jail.record import record
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.diff.ownership import FileOwnership
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.remove import remove
from ansible_collections.darwin.jail.plugins.module_utils._jail.swap.migration import UserDataMigration
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import host
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from built_jails import Make, paths
from tree_snapshots import tree_snapshot

from . import test_build
from .diff import test_conffiles, test_prune

STATE = os.fsdecode(jails.STATE)


@pytest.fixture
def place(folded: Path) -> Path:
    return folded


# -- what holds on other volumes, too ----------------------------------------------

test_second_run = test_build.test_a_second_run_changes_nothing_at_all
test_check_mode = test_build.test_check_mode_tells_what_the_run_then_does_and_writes_nothing
test_hard_links = test_build.test_hard_links_stay_across_entries
test_merged = test_build.test_two_sources_for_one_directory_merge_and_the_later_wins
test_firmlinks = test_build.test_firmlinked_copies_are_not_taken_twice
test_dropped = test_prune.test_dropped_entries_go_and_come_back
test_foreign = test_prune.test_what_others_put_there_keeps_its_directories
test_configured = test_conffiles.test_wanted_no_longer_goes_unless_it_was_changed


# -- names that change their spelling -------------------------------------------------


def drift(jail: Path) -> Drift:
    with jails.open_jail(str(jail)) as opened:
        found = Drift(FileOwnership(record.Record.load(opened.root), set(), opened.root.dev))
        assert walk(opened.root, set(), [found]) == []
    return found


def spelled(root: Path) -> list[str]:
    """The names below a directory, without those that every jail has."""
    names = (str(path.relative_to(root)) for path in root.rglob("*"))
    return sorted(name for name in names if not name.startswith("local"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("usr/share/dict/words", "usr/share/dict/WORDS"),
        ("usr/share/dict", "usr/share/Dict"),
        ("usr/share", "usr/SHARE"),
        ("usr/bin/\u00fcber", "usr/bin/u\u0308ber"),
        ("private/etc/hosts", "private/etc/Hosts"),
        ("private/etc/pam.d", "private/etc/PAM.d"),
    ],
)
def test_a_rename_in_the_spelling_alone(make: Make, place: Path, source: Path, old: str, new: str) -> None:
    (source / "usr/bin/\u00fcber").write_text("u")
    (source / "usr/share/dict/deep/er").mkdir(parents=True)
    (source / "usr/share/dict/deep/er/file").write_text("f")
    make("/usr/", "/etc/")
    before = tree_snapshot(place / "jail")
    os.rename(source / old, source / new)
    predicted = make("/usr/", "/etc/", check=True)
    assert tree_snapshot(place / "jail") == before
    done = make("/usr/", "/etc/")
    assert paths(predicted) == paths(done)
    assert ("rename", f"/{new}") in paths(done)
    assert not any(action in ("create", "remove", "replace") for action, _path in paths(done))
    for top in ("usr", "private/etc"):
        assert spelled(place / "jail" / top) == spelled(source / top)
    assert not make("/usr/", "/etc/").changed
    found = drift(place / "jail")
    assert (found.changed, found.kept, found.missing, found.foreign) == ([], [], [], [])
    make("/usr/bin/git")
    assert not (place / "jail/usr/share").exists()
    assert not (place / "jail/private/etc/hosts").exists()


def test_renamed_and_changed_at_once(make: Make, place: Path, source: Path) -> None:
    make("/usr/")
    (source / "usr/bin/git").write_text("a newer git")
    os.rename(source / "usr/bin/git", source / "usr/bin/GIT")
    os.rename(source / "usr/share/dict", source / "usr/share/DICT")
    (source / "usr/share/DICT/words").unlink()
    (source / "usr/share/DICT/more").write_text("more")
    make("/usr/")
    assert spelled(place / "jail/usr") == spelled(source / "usr")
    assert (place / "jail/usr/bin/GIT").read_text() == "a newer git"
    assert not make("/usr/").changed


@pytest.mark.parametrize("turned", ["a file", "a directory"])
def test_renamed_and_of_another_kind(make: Make, place: Path, source: Path, turned: str) -> None:
    make("/usr/")
    if turned == "a file":
        shutil.rmtree(source / "usr/share/dict")
        (source / "usr/share/Dict").write_text("a file")
    else:
        (source / "usr/bin/git").unlink()
        (source / "usr/bin/GIT").mkdir()
        (source / "usr/bin/GIT/x").write_text("x")
    predicted = make("/usr/", check=True)
    done = make("/usr/")
    assert paths(predicted) == paths(done)
    assert spelled(place / "jail/usr") == spelled(source / "usr")
    assert not make("/usr/").changed


def test_configuration_that_was_changed_in_the_jail_is_known_by_its_former_spelling(
    make: Make, place: Path, source: Path
) -> None:
    make("/etc/")
    (place / "jail/private/etc/hosts").write_text("edited in the jail")
    os.rename(source / "private/etc/hosts", source / "private/etc/HOSTS")
    done = make("/etc/")
    assert [kept["path"] for kept in done.values["kept"]] == ["/private/etc/HOSTS"]
    assert (place / "jail/private/etc/HOSTS").read_text() == "edited in the jail"


def test_a_user_renames_in_the_jail(make: Make, place: Path) -> None:
    make("/usr/", "/etc/")
    os.rename(place / "jail/usr/bin/git", place / "jail/usr/bin/Git")
    os.rename(place / "jail/usr/share", place / "jail/usr/Share")
    found = drift(place / "jail")
    assert (found.changed, found.missing, found.foreign) == ([], [], [])
    assert not make("/usr/", "/etc/").changed


def test_an_update_puts_no_file_of_people_over_one_of_macos(place: Path, source: Path) -> None:
    old, new = place / "jail", place / "next.jail"
    build(BuildSpec(str(old), str(source), entries=[{"src": "/usr/"}]), check=False)
    (old / "usr/bin/README").write_text("of somebody")
    (source / "usr/bin/readme").write_text("of macOS")
    build(BuildSpec(str(new), str(source), entries=[{"src": "/usr/"}]), check=False)
    with jails.open_jail(str(old)) as former, jails.open_jail(str(new)) as jail:
        migration = UserDataMigration(former, jail)
        migration.find()
        migration.apply()
    assert list(migration.not_migrated) == [b"usr/bin/README"]
    assert (new / "usr/bin/readme").read_text() == "of macOS"
    assert (old / "usr/bin/README").read_text() == "of somebody"


# -- two names that are one --------------------------------------------------------------


@pytest.fixture
def apart(tmp_path: Path) -> Path:
    """A source on a volume that tells the two apart."""
    for name, text in (("CONNMARK.h", "one"), ("connmark.h", "two"), ("other", "x")):
        (tmp_path / "usr/include").mkdir(parents=True, exist_ok=True)
        (tmp_path / "usr/include" / name).write_text(text)
    return tmp_path.resolve()


def test_two_files_of_the_source(make: Make, place: Path, apart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "used_bytes", lambda path: 0)  # else all is looked at before, for its size
    for check in (True, False):
        with pytest.raises(
            InputError, match=r"'(CONNMARK|connmark).h' and '.*.h', both listed in /usr/include, are the same"
        ):
            make("/usr/", source=str(apart), check=check)
    assert not (place / "jail").exists()
    make("/usr/", source=str(apart), exclude=["CONNMARK.h"])
    assert (place / "jail/usr/include/connmark.h").read_text() == "two"
    before = tree_snapshot(place / "jail")
    with pytest.raises(InputError, match="both listed in /usr/include"):
        make("/usr/", source=str(apart))
    assert tree_snapshot(place / "jail") == before


@pytest.mark.parametrize(
    "entries",
    [
        [{"src": "/usr/bin/git", "dest": "/opt/git"}, {"src": "/usr/bin/cc", "dest": "/opt/GIT"}],
        [{"src": "/usr/bin/git", "dest": "/opt/x/git"}, {"src": "/usr/bin/cc", "dest": "/OPT/y"}],
        [{"src": "/usr/bin/git", "dest": "/Private/etc/git"}],
        [{"src": "/usr/bin/git", "dest": "/\u00fc"}, {"src": "/usr/bin/cc", "dest": "/u\u0308"}],
    ],
)
def test_two_entries(make: Make, place: Path, entries: list[dict[str, Any]]) -> None:
    for check in (True, False):
        with pytest.raises(InputError, match=r"entries\[\d\].* wants /.*, and .* wants /.*: these are one name"):
            make(*entries, check=check)
    assert not (place / "jail").exists()


def test_a_later_entry_wins_in_another_spelling(make: Make, place: Path, source: Path) -> None:
    for top, names in (("one", ("Both", "dir/Only", "DIR2/x")), ("two", ("BOTH", "Dir/more", "dir2"))):
        for name in names:
            (source / top / name).parent.mkdir(parents=True, exist_ok=True)
            (source / top / name).write_text(top)
    entries = [
        {"src": "/one/", "dest": "/opt"},
        {"src": "/two/", "dest": "/opt"},
        {"src": "/one/Both", "dest": "/opt/both"},
    ]
    done = make(*entries)
    assert done.changed
    assert spelled(place / "jail/opt") == ["Dir", "Dir/Only", "Dir/more", "both", "dir2"]
    assert (place / "jail/opt/both").read_text() == "one"
    assert not make(*entries).changed


def test_a_clone_on_a_volume_that_takes_two_of_its_names_for_one(place: Path, apart: Path, tmp_path: Path) -> None:
    base, copy = tmp_path / "base", place / "copy"
    build(BuildSpec(str(base), str(apart), entries=[{"src": "/usr/include/"}]), check=False)
    for check in (True, False):
        with pytest.raises(InputError, match="both listed in /usr/include, are the same name"):
            build(BuildSpec(str(copy), clone_of=str(base), allow_full_copy=True), check)
    assert not copy.exists()
    (apart / "usr/include/CONNMARK.h").unlink()
    build(BuildSpec(str(base), str(apart), entries=[{"src": "/usr/include/"}]), check=False)
    for changed in (True, False):
        assert build(BuildSpec(str(copy), clone_of=str(base), allow_full_copy=True), check=False).changed is changed
    assert spelled(copy / "usr/include") == spelled(apart / "usr/include")


def test_what_is_never_copied_twice_whatever_an_entry_calls_it(make: Make, place: Path, source: Path) -> None:
    (source / "System/Volumes/Data/Users").mkdir(parents=True)
    (source / "usr/share/firmlinks").write_text("/usr/bin\tusr/bin\n")
    make({"src": "/SYSTEM/", "dest": "/opt/system"}, {"src": "/USR/", "dest": "/opt/usr"})
    assert spelled(place / "jail/opt/system") == []
    assert (place / "jail/opt/usr/share/dict/words").exists()
    assert os.listdir(place / "jail/opt/usr/bin") == []


# -- what belongs to the collection --------------------------------------------------------


@pytest.mark.parametrize(
    "dest", ["/PRIVATE/var/db/darwin.jail/x", "/private/var/db/Darwin.Jail", "/var/DB/darwin.jail/x"]
)
def test_an_entry_for_the_state(make: Make, place: Path, dest: str) -> None:
    with pytest.raises(InputError, match="where the collection keeps its own files"):
        make({"src": "/usr/bin/git", "dest": dest})
    assert not (place / "jail").exists()


def test_the_state_of_a_source_is_left_out_in_any_spelling(make: Make, place: Path, source: Path) -> None:
    state = source / "private/VAR/DB/Darwin.Jail"
    state.mkdir(parents=True)
    (state / "jail.json").write_text("{}")
    (state / "record.mtree").write_text("forged")
    make("/private/")
    assert sorted(os.listdir(place / "jail" / STATE)) == ["jail.json", "record.mtree", "stage"]
    assert (place / "jail" / STATE / "jail.json").read_text() != "{}"
    assert not make("/private/").changed


@pytest.mark.parametrize("spelling", ["private/var/db/DARWIN.jail", "Private/var/db/darwin.jail"])
def test_a_record_that_claims_the_state(make: Make, place: Path, spelling: str) -> None:
    make("/usr/")
    journal = place / "jail" / STATE / "journal.0123456789ab"
    journal.write_text(f"#dir /{spelling}\nx type=dir mode=0700 uid=0 gid=0\njail.json type=file mode=0600\n")
    with pytest.raises(RecordError, match="where the collection keeps its own files"):
        make("/usr/")


def test_the_marker_goes_last_in_any_spelling(make: Make, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make("/usr/")
    for old, new in (("private/var/db", "private/var/Db"), ("private/var", "private/VAR"), ("private", "PRIVATE")):
        os.rename(place / "jail" / old, place / "jail" / new)
    seen: list[bool] = []
    original = Root.rename

    def rename(root: Root, old: bytes, new: bytes) -> None:
        seen.append((place / "jail" / STATE / "jail.json").exists())
        original(root, old, new)

    monkeypatch.setattr(Root, "rename", rename)
    assert remove(str(place / "jail"), unmount=False, check=False).changed
    assert seen == [True]
    assert not (place / "jail").exists()


# -- globs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("glob", ["/usr/bin/\u00fc*", "/usr/bin/U\u0308?er", "/usr/BIN/[\u00fcx]ber"])
def test_globs_know_what_the_volume_takes_for_one(make: Make, place: Path, source: Path, glob: str) -> None:
    (source / "usr/bin/u\u0308ber").write_text("u")
    make(glob, exclude=["none"])
    assert [path.name for path in (place / "jail/usr").rglob("*ber")] == ["u\u0308ber"]
    make("/usr/", exclude=["\u00dc*", "/USR/bin/G?T"])
    assert spelled(place / "jail/usr/bin") == ["cc"]
