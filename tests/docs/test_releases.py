# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Which releases of macOS there are is said in one place, and no other names the newest one."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos.release import (
    ARM_AND_INTEL,
    NEWEST,
    OLDEST,
    RELEASES,
    processors,
)
from documented_examples import CHECKOUT
from host import releases

HOMES = {
    "plugins/module_utils/_jail/macos/release.py": "which has the list",
    "docs/profiles.md": "which shows it",
    "tests/docs/test_releases.py": "which has the patterns",
}
YEARS = r"(?:2[6-9]|[3-9][0-9])"
PATTERNS = {
    "a range": rf"\b1[0-9] (?:to|through|until|-) {YEARS}\b(?![.]\d)",
    "a list": rf"\b1[0-9](?:, \d\d)*,? (?:and|or) {YEARS}\b(?![.]\d)",
    "a list of names": r"(?i)\bsonoma, ?sequoia, ?tahoe\b|\bsequoia,? ?(?:and )?tahoe\b(?! \(| are| 26)",
    "the newest": rf"(?i)\b(?:newest|latest|last|current) (?:macos|release of macos)[^.\n]{{0,12}}\b{YEARS}\b",
    "a constant": rf"(?i)\b(?:newest|latest)\w*(?:: \w+)? = (?:[^\n\"']{{0,12}}\b)?{YEARS}\b(?![.]\d)",
    "an upper bound": rf"\b(?:major|release|macos)\w* (?:>|<=) {YEARS}\b(?![.]\d)",
}


def claims(text: str) -> list[str]:
    return [f"{kind}: {found[0]}" for kind, pattern in PATTERNS.items() for found in re.finditer(pattern, text)]


def sources() -> dict[str, str]:
    """Texts of the checkout by their names, but for data of tests, pictures, and what is released elsewhere."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout.split("\0")
    found = {}
    for name in filter(None, names):
        path = CHECKOUT / name
        if path.is_file() and not path.is_symlink() and name not in HOMES:
            found[name] = path.read_bytes().decode("utf-8", "replace")
    return found


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("for macOS 12 to 26 on both processors", "a range"),
        ("macOS 12, 13, 14, 15 and 26", "a list"),
        ("macos-{sonoma,sequoia,tahoe}-base", "a list of names"),
        ("images of Sonoma, Sequoia and Tahoe", "a list of names"),
        ("the newest macOS, which is 26", "the newest"),
        ("OLDEST, NEWEST = 12, 26", "a constant"),
        ("LATEST_KNOWN: int = 27", "a constant"),
        ("if major > 26:", "an upper bound"),
        ("release.major <= 27", "an upper bound"),
    ],
)
def test_a_claim_is_noticed(text: str, kind: str) -> None:
    assert kind in [claim.partition(":")[0] for claim in claims(text)]


@pytest.mark.parametrize(
    "text",
    [
        "macOS 12 or newer",
        "since macOS 26 the label has the version twice",
        "14.5 by way of 15.2 to 26.6",
        "if self.major >= 26:",
        "on macOS 14 and 15 they are killed",
        "macos-sequoia-base",
    ],
)
def test_a_fact_about_one_release_is_none(text: str) -> None:
    assert claims(text) == []


def test_nothing_else_names_the_newest_release() -> None:
    found = {name: said for name, text in sources().items() if (said := claims(text))}
    assert found == {}


def test_the_page_of_profiles_names_them() -> None:
    *others, last = [
        f"{major}{'' if processors == ARM_AND_INTEL else ' (Apple silicon alone)'}"
        for major, processors in RELEASES.items()
    ]
    assert f"for macOS {', '.join(others)} and {last}." in (CHECKOUT / "docs/profiles.md").read_text()


def test_a_stand_in_can_be_each_of_them() -> None:
    can_be = {(release.major, arch) for release in releases.RELEASES.values() for arch in release.kernels}
    assert {major for major, _arch in can_be} == {*RELEASES}
    assert all(arch in RELEASES[major] for major, arch in can_be)


def test_the_workflow_runs_on_releases_that_are_known() -> None:
    workflow = yaml.safe_load((CHECKOUT / ".github/workflows/macos.yml").read_text())
    labels = workflow["jobs"]["jail"]["strategy"]["matrix"]["runner"]
    numbers = [int(re.findall(r"\d+", label)[0]) for label in labels]
    assert {*numbers} <= {*RELEASES}


@pytest.mark.parametrize(
    ("major", "runs_on"),
    [
        (OLDEST - 1, ()),
        *RELEASES.items(),
        (16, ARM_AND_INTEL),
        (NEWEST + 1, RELEASES[NEWEST]),
    ],
)
def test_the_processors_of_a_release(major: int, runs_on: tuple[str, ...]) -> None:
    assert processors(major) == runs_on
