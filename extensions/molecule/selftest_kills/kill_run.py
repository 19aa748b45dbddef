# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Start a run, and kill it when a task begins: kill_run.py TASK SECONDS COMMAND...

So many seconds after that all of its processes on this machine are killed, ssh among them. Prints what was left to it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress


def main(task: str, seconds: str, *command: str) -> None:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True) as run:
        assert run.stdout
        for line in run.stdout:
            if line.startswith(b"TASK [") and task.encode() in line:
                break
        else:
            sys.exit(f"it ended with {run.wait()} before {task}")
        time.sleep(float(seconds))
        if run.poll() is not None:
            sys.exit(f"it ended with {run.returncode} during {task}")
        for process in members(run.pid):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    print(f"killed during {task}")


def members(session: int) -> list[int]:
    """All processes of a session, and those that Ansible started apart from it."""
    table = subprocess.run(["/bin/ps", "-eo", "pid=,ppid=,sess="], capture_output=True, check=True, text=True).stdout
    rows = [tuple(map(int, line.split())) for line in table.splitlines()]
    found = {pid for pid, _parent, sess in rows if sess == session}
    while more := {pid for pid, parent, _sess in rows if parent in found} - found:
        found |= more
    return sorted(found)


if __name__ == "__main__":
    main(*sys.argv[1:])
