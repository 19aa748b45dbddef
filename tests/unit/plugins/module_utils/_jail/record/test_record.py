# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The record in a jail: read by mtree(8), and believed only when it makes sense."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import limits
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import JailError, RecordError
from ansible_collections.darwin.jail.plugins.module_utils._jail.jail import STATE
from ansible_collections.darwin.jail.plugins.module_utils._jail.record import block, record
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from built_jails import Make
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from system_calls import in_child


def nested(*names: bytes) -> bytes:
    """Directories in each other."""
    return b"".join(b"%s type=dir mode=0755 uid=0 gid=0\n" % name for name in names) + b"..\n" * len(names)


HEAD = b"#mtree\n. type=dir mode=0755 uid=0 gid=0\n"


def load(jail: Path, text: bytes) -> record.Record:
    """What is made of a record with this text."""
    where = jail / os.fsdecode(record.RECORD)
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_bytes(text)
    with Root(os.fsencode(jail)) as root:
        return record.Record.load(root)


BLOCK = b"bin type=dir mode=0755 uid=0 gid=0\n#names 1 deadbeef\ngit type=file mode=0755 uid=0 gid=0 size=1\n"


def journal(jail: Path, text: bytes, name: bytes = b"journal.1") -> None:
    where = jail / os.fsdecode(STATE)
    where.mkdir(parents=True, exist_ok=True)
    (where / os.fsdecode(name)).write_bytes(text)


def test_blocks_are_found_by_directory(place: Path) -> None:
    text = HEAD + (
        b"etc type=link uid=0 gid=0 link=private/etc\n"
        b"usr type=dir mode=0755 uid=0 gid=0\n"
        b"bin type=dir mode=0755 uid=0 gid=0\n"
        b"git type=file mode=0755 uid=0 gid=0 size=1 time=1.000000000\n"
        b"..\n..\n"
        b"odd\\040name type=dir mode=0700 uid=1 gid=2\n..\n"
        b"..\n"
    )
    found = load(place, text)
    assert set(found.blocks) == {b"", b"usr", b"usr/bin", b"odd name"}
    assert found.children == {b"": [b"usr", b"odd name"], b"usr": [b"usr/bin"]}
    assert set(found.block(b"usr/bin").fields()) == {b".", b"git"}
    assert set(found.block(b"").fields()) == {b".", b"etc"}
    assert found.block(b"nowhere").fields() == {}


def test_a_directory_takes_little_memory(place: Path) -> None:
    """Each worker process would get its own copies of what there is for a directory."""
    count = 20_000
    text = HEAD + b"".join(b"d%05d type=dir mode=0755 uid=0 gid=0\n..\n" % number for number in range(count)) + b"..\n"
    load(place, HEAD + b"..\n")  # what is imported and cached is not counted
    tracemalloc.start()
    try:
        found = load(place, text)
        taken = tracemalloc.get_traced_memory()[0] - len(text)
    finally:
        tracemalloc.stop()
    assert len(found.blocks) == count + 1
    # The path, a number, a place in a dict and one in a list; an object for each takes half as much again.
    assert taken / count < sys.getsizeof(b"d00000") + sys.getsizeof(1 << 40) + 60


def test_a_block_that_was_asked_for_is_replaced(place: Path) -> None:
    found = load(place, HEAD + BLOCK + b"..\n..\n")
    assert set(found.block(b"bin").fields()) == {b".", b"git"}
    assert found.block(b"bin") is found.block(b"bin")  # its fields are parsed once
    found.add(b"bin", block.Block(BLOCK.replace(b"git", b"svn")))
    assert set(found.block(b"bin").fields()) == {b".", b"svn"}


def test_what_is_in_a_directory_comes_before_names_that_only_begin_like_it(make: Make, place: Path) -> None:
    """A dash comes before a slash, so paths that are sorted as text would part a directory from what is in it."""
    for name in ("lib/a/b/c", "lib/a-b/c", "lib/a.d"):
        (place / "source/usr" / name).mkdir(parents=True)
    make("/usr/lib/")
    lines = (place / "jail" / os.fsdecode(record.RECORD)).read_bytes().splitlines()
    names = [line.split()[0] for line in lines if b" type=dir " in line or line == b".."]
    start = names.index(b"lib")
    ends = [b".."]
    assert names[start : start + 10] == [b"lib", b"a", b"b", b"c", *ends * 3, b"a-b", b"c", *ends]
    with Root(os.fsencode(place / "jail")) as root:
        assert {b"usr/lib/a/b/c", b"usr/lib/a-b/c", b"usr/lib/a.d"} <= record.Record.load(root).blocks.keys()


@pytest.mark.parametrize(
    "text",
    [
        HEAD,
        HEAD + b"..\n..\n",
        HEAD + b"a/b type=dir mode=0755 uid=0 gid=0\n..\n..\n",
        HEAD + b"a\\000b type=dir mode=0755 uid=0 gid=0\n..\n..\n",
        HEAD + b"\\056\\056 type=dir mode=0755 uid=0 gid=0\n..\n..\n",
        HEAD + b". type=dir mode=0755 uid=0 gid=0\n..\n..\n",
        HEAD + b"x type=dir mode=0755 uid=0 gid=0\n..\n..\ntail",
        b"usr type=dir mode=0755 uid=0 gid=0\n..\n",
        HEAD + b"a\0b type=dir mode=0755 uid=0 gid=0\n..\n..\n",
        HEAD + b"n" * 300 + b" type=dir mode=0755 uid=0 gid=0\n..\n..\n",
        HEAD + nested(b"private", b"var", b"db", b"darwin.jail") + b"..\n",
    ],
)
def test_a_damaged_record_is_refused_with_the_remedy(place: Path, text: bytes) -> None:
    with pytest.raises(RecordError, match="Remove it to continue"):
        load(place, text)


def test_a_huge_record_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RECORD", 1000)
    with pytest.raises(Exception, match="larger than 1000 bytes"):
        load(place, HEAD + b"#" * 1000 + b"\n..\n")


BLOCKS = b"x type=file mode=0644 uid=0 gid=0 size=1 time=0.000000000\n" * 50
BOMBS = {
    "one long line": (None, HEAD + b" type=dir " * 2_000_000 + b"\n"),
    "a very deep tree": (None, HEAD + b"a type=dir mode=0755 uid=0 gid=0\n" * 40_000 + b"..\n" * 40_001),
    "one directory again and again": (b"journal.1", (b"#dir /usr\n" + BLOCKS) * 10_000),
    "one long path": (b"journal.1", b"#dir /" + b"a/" * 60_000 + b"a\n. type=dir mode=0755 uid=0 gid=0\n"),
    "a long path again and again": (b"journal.1", (b"#dir " + b"/a" * 8_000 + b"\n") * 2_000),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_takes_neither_much_time_nor_memory(place: Path, bomb: str) -> None:
    """The limits are three times what is taken here; without care it would be hundreds of times as much."""
    name, text = BOMBS[bomb]
    if name:
        journal(place, text, name)

    def read() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (15, 15))
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
        try:
            load(place, HEAD + b"..\n" if name else text)
        except RecordError as exc:
            assert "Remove it to continue" in str(exc)  # noqa: PT017 (this is another process)

    assert in_child(read) == 0


FILES = (b"git", b"of two words", b"a=b")


def linked(line: bytes) -> dict[bytes, int]:
    """What a block with this line says of files with several names."""
    return block.Block(BLOCK.replace(b"git type", line + b"git type")).linked()


def test_files_with_several_names_are_told() -> None:
    inodes = [(name, 2**64 - 1 - number) for number, name in enumerate(FILES)]
    assert linked(block.linked_line(inodes)) == dict(inodes)
    assert linked(b"") == {}


@pytest.mark.parametrize("line", [b"#linked 1\n", b"#linked x git\n", b"#linked 1 git 2 git\n", b"#other\n"])
@pytest.mark.parametrize("before", [b"", b"#linked 1 git\n"])
def test_nonsense_about_them_is_refused(line: bytes, before: bytes) -> None:
    with pytest.raises(RecordError, match="several names"):
        linked(before + line)
    with pytest.raises(RecordError, match="several names"):
        linked(b"#linked " + b"9" * 5000 + b" git\n")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from([HEAD, b"..\n", b"x type=dir mode=0755 uid=0 gid=0\n", b"y", b"\xff\n", b" type=dir "]))
)
def test_anything_is_understood_or_refused(place: Path, pieces: list[bytes]) -> None:
    try:
        found = load(place, b"".join(pieces))
        for block in found.blocks.values():
            block.fields()
    except RecordError:
        return
    assert all(b".." not in path.split(b"/") for path in found.blocks)


@pytest.mark.skipif(shutil.which("mtree") is None, reason="Debian's package mtree-netbsd is not installed")
def test_the_native_program_finds_the_jail_as_recorded(make: Make, place: Path, source: Path) -> None:
    for name in ("space here", "new\nline", "h#sh", "st*r", "[bracket]", "umläut", "-dash", "back\\slash", "é\udcff"):
        (source / "usr/share" / name).write_text(name, errors="surrogateescape")
        (source / "usr/share/dict" / f"dir {name}").mkdir()
        (source / "usr/share/dict" / f"link {name}").symlink_to(name)
    make("/usr/", "/etc/")
    jail = place / "jail"

    def differences() -> list[str]:
        command = ["mtree", "-p", str(jail), "-f", str(jail / os.fsdecode(record.RECORD))]
        said = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace").stdout
        return [line for line in said.splitlines() if not line.startswith("extra:")]

    assert differences() == []
    (jail / "usr/bin/git").chmod(0o700)
    (jail / "usr/share/dict/words").unlink()
    assert any("git" in line for line in differences())
    assert any("missing" in line for line in differences())


def test_a_damaged_record_stops_a_run_before_it_changes_anything(make: Make, place: Path) -> None:
    make("/usr/")
    path = place / "jail" / os.fsdecode(record.RECORD)
    path.write_bytes(path.read_bytes()[:-10])
    (place / "jail/usr/bin/git").unlink()
    with pytest.raises(RecordError, match="is damaged"):
        make("/usr/")
    assert not (place / "jail/usr/bin/git").exists()
    path.unlink()
    make("/usr/")
    assert (place / "jail/usr/bin/git").exists()


class TestJournals:
    """What a killed run may have installed is ours, too."""

    def test_its_blocks_are_added(self, place: Path) -> None:
        journal(place, b"#dir /\n. type=dir mode=0755 uid=0 gid=0\n#names 0 0\n")
        journal(place, b"#dir /usr/bin\n" + BLOCK + b"#dir /half/writ", b"journal.2")
        found = load(place, HEAD + b"usr type=dir mode=0755 uid=0 gid=0\n..\n..\n")
        assert found.interrupted
        assert found.children == {b"": [b"usr"], b"usr": [b"usr/bin"]}
        assert set(found.fields(b"usr/bin")) == {b".", b"git"}

    def test_a_name_may_have_been_installed_twice(self, place: Path) -> None:
        journal(place, b"#dir /\n. type=dir mode=0700 uid=0 gid=0\ngit type=file mode=0644 uid=0 gid=0 size=2\n")
        found = load(place, HEAD + b"git type=file mode=0644 uid=0 gid=0 size=1\n..\n")
        assert [fields.st_size for fields in found.fields(b"")[b"git"]] == [1, 2]
        assert len(found.fields(b"")[b"."]) == 1

    def test_a_line_that_was_cut_off_counts_for_nothing(self, place: Path) -> None:
        for size in range(len(BLOCK)):
            journal(place, b"#dir /usr\n" + BLOCK[:size])
            assert set(load(place, HEAD + b"..\n").fields(b"usr")) <= {b".", b"git"}

    @pytest.mark.parametrize(
        "path",
        [
            b"/a\\000b",
            b"/a/" + b"n" * 300,
            b"/a" * 5000,
            b"/..",
            b"/usr/../..",
            b"/a//b",
            b"/usr/.",
            b"/private/var/db/darwin.jail",
        ],
    )
    def test_other_paths_are_refused(self, place: Path, path: bytes) -> None:
        journal(place, b"#dir " + path + b"\n" + BLOCK)
        with pytest.raises(RecordError, match=r"/journal\.1 is damaged: .* Remove it to continue"):
            load(place, HEAD + b"..\n")

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.sampled_from([b"#dir /", b"usr", b"\n", BLOCK, b"/", b"..", b"\\0", b"\xff", b". type=dir"])))
    def test_anything_is_understood_or_refused(self, place: Path, pieces: list[bytes]) -> None:
        journal(place, b"".join(pieces))
        try:
            found = load(place, HEAD + b"..\n")
            for path in found.blocks:
                found.fields(path)
        except RecordError:
            pass


def test_a_line_that_makes_no_sense_is_told_with_the_file_and_the_remedy(make: Make, place: Path) -> None:
    make("/usr/")
    path = place / "jail" / os.fsdecode(record.RECORD)
    path.write_text(path.read_text().replace("git type=file", "git type=thing"))
    with pytest.raises(RecordError, match=r"record\.mtree is damaged: 'git type=thing .* Remove it to continue"):
        make("/usr/bin/cc")
    assert (place / "jail/usr/bin/git").exists()
    path.unlink()
    make("/usr/bin/cc")
    assert (place / "jail/usr/bin/git").exists()  # nothing tells that it is ours


@pytest.mark.parametrize("name", ["record.mtree", "journal.1"])
@pytest.mark.parametrize("kind", ["fifo", "device", "directory", "link"])
def test_something_else_in_its_place(make: Make, place: Path, kind: str, name: str) -> None:
    """It is told, with the path; nobody waits for a FIFO, follows a link, or reads a device to its end."""
    make("/usr/")
    path = place / "jail" / os.fsdecode(STATE) / name
    path.unlink(missing_ok=True)
    plant: dict[str, Callable[[], object]] = {
        "fifo": lambda: os.mkfifo(path),
        "device": lambda: os.mknod(path, 0o020600, os.makedev(1, 5)),
        "directory": path.mkdir,
        "link": lambda: path.symlink_to("/etc/passwd"),
    }
    plant[kind]()
    for check in (True, False):
        with pytest.raises(JailError, match=rf"^cannot read {path}: "):
            make("/usr/", check=check)


def test_a_record_may_not_claim_what_keeps_the_jail(make: Make, place: Path) -> None:
    make("/usr/")
    path = place / "jail" / os.fsdecode(record.RECORD)
    start = path.read_bytes().index(b"db type=dir")
    end = path.read_bytes().index(b"..\n", start)
    claim = b"darwin.jail type=dir mode=0700 uid=0 gid=0\njail.json type=file mode=0600 uid=0 gid=0 size=1\n..\n"
    path.write_bytes(path.read_bytes()[:end] + claim + path.read_bytes()[end:])
    with pytest.raises(RecordError, match=r"it claims /private/var/db/darwin\.jail"):
        make("/usr/")
    assert (path.parent / "jail.json").exists()
