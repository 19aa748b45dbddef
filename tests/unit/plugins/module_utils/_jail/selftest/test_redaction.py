# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Nothing that is published names anybody, whatever they are called."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest import private_words
from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest.context import output_of
from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest.redaction import MAX_LENGTH, REDACTED, Redactor
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.process import CompletedRun
from hypothesis import given
from hypothesis import strategies as st

HOSTILE = (
    "Zoë\u2019s MacBook Pro",
    "dana-o'brien",
    "a|b",
    ".*",
    "(x",
    "mac1.corp.example",
    "ÄÖ",
    "user name",
    "[…]",
    "\\",
    "M1",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_taken_out_however_it_is_written(name: str) -> None:
    clean = Redactor([name])
    for text in (f"cannot open /Users/{name}/x: no", f"host {name}: refused", name, f"{name.upper()}!", f"({name})"):
        assert name.casefold() not in clean(text).replace(REDACTED, "").casefold()


@pytest.mark.parametrize(
    "number",
    [
        "192.168.1.20",
        "fe80::1c2d:3e4f:5a6b:7c8d%en0",
        "2001:db8::1",
        "a4:83:e7:01:02:03",
        "8C1F0D2E-1111-2222-3333-444455556666",
        "C02XK1ABJG5H",
        "FVFXC2ABHV2D",
        "dana@example.com",
        "danas-mac.local",
    ],
)
def test_a_number_or_an_address_is_taken_out(number: str) -> None:
    assert number not in Redactor([])(f"it says {number} here")


@pytest.mark.parametrize(
    "text",
    [
        "exit status 113",
        "POLLOUT, POLLHUP",
        "dyld_shared_cache_arm64e",
        "/Library/Caches 1777 0:80",
        "xattr: [Errno 1] Operation not permitted",
        "APFSSnapshot True, Sealed Yes, MountPoint /",
        "M-XATTR-1",
        "macOS 15.2 (24C101)",
    ],
)
def test_what_names_nobody_stays(text: str) -> None:
    assert Redactor(["dana", "mac1"])(text) == text


def test_the_directory_of_the_run_is_a_word() -> None:
    clean = Redactor(["dana"], ["/Users/dana/Jails/try"])
    assert clean("cannot open /Users/dana/Jails/try/scratch/x") == "cannot open DIRECTORY/scratch/x"


def test_homes_and_volumes_of_nobody_who_is_known_are_taken_out() -> None:
    text = Redactor([])("/Users/erika/x, /home/erika, /Volumes/Secret/y, /var/folders/zz/zyx/T/")
    assert "erika" not in text
    assert "Secret" not in text
    assert "zyx" not in text


def test_a_short_name_takes_no_part_of_a_word() -> None:
    assert Redactor(["al"])("also al, final") == f"also {REDACTED}, final"


@given(st.text(max_size=2000), st.lists(st.text(max_size=20), max_size=5))
def test_any_text_becomes_one_short_line(text: str, names: list[str]) -> None:
    told = Redactor(names)(text)
    assert len(told) <= MAX_LENGTH
    assert told.isprintable()


def test_the_name_of_a_volume_is_taken_out_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Plan of Erika").mkdir()
    (tmp_path / "Macintosh HD").mkdir()
    monkeypatch.setattr(private_words, "VOLUMES", str(tmp_path))
    assert "Macintosh HD" not in private_words.collect()
    told = Redactor(private_words.collect())("cannot open /Volumes/Plan of Erika/x: no")
    assert told == f"cannot open /Volumes/{REDACTED}/x: no"


def test_what_a_program_said_is_cut_between_words() -> None:
    """What is left of a name that was cut would not be known for one."""
    name = "danas-macbook-pro"
    ended = CompletedRun(1, f"{'x ' * 75}{name} said more".encode(), b"")
    assert "danas" not in Redactor([name])(output_of(ended))
    assert output_of(ended).endswith(" (exit status 1)")


def test_the_words_are_those_of_this_machine() -> None:
    import pwd  # noqa: PLC0415
    import socket  # noqa: PLC0415

    words = private_words.collect()
    assert socket.gethostname() in words
    people = [one.pw_name for one in pwd.getpwall() if 500 <= one.pw_uid < 60000 and not one.pw_name.startswith("_")]
    assert {name for name in people if name != "nobody"} <= set(words)
    assert "root" not in words
