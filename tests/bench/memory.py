# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The most memory that a command and its children have at a time, what they share counted once (PSS)."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

TICK = 0.01
PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


def peak(argv: Sequence[str]) -> float:
    """In megabytes."""
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, start_new_session=True)
    most = 0
    while process.poll() is None:
        most = max(most, sum(_pss(pid) for pid in _family(process.pid)))
        time.sleep(TICK)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, argv)
    return most / 1000


def _family(pid: int) -> list[int]:
    """A process and its children, by the session that they share."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.getsid(int(name)) == pid:
                    found.append(int(name))
            except ProcessLookupError:
                pass
    return found


def _pss(pid: int) -> int:
    try:
        found = PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    except OSError:  # it has just ended
        return 0
    return int(found[1]) if found else 0
