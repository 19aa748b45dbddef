# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The README is short, has what Galaxy's readers look for, and agrees with the rest of the project."""

from __future__ import annotations

import re

import pytest
import yaml
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos.release import RELEASES
from documented_examples import CHECKOUT

TEXT = (CHECKOUT / "README.md").read_text()
HEADINGS = " ".join(re.findall(r"^## (.+)", TEXT, re.MULTILINE)).lower()
MOST_LINES = 150


def test_it_is_short() -> None:
    assert len(TEXT.splitlines()) <= MOST_LINES


@pytest.mark.parametrize(
    "section",
    [
        "installation",
        "use cases",
        "requirements",
        "testing",
        "support",
        "release notes",
        "related information",
        "licence",
    ],
)
def test_it_has_the_sections_of_a_collection(section: str) -> None:
    """Those of Ansible's template for the READMEs of collections; the first sentences are the description."""
    assert section in HEADINGS


def test_it_says_whether_a_mac_has_proven_anything() -> None:
    proofs = list(CHECKOUT.glob("docs/proofs/*.json"))
    assert ("No Mac has proven anything yet." in TEXT) == (not proofs)


def test_its_requirements_are_those_of_the_collection() -> None:
    needs = yaml.safe_load((CHECKOUT / "meta/runtime.yml").read_text())["requires_ansible"]
    series = re.findall(r"\d+\.\d+", needs)[0]
    assert f"| ansible-core | {series} or newer" in TEXT
    assert f"| macOS | {min(RELEASES)} or newer" in TEXT


def test_it_names_the_licence_of_the_collection() -> None:
    module = (CHECKOUT / "plugins/modules/darwin_jail_rootfs.py").read_text()
    (identifier,) = re.findall(r"SPDX-License-Identifier\W+(\S+)", module)
    assert identifier in TEXT
