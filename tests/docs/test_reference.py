# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The page of playbooks, modules, plugins and roles has all of them, as their sources describe them."""

from __future__ import annotations

import pytest
from documented_examples import CHECKOUT
from reference import GUIDES, PAGE, page

SOURCES = ("playbooks/*.yml", "plugins/modules/*.py", "roles/*/")


def test_the_page_is_made_from_the_sources() -> None:
    """Write it with: python tests/tools/reference.py"""
    assert PAGE.read_text() == page()


@pytest.mark.parametrize("pattern", SOURCES)
def test_each_one_is_on_it(pattern: str) -> None:
    text = PAGE.read_text()
    names = [path.stem for path in CHECKOUT.glob(pattern)]
    assert names
    assert [name for name in names if f"`darwin.jail.{name}`" not in text] == []


def test_a_guide_is_of_a_playbook_and_exists() -> None:
    assert [name for name in GUIDES if not (CHECKOUT / f"playbooks/{name}.yml").is_file()] == []
    assert [target for target in GUIDES.values() if not (CHECKOUT / target).is_file()] == []
