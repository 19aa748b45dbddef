# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

from __future__ import annotations

import sys
from pathlib import Path

STANDIN = Path(__file__).parents[2] / "standin"
sys.path[:0] = [str(STANDIN), str(STANDIN / "root/usr/lib/python3.11")]
