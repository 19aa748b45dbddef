# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Write a program for macOS that needs a library which is nowhere, and is not signed: lacking.py FILE."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tests/fixtures"))

from macho_files import need, thin

needs = need("/usr/local/lib/libgone.1.dylib")
Path(sys.argv[1]).write_bytes(thin("arm64", "execute", needs))
