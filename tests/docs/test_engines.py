# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What docs/engines.md tells people to ask for is right; its blocks are tested with those of all pages."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.darwin.jail.plugins.lookup.variable_errors import judge
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.user_names import known_names

CHECKOUT = Path(__file__).parents[2]
PAGE = (CHECKOUT / "docs/engines.md").read_text()


def test_the_survey_asks_for_variables_that_there_are() -> None:
    asked = re.findall(r"^\| [^|]*\? \| `(\w+)`", PAGE, re.MULTILINE)
    assert len(asked) == 5
    assert judge(asked, known_names(CHECKOUT)) == ([], [])
