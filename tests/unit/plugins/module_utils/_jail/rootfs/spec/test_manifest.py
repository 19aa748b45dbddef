# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Manifests in the format of mkjail.files."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, ManifestError
from ansible_collections.darwin.jail.plugins.module_utils._jail.limits import MANIFEST, MANIFEST_LINE, Limit
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec import manifest
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec.manifest import (
    Entry,
    read_entries,
    read_manifests,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.host import read_file, read_lines
from built_jails import Make, paths
from hypothesis import given
from hypothesis import strategies as st

PUBLISHED = Path(__file__).resolve().parents[8] / "shared/data/mkjail.files"


def read(text: bytes | dict[str, bytes]) -> list[Entry]:
    files = text if isinstance(text, dict) else {"/m": text}
    return read_manifests([next(iter(files))], files.__getitem__)


def test_lines() -> None:
    entries = read(b"# comment\n\n  /bin/  \n/a*  /b/\n\t/etc/hosts\n")
    assert [(entry.src, entry.dest) for entry in entries] == [(b"/bin/", None), (b"/a*", b"/b/"), (b"/etc/hosts", None)]
    assert all(entry.optional for entry in entries)
    assert entries[1].origin == "/m line 4"


def test_includes_are_relative_to_the_including_file() -> None:
    files = {
        "/etc/jails/m": b"@include sub/n\n/a\n",
        "/etc/jails/sub/n": b"@include ../o\n/b\n",
        "/etc/jails/o": b"/c\n",
    }
    assert [entry.src for entry in read(files)] == [b"/c", b"/b", b"/a"]


def test_a_file_may_be_included_twice() -> None:
    assert len(read({"/m": b"@include n\n@include n\n", "/n": b"/a\n"})) == 2


def test_a_cycle_is_named() -> None:
    files = {"/m": b"@include n\n", "/n": b"@include o\n", "/o": b"@include n\n"}
    with pytest.raises(ManifestError, match="/n -> /o -> /n"):
        read(files)


def test_includes_do_not_go_on_for_ever() -> None:
    with pytest.raises(ManifestError, match="more than 64 levels deep"):
        read_manifests(["/0"], lambda path: b"@include /%d\n" % (int(path[1:]) + 1))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"/a /b /c", "line 1: 3 words"),
        (b"a", "not an absolute path"),
        (b"/a b", "dest 'b' is not an absolute path"),
        (b"/a/../b", r"contains '\.\.'"),
        (b"/a /b/..", r"contains '\.\.'"),
        (b"/a\0b", "NUL"),
        (b"@include", "names no file"),
        (b"@include x\0y", "names no file"),
        (b"/" + b"x" * 1023, "longer than the 1023 bytes"),
        (b"/a /" + b"x/" * 512, "longer than the 1023 bytes"),
    ],
)
def test_bad_lines_are_refused_by_number(line: bytes, words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        read(line)


def test_a_manifest_must_be_an_absolute_path() -> None:
    with pytest.raises(InputError, match="not an absolute path"):
        read_manifests(["m"], read_file)


def test_entries_may_hold_spaces() -> None:
    entry = read_entries([{"src": "/Library/My Tool/", "dest": "/opt/my tool/"}])[0]
    assert (entry.src, entry.dest, entry.optional) == (b"/Library/My Tool/", b"/opt/my tool/", False)


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published list is not beside this checkout")
def test_the_published_list_is_read_unmodified() -> None:
    entries = read_manifests([str(PUBLISHED)], read_file)
    assert len(entries) == 22
    assert entries[6].dest == b"/System/Library/dyld/"


@given(st.binary(max_size=200))
def test_whatever_a_file_holds_the_answer_is_entries_or_a_documented_error(text: bytes) -> None:
    try:
        entries = read_manifests(["/m"], lambda path: text if path == "/m" else b"")
    except ManifestError as exc:
        assert "/m line" in str(exc)  # noqa: PT017
    else:
        assert all(entry.src.startswith(b"/") for entry in entries)


def test_a_long_manifest_is_read_line_by_line(make: Make, place: Path, source: Path) -> None:
    """What finds nothing is told of the first ones, and not for each."""
    text = "".join(f"/usr/share{f'/{number}' * 120}\n" for number in range(2000))
    (place / "some.files").write_text(text + "/usr/bin/git\n")
    result = make(manifests=[str(place / "some.files")], check=True)
    assert ("create", "/usr/bin/git") in paths(result)
    assert len(result.warnings) < 1010
    assert "1000 further lines of manifests match nothing" in result.warnings


def test_lines_of_all_manifests_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each includes the next one twice: a few short files that would be read for ever."""
    monkeypatch.setattr(manifest, "MANIFEST", Limit(3000, "lines", MANIFEST.reason))
    files = {"/0": b"# nothing\n" * 10 + b"/a\n" * 2000}
    files.update({f"/{number}": b"@include %d\n" % (number - 1) * 2 for number in range(1, 40)})
    with pytest.raises(
        ManifestError, match=r"^cannot read the manifest /\d+: it has, with those before it, more than 3000 lines"
    ):
        read_manifests(["/39"], files.__getitem__)


def test_a_line_has_an_end(make: Make, place: Path) -> None:
    (place / "some.files").write_bytes(b"/usr" * 5000)
    with pytest.raises(InputError, match=r"some\.files: it has a line of more than 8192 bytes, which is the limit"):
        make(manifests=[str(place / "some.files")])
    assert not (place / "jail").exists()


def test_lines_end_as_those_of_all_systems_do(place: Path) -> None:
    (place / "some.files").write_bytes(b"/a\r\n/b\r/c\n\n/d")
    entries = read_manifests([str(place / "some.files")], lambda path: read_lines(path, MANIFEST_LINE))
    assert [entry.src for entry in entries] == [b"/a", b"/b", b"/c", b"/d"]
    assert entries[3].origin.endswith("some.files line 5")
