# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Find the Pythons of this machine: real programs, not shims."""

from __future__ import annotations

import subprocess
from pathlib import Path

ASK = """
import sys, ensurepip, venv
print("%d.%d" % sys.version_info[:2], getattr(sys, "_base_executable", sys.executable))
"""

COMMAND_LINE_TOOLS = Path("/Library/Developer/CommandLineTools/usr/bin/python3")


def known() -> tuple[str, ...]:
    """Versions of Python on which Ansible is run, the newest first."""
    program = Path(__file__).with_name("find-python")
    return tuple(subprocess.run([program, "--known"], check=True, capture_output=True, text=True).stdout.split())


def find(version: str) -> Path | None:
    """The program of Python `version` ("3.9"), if it is here and can make virtual environments."""
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    for candidate in (f"python{version}", *pyenv, COMMAND_LINE_TOOLS):
        try:
            answer = subprocess.run([str(candidate), "-c", ASK], check=True, capture_output=True, text=True).stdout
        except (OSError, subprocess.CalledProcessError):
            continue
        found, path = answer.strip().split(" ", 1)
        if found == version:
            return Path(path)
    return None
