# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The command that enters jails, as the role mac installs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.lookup.enter_command import LookupModule
from ansible_collections.darwin.jail.plugins.module_utils._jail.exec.session import PYTHONS


@pytest.mark.parametrize("before", ["", "{ cat <&3 >/dev/null; } 2>/dev/null"], ids=["plain", "read before"])
def test_the_program_is_there_whatever_was_read_of_its_descriptor(tmp_path: Path, before: str) -> None:
    """Python 3.9 looks for a zip file first, up to the end, and on macOS /dev/fd/N has one offset for all (dup(2))."""
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\n{before}\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    enter = tmp_path / "enter"
    (text,) = LookupModule().run([])
    enter.write_text(text.replace(PYTHONS[0], str(python)))
    ran = subprocess.run(["/bin/sh", enter], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr.partition(" (")[0]) == (1, "usage: sudo enter JAIL USER")
