# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What is made of the commands of djail is current."""

from __future__ import annotations

import djail_page
import jsonschema
from ansible_collections.darwin.jail.plugins.module_utils._jail.djail import schema

README = djail_page.CHECKOUT / "README.md"


def test_the_reference_is_made_of_the_commands() -> None:
    """Write it with: python tests/tools/djail_page.py"""
    text = djail_page.PAGE.read_text()
    assert text == djail_page.page(text)


def test_the_schema_is_made_of_the_fields() -> None:
    assert djail_page.SCHEMA.read_text() == djail_page.schema_text()
    jsonschema.Draft202012Validator.check_schema(schema.schema())


def test_the_readme_shows_a_part_of_the_session() -> None:
    """Which a test of the connection types."""
    begin = "mac$ djail"
    page = (begin + djail_page.PAGE.read_text().partition(begin)[2]).partition("```")[0].splitlines()
    readme = (begin + README.read_text().partition(begin)[2]).partition("\n\n")[0].splitlines()
    shown = [line.removeprefix("    ") for line in readme]
    assert len(shown) > 1
    assert [line for line in page if line in shown] == shown
