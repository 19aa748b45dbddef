# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Runs that know that the source is the same: they must not read it, and must miss nothing else."""

from __future__ import annotations

import json
import os
import plistlib
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import register
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import RecordError
from ansible_collections.darwin.jail.plugins.module_utils._jail.record.record import RECORD
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec import sealed_source as seals
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec.sealed_source import (
    SealedSnapshot,
    sealed_snapshot,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec.source_tree import Source
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import process
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.process import CompletedRun
from built_jails import paths

Run = Callable[..., Result]
ENTRIES = ("/usr/bin/", "/usr/lib/", "/usr/share/", "/Library/", "/etc/")
EXPOSED = (b"Library", b"private")


@pytest.fixture
def run(place: Path, source: Path) -> Run:
    """Build from a sealed source, whose /Library and /private are not."""
    (source / "Library/Fonts").mkdir(parents=True)
    (source / "Library/Fonts/one").write_text("font\n")
    (source / "usr/lib/deep/er").mkdir(parents=True)
    (source / "usr/lib/deep/er/lib").write_text("lib\n")
    (source / "usr/lib/link").symlink_to("deep")

    def go(*more: str, check: bool = False, identity: str = "A", **options: Any) -> Result:
        entries = [{"src": entry} for entry in (*ENTRIES, *more)]
        spec = BuildSpec(str(place / "jail"), str(source), entries=entries, **options)
        return build(spec, check, SealedSnapshot(identity, EXPOSED))

    return go


def empty(source: Path) -> None:
    """Leave of the sealed part only the directories that entries name: whoever reads them will miss all."""
    for path in (source / "usr").iterdir():
        shutil.rmtree(path)
        path.mkdir()


def test_the_sealed_part_is_not_read(run: Run, source: Path, place: Path) -> None:
    assert run().changed
    empty(source)
    assert not run().changed
    assert not run(check=True).changed
    assert (place / "jail/usr/lib/deep/er/lib").read_text() == "lib\n"


def test_not_one_system_call_goes_there(run: Run, source: Path, place: Path) -> None:
    run()
    program = f"""
import sys
sys.path[:0] = {sys.path!r}
from ansible_collections.darwin.jail.plugins.module_utils._jail import register
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec.sealed_source import SealedSnapshot
register.DIRECTORY = {register.DIRECTORY!r}
entries = [{{"src": entry}} for entry in {ENTRIES!r}]
spec = BuildSpec({str(place / "jail")!r}, {str(source)!r}, entries=entries)
assert not build(spec, False, SealedSnapshot("A", {EXPOSED!r})).changed
"""
    if shutil.which("strace") is None:
        pytest.skip("no strace here")
    log = place / "calls"
    subprocess.run(["strace", "-f", "-y", "-o", log, sys.executable, "-c", program], check=True)
    calls = log.read_text()
    assert f"{source}/Library/Fonts" in calls or '"Fonts"' in calls
    assert not [line for line in calls.splitlines() if "getdents" in line and f"{source}/usr" in line]
    for inside in ("deep", "git", "dict"):  # what the entries name themselves is looked up
        assert not [line for line in calls.splitlines() if f"{source}/usr" in line and f'"{inside}"' in line]


def test_what_differs_in_the_jail_is_repaired_from_it(run: Run, source: Path, place: Path) -> None:
    run()
    jail = place / "jail/usr"
    (jail / "bin/git").write_text("changed\n")
    (jail / "lib/link").unlink()
    shutil.rmtree(jail / "lib/deep")
    (jail / "share").chmod(0o700)
    (jail / "share/foreign").write_text("theirs\n")
    expected = {
        ("replace", "/usr/bin/git"),
        ("create", "/usr/lib/link"),
        ("create", "/usr/lib/deep"),
        ("create", "/usr/lib/deep/er"),
        ("create", "/usr/lib/deep/er/lib"),
        ("metadata", "/usr/share"),
    }
    assert paths(run(check=True)) == expected
    assert paths(run()) == expected
    assert (jail / "lib/deep").stat().st_mtime_ns == (source / "usr/lib/deep").stat().st_mtime_ns
    assert (jail / "lib").stat().st_mtime_ns == (source / "usr/lib").stat().st_mtime_ns
    assert not run().changed
    assert (jail / "share/foreign").exists()


ODD = ("odd name", "new\nline", "back\\slash", "st*r", "\udcff", "a type=file", "…")


def test_odd_names_do_not_make_it_read(run: Run, source: Path) -> None:
    for name in ODD:
        (source / "usr/share" / name).write_text(name, errors="surrogateescape")
        (source / "usr/lib" / name).symlink_to("/usr/share")
    assert run().changed
    empty(source)
    assert not run().changed


def plant(path: Path, kind: str) -> None:
    """Put something of this kind there."""
    if kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(path))
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("git.old")
    elif kind == "its recorded name":  # as the record spells it
        path.with_name(path.name.replace(" ", "\\040")).write_text("git\n")


@pytest.mark.parametrize("kind", ["nothing", "socket", "fifo", "directory", "link", "its recorded name"])
@pytest.mark.parametrize("name", ["git", "odd name"])
def test_something_else_in_place_of_a_file(run: Run, source: Path, place: Path, name: str, kind: str) -> None:
    shutil.copy2(source / "usr/bin/git", source / "usr/bin/odd name")
    run()
    path = place / "jail/usr/bin" / name
    path.rename(path.with_name("git.old"))
    if (name, kind) == ("git", "its recorded name"):
        return  # that is its name
    plant(path, kind)
    done = paths(run())
    assert {where for _action, where in done} == {f"/usr/bin/{name}"}
    assert path.read_bytes() == (source / "usr/bin" / name).read_bytes()
    assert not run().changed


@pytest.mark.parametrize("attribute", ["time", "size", "mode", "owner"])
def test_all_that_is_recorded_of_a_file_is_compared(run: Run, source: Path, place: Path, attribute: str) -> None:
    run()
    path, was = place / "jail/usr/bin/git", (source / "usr/bin/git").stat()
    if attribute == "size":
        path.write_bytes(path.read_bytes() + b".")
        os.utime(path, ns=(was.st_mtime_ns, was.st_mtime_ns))
    elif attribute == "time":
        os.utime(path, ns=(was.st_mtime_ns, was.st_mtime_ns + 1))
    elif attribute == "mode":
        path.chmod(was.st_mode ^ 0o1)
    else:
        os.chown(path, 0, 1234)
    assert {where for _action, where in paths(run())} == {"/usr/bin/git"}
    assert not run().changed


@pytest.fixture
def several(source: Path) -> tuple[str, ...]:
    """Names of one file, in two directories of the sealed part."""
    names = ("usr/bin/one", "usr/bin/other name", "usr/share/third")
    (source / names[0]).write_text("of several names\n")
    for name in names[1:]:
        os.link(source / names[0], source / name)
    return names


def is_one_file(jail: Path, names: tuple[str, ...]) -> bool:
    return len({(jail / name).stat().st_ino for name in names}) == 1


def part(path: Path) -> None:
    """Make a name of a file a file of its own that nothing but its number tells from the other."""
    status = path.stat()
    copy = path.with_name("copy")
    shutil.copy2(path, copy)
    os.utime(copy, ns=(status.st_mtime_ns, status.st_mtime_ns))
    copy.replace(path)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_names_of_one_file_that_were_parted_are_joined_again(
    run: Run, source: Path, place: Path, several: tuple[str, ...], number: int
) -> None:
    run()
    empty(source)
    jail = place / "jail"
    assert not run().changed
    part(jail / several[number])
    assert not is_one_file(jail, several)
    predicted = run(check=True)
    done = run()
    assert [action for action, _path in paths(done)] == ["link"] * len(paths(done))
    assert paths(done) == paths(predicted)
    assert is_one_file(jail, several)
    assert not run().changed


def test_a_name_that_is_lost_is_joined_to_one_in_a_directory_that_is_not_read(
    run: Run, place: Path, several: tuple[str, ...]
) -> None:
    run()
    jail = place / "jail"
    (jail / several[0]).unlink()
    assert paths(run()) == {("link", f"/{several[0]}")}
    assert is_one_file(jail, several)
    (jail / several[2]).write_text("changed, under all its names\n")
    assert paths(run())
    assert is_one_file(jail, several)
    assert (jail / several[1]).read_text() == "of several names\n"
    assert not run().changed


def test_names_are_joined_as_they_are_in_the_snapshot_that_was_read_last(
    run: Run, source: Path, place: Path, several: tuple[str, ...]
) -> None:
    """In the second one a file that differs in nothing else has become one with others."""
    third = source / several[2]
    part(third)
    share = third.parent.stat()
    run()
    third.unlink()
    os.link(source / several[0], third)
    os.utime(third.parent, ns=(share.st_mtime_ns, share.st_mtime_ns))
    run()
    assert paths(run(identity="B")) == {("link", f"/{several[2]}")}
    part(place / "jail" / several[2])
    assert paths(run(identity="B")) == {("link", f"/{several[2]}")}
    assert is_one_file(place / "jail", several)


def test_names_in_a_directory_that_is_made_of_two(place: Path, source: Path) -> None:
    for name in ("usr/bin/one", "usr/lib/two"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
        os.link(source / name, source / f"{name} too")
    entries = [{"src": "/usr/lib/", "dest": "/mixed/"}, {"src": "/usr/bin/", "dest": "/mixed/"}]
    spec = BuildSpec(str(place / "jail"), str(source), entries=entries)
    build(spec, False, SealedSnapshot("A"))
    part(place / "jail/mixed/two")
    assert paths(build(spec, False, SealedSnapshot("A"))) == {("link", "/mixed/two too")}
    for name in ("one", "two"):
        assert is_one_file(place / "jail/mixed", (name, f"{name} too"))


def test_a_forged_record_that_passes_for_what_is_there_is_refused_with_what_to_do(
    run: Run, place: Path, several: tuple[str, ...]
) -> None:
    """The line of a file with several names says its time as no run writes it."""
    run()
    jail = place / "jail"
    os.utime(jail / several[2], ns=(5, 5))
    text = (jail / os.fsdecode(RECORD)).read_bytes()
    forged, count = re.subn(rb"^(third type=.* time=)\S+$", rb"\1.5", text, flags=re.MULTILINE)
    assert count == 1
    (jail / os.fsdecode(RECORD)).write_bytes(forged)
    with pytest.raises(
        RecordError, match=r"is damaged: 'third .* is not a line of the record\. Remove it to continue: "
    ):
        run()


def test_what_is_not_sealed_is_read(run: Run, source: Path) -> None:
    run()
    (source / "Library/Fonts/two").write_text("font\n")
    (source / "private/etc/hosts").write_text("of a new version\n")
    assert paths(run()) == {
        ("create", "/Library/Fonts/two"),
        ("metadata", "/Library/Fonts"),
        ("replace", "/private/etc/hosts"),
    }


@pytest.mark.parametrize("other", [{"identity": "B"}, {"verify": "full"}, {"exclude": ["x"]}, {"prune": False}])
def test_when_it_is_read_all_the_same(run: Run, source: Path, other: dict[str, Any]) -> None:
    """Another snapshot, other options, or contents to compare."""
    run()
    (source / "usr/bin/git").write_text("another version\n")
    assert not run().changed
    assert ("replace", "/usr/bin/git") in paths(run(**other))


def test_after_a_warning_it_is_read_again(run: Run, source: Path, place: Path) -> None:
    """The jail may lack something that the source has."""
    run()
    jail = place / "jail/usr/bin"
    (jail / "git").unlink()
    (jail / "git").mkdir()
    (jail / "git/theirs").write_text("in the way")
    assert run(identity="B").warnings
    shutil.rmtree(jail / "git")
    marker = json.loads((place / "jail/private/var/db/darwin.jail/jail.json").read_text())
    assert "fingerprint" not in marker
    assert paths(run(identity="B")) == {("create", "/usr/bin/git")}
    assert (jail / "git").read_text() == (source / "usr/bin/git").read_text()


def test_a_run_that_is_killed_leaves_no_false_fingerprint(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    marker = place / "jail/private/var/db/darwin.jail/jail.json"
    first = json.loads(marker.read_text())["fingerprint"]
    assert first

    def die(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build._Builder._sync", die)
    with pytest.raises(KeyboardInterrupt):
        run(identity="B")
    assert "fingerprint" not in json.loads(marker.read_text())
    monkeypatch.undo()
    run(identity="B")
    assert json.loads(marker.read_text())["fingerprint"] not in (None, first)


PLIST = {
    "APFSSnapshot": True,
    "APFSSnapshotUUID": "CA15E030-DBDD-4FF4-847D-50D5EE26B798",
    "Sealed": "Yes",
}


@pytest.mark.parametrize(
    ("change", "sealed"),
    [
        ({}, True),
        ({"Sealed": "Broken"}, False),
        ({"Sealed": "No"}, False),
        ({"APFSSnapshot": False}, False),
        ({"MountPoint": "/elsewhere"}, False),
        ({"APFSSnapshotUUID": ""}, False),
    ],
)
def test_what_diskutil_says(
    source: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], sealed: bool
) -> None:
    (source / "usr/share/firmlinks").write_text("/Users\tUsers\n/private\tprivate\n")
    monkeypatch.setattr(seals, "DISKUTIL", "/bin/sh")
    said = plistlib.dumps({**PLIST, "MountPoint": str(source), **change})
    monkeypatch.setattr(process, "run", lambda _argv, timeout: CompletedRun(0, said, b""))
    opened = Source(str(source))
    try:
        found = sealed_snapshot(opened)
    finally:
        opened.close()
    assert (found is not None) == sealed
    if found:
        assert found.identity == PLIST["APFSSnapshotUUID"]
        for path in (b"usr/bin", b"System/Library/dyld", b"usr/share", b"Users2"):
            assert found.is_sealed(path)
        for path in (b"Users", b"Users/admin", b"private/etc", b"System/Volumes/Preboot/Cryptexes/OS/x"):
            assert not found.is_sealed(path)
