# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The readers of untrusted files, led by their coverage: only documented errors, in bounded time and memory."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

READERS = Path(__file__).with_name("readers.py")
LONG = "DARWIN_JAIL_KILLS" in os.environ


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not here: make soak installs it")
@pytest.mark.parametrize("target", ["macho", "dyld_cache", "manifest", "record"])
def test_only_documented_errors(target: str, tmp_path: Path) -> None:
    bound = "-max_total_time=60" if LONG else "-runs=5000"
    command = [sys.executable, str(READERS), target, bound]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stderr[-5000:]
    assert "Done " in done.stderr
    assert list(tmp_path.iterdir()) == []
