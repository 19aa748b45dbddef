# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The command that enters jails is made of the modules as they are."""

from __future__ import annotations

import enter_script


def test_the_command_is_up_to_date() -> None:
    assert enter_script.SCRIPT.read_text() == enter_script.script(), "run python tests/tools/enter_script.py"
