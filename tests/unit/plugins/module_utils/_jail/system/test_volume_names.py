# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""How volumes compare names: what they are asked, and that the answer is what they do."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import host, volume_names
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.platform import darwin
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from hypothesis import example, given, settings
from hypothesis import strategies as st
from volumes import casefold_volume, lacks

COMPOSED, DECOMPOSED = "\u00fcber".encode(), "u\u0308ber".encode()


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exact").resolve()


@pytest.fixture(params=["folding", "casefold"])
def volume(request: pytest.FixtureRequest, place: Path) -> Iterator[Path]:
    """An empty directory on a volume that folds names."""
    if request.param == "folding":
        yield request.getfixturevalue("folded")
        return
    if reason := lacks(request.param):
        pytest.skip(reason)
    with casefold_volume(place / "casefold") as point:
        yield point


def asked(path: Path) -> tuple[bool, bool]:
    found = volume_names.names_at(os.fsencode(path))
    return found.ignore_case, found.ignore_form


def test_a_volume_that_compares_bytes_is_asked_and_costs_nothing(exact: Path) -> None:
    (exact / "Some").mkdir()
    assert asked(exact) == (False, False)
    assert asked(exact / "not/there/yet") == (False, False)
    assert volume_names.names_at(os.fsencode(exact)).key(COMPOSED) is COMPOSED


@pytest.mark.parametrize(
    ("said", "expected"), [(0, (True, True)), (1, (False, True)), (OSError(22, "no such name"), (None, True))]
)
def test_macos_tells_it(
    monkeypatch: pytest.MonkeyPatch, said: int | OSError, expected: tuple[bool | None, bool]
) -> None:
    def fpathconf(fd: int, name: int) -> int:
        assert (fd, name) == (7, darwin.PC_CASE_SENSITIVE)
        if isinstance(said, OSError):
            raise said
        return said

    monkeypatch.setattr(os, "fpathconf", fpathconf)
    assert darwin.Darwin(libc=object()).name_comparison(7) == expected


def test_two_names_of_one_file_are_no_answer(exact: Path, place: Path) -> None:
    """Whoever can write in a jail could otherwise say how its volume compares."""
    (place / "a").write_text("x")
    os.link(place / "a", place / "A")
    assert asked(place) == (False, False)


def test_a_volume_that_folds_is_asked_by_what_is_in_a_directory_and_by_its_own_name(volume: Path) -> None:
    assert asked(volume) == (True, True)
    (volume / "Some").mkdir()
    assert asked(volume) == (True, True)
    (volume / os.fsdecode(COMPOSED)).touch()
    assert asked(volume / "Some/not/there") == (True, True)


def test_the_answer_is_remembered_for_an_open_tree(folded: Path) -> None:
    with Root(os.fsencode(folded)) as root:
        found = volume_names.names_of(root)
        assert found.ignore_case
        assert volume_names.names_of(root) is found
    absent = Root.missing(os.fsencode(folded / "jail"))
    assert volume_names.names_of(absent).ignore_case


@pytest.mark.parametrize("name", [b"private", COMPOSED, DECOMPOSED, b"Stra\xc3\x9fe", b"\xff\xfe", b"12", b"a/B"])
def test_a_name_and_its_key(name: bytes) -> None:
    for convert in (volume_names.fold, volume_names.decomposed, volume_names.fold_more):
        assert convert(convert(name)) == convert(name)
    assert volume_names.decomposed(COMPOSED) == DECOMPOSED
    assert volume_names.fold("\u00dcBER/Stra\u00dfe".encode()) == volume_names.fold("u\u0308ber/STRASSE".encode())


def test_bytes_that_are_no_text_stay_and_do_not_hide_the_rest() -> None:
    assert volume_names.fold(b"\xffA") == b"\xffA"
    assert volume_names.fold(b"PRIVATE/\xffA") == b"private/\xffA"
    assert volume_names.fold_more("pri\u200dVATE/\u00ad".encode() + b"/\xff") == b"private//\xff"


CHARACTERS = st.sampled_from(
    "aAbBkKsS\u212a\u00e9\u00c9e\u0301\u00df\u1e9e\u03c3\u03c2\u03a3\u0130i\u0307\u01c4\u0345\u03b1\u0323"
)


@settings(max_examples=100, deadline=None)
@given(st.text(CHARACTERS, min_size=1, max_size=5), st.text(CHARACTERS, min_size=1, max_size=5))
@example("\u00fc", "U\u0308")
@example("\u00df", "SS")
@example("\u03b1\u0345\u0323", "\u03b1\u0323\u0345")
def test_the_key_says_what_the_volume_does(folding: Path, one: str, other: str) -> None:
    (folding / "there").mkdir(exist_ok=True)  # an empty volume has nothing to be asked about
    key = volume_names.names_at(os.fsencode(folding)).key
    (folding / one).touch()
    try:
        for spelling in (other, one.swapcase(), one.casefold(), unicodedata.normalize("NFC", one)):
            alike = key(spelling.encode()) == key(one.encode())
            assert os.path.lexists(folding / spelling) == alike, (one, spelling)
    finally:
        (folding / one).unlink()


@pytest.mark.parametrize("spelled", ["JAILS/U\u0308ber/first", "jails/\u00fcBER/FIRST", "Jails/\u00dcber/First/new"])
def test_a_path_is_spelled_as_the_volume_holds_it(folded: Path, spelled: str) -> None:
    (folded / "Jails/\u00dcber/first").mkdir(parents=True)
    (folded / "JAILS.old").mkdir()
    expected = folded / "Jails/\u00dcber/first" / ("new" if spelled.endswith("new") else "")
    assert host.real_path(str(folded / spelled)) == os.fsencode(expected)


def test_a_path_stays_where_bytes_are_compared(exact: Path) -> None:
    (exact / "case").mkdir()
    (exact / "CASE").mkdir()
    assert host.real_path(str(exact / "CASE/x")) == os.fsencode(exact / "CASE/x")
    assert host.real_path(str(exact / "Case/x")) == os.fsencode(exact / "Case/x")
