# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Manifests on the controller, with all that they include."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible_collections.darwin.jail.plugins.lookup.manifests import LookupModule


def look(*terms: Path | str) -> list[str]:
    return LookupModule(DataLoader()).run([str(term) for term in terms], {})


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_includes_come_with_it_each_once(tmp_path: Path) -> None:
    common = write(tmp_path / "common", "/bin/")
    deep = write(tmp_path / "lists/deep", "@include ../common", "# @include nothing", "/usr/ /usr/")
    top = write(tmp_path / "top", "@include lists/deep", "@include common")
    assert look(top, common) == [str(top), str(deep), str(common)]
    assert look() == []


def test_a_relative_path_is_looked_for_below_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = write(tmp_path / "top", "/bin/")
    monkeypatch.chdir(tmp_path)
    assert look("top") == [str(top)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("@include missing", "cannot read the manifest .*/missing on the controller: No such file or directory"),
        ("@include top", "include each other in a cycle: .*top -> .*top"),
        ("  @include /etc/x", "'@include /etc/x' names an absolute path"),
        ("/a b c", "top line 1: 3 words"),
        ("/a/../b", "'..'"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(AnsibleLookupError, match=words):
        look(write(tmp_path / "top", line))
