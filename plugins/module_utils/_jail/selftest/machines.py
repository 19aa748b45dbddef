# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual machines."""

from __future__ import annotations

import json

from ..macos import third_party
from ..system.process import run
from .claims import Verdict, claim, found
from .context import Context, NotTriedError, output_of


@claim(
    "M-TART-1",
    "tart list prints its machines as a list in JSON",
    source="Virtual machines: cirruslabs/tart at 5287b597, Sources/tart/Commands",
    judged="tart",
    needs=("tart",),
)
def listed(_context: Context) -> Verdict:
    tart = third_party.find("tart", third_party.HOMEBREW_DIRECTORIES)
    if tart is None:
        raise NotTriedError("no tart")
    ended = run([tart, "list", "--source", "local", "--format", "json"], timeout=30, as_nobody=True)
    try:
        return found(isinstance(json.loads(ended.stdout), list), "it does")
    except ValueError:
        return found(False, output_of(ended))
