# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The page of variables has all of them, as the specifications have them."""

from __future__ import annotations

from ansible_collections.darwin.jail.plugins.plugin_utils._jail.user_names import PREFIX, known_names
from variables import PAGE, page


def test_the_page_is_made_from_the_specifications() -> None:
    """Write it with: python tests/tools/variables.py"""
    assert PAGE.read_text() == page()


def test_every_variable_that_is_read_is_on_it() -> None:
    text = PAGE.read_text()
    assert [name for name in known_names() if f"| `{PREFIX}{name}` |" not in text] == []
