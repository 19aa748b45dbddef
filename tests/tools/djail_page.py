# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Write what is made of the commands of djail: the reference in docs/djail.md, and docs/djail.schema.json."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.darwin.jail.plugins.module_utils._jail.djail import documents, schema

CHECKOUT = Path(__file__).parents[2]
PAGE = CHECKOUT / "docs/djail.md"
SCHEMA = CHECKOUT / "docs/djail.schema.json"
BEGIN, END = "<!-- made by tests/tools/djail_page.py -->\n\n", "\n<!-- the end of what is made -->\n"


def page(text: str) -> str:
    """The page with a new reference."""
    before, _begin, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}{documents.reference()}{END}{after}"


def schema_text() -> str:
    return json.dumps(schema.schema(), indent=1) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
    SCHEMA.write_text(schema_text())
