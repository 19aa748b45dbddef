# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Wait until a build of the jail is under way, and kill it: kill_build.py JAIL

Prints the state that the jail's marker is left in.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import signal
import sys
import time
from pathlib import Path

STATE = "private/var/db/darwin.jail"
LOCKS = Path(pwd.getpwuid(0).pw_dir, ".darwin.jail.locks")
FIRST = ("System", "bin", "sbin", "usr")


def main(jail: Path) -> None:
    deadline = time.monotonic() + 60
    while not (process := holder(lock_of(jail))):
        if time.monotonic() > deadline:
            sys.exit(f"no build of {jail} has begun")
        time.sleep(0.001)
    while not any((jail / name).exists() for name in FIRST) and time.monotonic() < deadline:
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    print(json.loads(text(jail / STATE / "jail.json"))["state"])


def lock_of(jail: Path) -> Path:
    """The file of the Mac that is locked; it has the numbers of the jail's directory for a name."""
    status = jail.stat() if jail.exists() else None
    return LOCKS / (f"{status.st_dev}-{status.st_ino}" if status else "none")


def holder(lock: Path) -> int:
    """The process that has the lock; 0 when there is none. A file of a former jail with these numbers may be there."""
    match = re.search(r"process (\d+)", text(lock))
    return int(match[1]) if match and Path("/proc", match[1]).exists() else 0


def text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


if __name__ == "__main__":
    main(Path(sys.argv[1]))
