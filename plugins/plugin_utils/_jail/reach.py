# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Advice for hosts that cannot be reached."""

from __future__ import annotations

NO_ROUTE = "no route to host"
ADVICE = (
    "(see that it runs; macOS 15 and later answers so, too, when Local Network privacy keeps a program from hosts "
    "nearby: docs/messages.md, No route to host)"
)


def with_advice(words: str, cause: str = "") -> str:
    """A message about a host that could not be reached, with advice if there is any, once."""
    return f"{words} {ADVICE}" if NO_ROUTE in f"{words} {cause}".lower() and ADVICE not in words else words
